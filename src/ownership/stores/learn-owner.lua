-- A fact of who owns a key (ownership/stores/redis.ts), unless there is one: KEYS[1] is its `owner`, KEYS[2] its `claim`.
-- ARGV: the side, ms to keep it, a channel and the message on it for every instance. A claim that stands under `owner`
-- gives way there and stays what it is. Returns the fact there was, or nothing.
local held = redis.pcall('GET', KEYS[1])
local claim = redis.pcall('GET', KEYS[2])
if (held == 'legacy' or held == 'new') and held ~= claim then
  return held
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
if claim == 'legacy' or claim == 'new' then
  redis.call('SET', KEYS[2], claim .. ' apart', 'KEEPTTL')
end
redis.call('PUBLISH', ARGV[3], ARGV[4])
return false
