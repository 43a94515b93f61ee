-- A client's claim of a key (ownership/stores/redis.ts), unless there is one: KEYS[1] is its `owner`, KEYS[2] its `claim`.
-- ARGV: the side, ms to keep it, a channel and the message on it for every instance, 1 where the side has had the
-- request already. Else a fact decides where a claim begins; without a fact the claim stands under `owner` too. What is no side, a key of another kind included, is nobody's
-- word: it gives way. Returns the owner there was, or nothing.
local claims = { legacy = 'legacy', new = 'new', ['legacy apart'] = 'legacy', ['new apart'] = 'new' }
local held = redis.pcall('GET', KEYS[2])
if claims[held] then
  return claims[held]
end
local fact = redis.pcall('GET', KEYS[1])
local isFact = fact == 'legacy' or fact == 'new'
if isFact and ARGV[5] == '0' then
  redis.call('SET', KEYS[2], fact .. ' apart', 'PX', ARGV[2])
  return fact
end
if isFact then
  redis.call('SET', KEYS[2], ARGV[1] .. ' apart', 'PX', ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return false
