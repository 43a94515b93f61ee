-- A fact of who owns a key, unless there is one: KEYS[1] is the key's `owner`, KEYS[2] its `claim`
-- (ownership/stores/redis.ts). { side, ttlMs, channel, ends: the side's fact, if there is one, is to end instead };
-- ARGV[2] is the message on the channel for every instance. A claim that stands under `owner` gives way there and stays
-- what it is. Returns the fact there was, or nothing.
-- A server that refuses to write (OOM, READONLY …) still publishes: what it does not keep, every instance hears of.
local args = cjson.decode(ARGV[1])
local owner = redis.pcall('GET', KEYS[1])
local claim = redis.pcall('GET', KEYS[2])
local mark = ''
if type(claim) == 'string' and string.find(claim, ' tentative ', 1, true) then
  claim, mark = string.match(claim, '^(.-)( tentative %S+)$')
end
if (owner == 'legacy' or owner == 'new') and owner ~= claim then
  if args.ends and owner == args.side then
    redis.call('DEL', KEYS[1])
    redis.call('PUBLISH', args.channel, ARGV[2])
  end
  return owner
end
if args.ends then
  return false
end
local written = redis.pcall('SET', KEYS[1], args.side, 'PX', string.format('%.0f', args.ttlMs))
if written.err then
  redis.call('PUBLISH', args.channel, ARGV[2])
  return written
end
if claim == 'legacy' or claim == 'new' then
  redis.call('SET', KEYS[2], claim .. ' apart' .. mark, 'KEEPTTL')
end
redis.call('PUBLISH', args.channel, ARGV[2])
return false
