-- Takes the open proposal KEYS[1] back if its id is that of { id }. Answers 1, or 0 when it is not the open one.
if redis.call('TYPE', KEYS[1]).ok ~= 'string' then return 0 end
local reads, found = pcall(cjson.decode, redis.call('GET', KEYS[1]))
if not reads or type(found) ~= 'table' or found.id ~= cjson.decode(ARGV[1]).id then return 0 end
redis.call('DEL', KEYS[1])
return 1
