-- A person gives a key to a side, or to nobody: KEYS[1] is the key's `owner`, KEYS[2] its `claim`
-- (ownership/stores/redis.ts). { side, ttlMs: of a record that is new, channel }; ARGV[2] is NAME:KEY, for the messages on
-- the channel. A key that is but claimed stays so; a tentative claim is a lasting one then.
local args = cjson.decode(ARGV[1])
if not args.side then
  redis.call('DEL', KEYS[1], KEYS[2])
  return false
end
local owner = redis.pcall('GET', KEYS[1])
local claim = redis.pcall('GET', KEYS[2])
if type(claim) == 'string' then
  claim = string.match(claim, '^(.-) tentative %S+$') or claim
end
local isKept = owner == 'legacy' or owner == 'new'
local isClaimed = claim == 'legacy' or claim == 'new' or claim == 'legacy apart' or claim == 'new apart'
local isClaim = isClaimed and isKept and owner == claim
if isKept then
  redis.call('SET', KEYS[1], args.side, 'KEEPTTL')
else
  redis.call('SET', KEYS[1], args.side, 'PX', string.format('%.0f', args.ttlMs))
end
if isClaimed then
  redis.call('SET', KEYS[2], isClaim and args.side or args.side .. ' apart', 'KEEPTTL')
  redis.call('PUBLISH', args.channel, 'claim:' .. args.side .. ':' .. ARGV[2])
end
if not isClaim then
  redis.call('PUBLISH', args.channel, args.side .. ':' .. ARGV[2])
end
return false
