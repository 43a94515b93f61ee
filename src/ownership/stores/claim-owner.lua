-- A client's claim of a key, unless there is one: KEYS[1] is the key's `owner`, KEYS[2] its `claim`
-- (ownership/stores/redis.ts). { side, ttlMs, channel, late: the side has had the request already }; ARGV[2] is the
-- message on the channel for every instance. Unless it is late, a fact decides where a claim begins; without a fact the
-- claim stands under `owner` too. What is no side, a key of another kind included, is nobody's word: it gives way.
-- Returns the owner there was, or nothing.
local args = cjson.decode(ARGV[1])
local ttlMs = string.format('%.0f', args.ttlMs)
local claims = { legacy = 'legacy', new = 'new', ['legacy apart'] = 'legacy', ['new apart'] = 'new' }
local claimed = claims[redis.pcall('GET', KEYS[2])]
if claimed then
  return claimed
end
local fact = redis.pcall('GET', KEYS[1])
local isFact = fact == 'legacy' or fact == 'new'
if isFact and not args.late then
  redis.call('SET', KEYS[2], fact .. ' apart', 'PX', ttlMs)
  return fact
end
if isFact then
  redis.call('SET', KEYS[2], args.side .. ' apart', 'PX', ttlMs)
else
  redis.call('SET', KEYS[1], args.side, 'PX', ttlMs)
  redis.call('SET', KEYS[2], args.side, 'PX', ttlMs)
end
redis.call('PUBLISH', args.channel, ARGV[2])
return false
