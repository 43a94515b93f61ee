-- Makes ARGV[1] the owner under KEYS[1] for ARGV[2] ms, unless there is one. Returns the owner there was, or nothing.
-- What is there and is no side, a key of another kind included, is nobody's word: it gives way.
-- A new owner is told to every instance: the message ARGV[4] on the channel ARGV[3].
local held = redis.pcall('GET', KEYS[1])
if held == 'legacy' or held == 'new' then
  return held
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return false
