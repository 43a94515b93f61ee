-- What is remembered of the instances beyond their leases. KEYS: the index of all instances by the moment until which they
-- are known (so that nobody has to scan the keyspace), the roster of what is remembered of each.
--
-- { remember: { id, brief: what the roster remembers, as JSON, forMs } } remembers one. An instance that fell silent too
-- long ago is dropped from index and roster. Answers 'OK'.
-- {} answers { ms, [entry of the roster…] }: with the clock by which they were written, since another node's may differ.

local index, roster = KEYS[1], KEYS[2]
local remember = cjson.decode(ARGV[1]).remember
local time = redis.call('TIME')
local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

if not remember then
  return { ms, redis.call('TYPE', roster).ok == 'hash' and redis.call('HVALS', roster) or {} }
end

local function make(key, wanted)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= wanted then redis.call('DEL', key) end
end

make(index, 'zset')
make(roster, 'hash')
local before = string.format('(%.0f', ms)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', before)) do redis.call('HDEL', roster, gone) end
redis.call('ZREMRANGEBYSCORE', index, '-inf', before)
redis.call('ZADD', index, string.format('%.0f', ms + remember.forMs), remember.id)
redis.call('HSET', roster, remember.id, string.format('[%.0f,', ms) .. remember.brief .. ']')
return 'OK'
