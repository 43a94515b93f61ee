-- What is remembered of the instances, and the clock by which it was written: another node's may differ.
local roster = redis.call('TYPE', KEYS[1]).ok == 'hash' and redis.call('HVALS', KEYS[1]) or {}
local time = redis.call('TIME')
return { tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000), roster }
