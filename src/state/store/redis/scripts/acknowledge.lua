-- Remembers an instance beyond its lease. KEYS: the index of all instances by the moment until which they are known
-- (so that nobody has to scan the keyspace), the roster of what is remembered of each. { id, brief: what the roster
-- remembers, as JSON, rememberMs }. An instance that fell silent too long ago is dropped from index and roster.

local index, roster = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function make(key, wanted)
  local kind = redis.call('TYPE', key).ok
  if kind ~= 'none' and kind ~= wanted then redis.call('DEL', key) end
end

make(index, 'zset')
make(roster, 'hash')
local before = string.format('(%.0f', ms)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', before)) do redis.call('HDEL', roster, gone) end
redis.call('ZREMRANGEBYSCORE', index, '-inf', before)
redis.call('ZADD', index, string.format('%.0f', ms + args.rememberMs), args.id)
redis.call('HSET', roster, args.id, string.format('[%.0f,', ms) .. args.brief .. ']')
return 'OK'
