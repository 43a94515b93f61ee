-- Orders tell the journey whose start has made them: KEYS are what they are tied by. { id, ttl: seconds }.
local args = cjson.decode(ARGV[1])
for _, key in ipairs(KEYS) do redis.call('SET', key, args.id, 'EX', string.format('%.0f', args.ttl)) end
return false
