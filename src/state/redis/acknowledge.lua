-- Renews an instance's lease. KEYS: its record, the index of all instances by the end of their lease (so that
-- nobody has to scan the keyspace), from which the dead are dropped. ARGV: id, record, lease in ms.

local record, index = KEYS[1], KEYS[2]
local id, text, lease = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

redis.call('SET', record, text, 'PX', lease)
local kind = redis.call('TYPE', index).ok
if kind ~= 'none' and kind ~= 'zset' then redis.call('DEL', index) end
redis.call('ZREMRANGEBYSCORE', index, '-inf', string.format('(%.0f', ms))
redis.call('ZADD', index, string.format('%.0f', ms + lease), id)
return 'OK'
