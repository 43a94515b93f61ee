-- Those in doubt on one side, oldest first: KEYS[1] by since when, KEYS[2] what is known of each (ownership/past/redis.ts).
-- { from: since when on, skip: of those, count: at most so many; 0: their number alone }. What only waits is none yet.
-- Returns how many there are, since when the first is, and of each: its digest, since when, and what is known of it.
local args = cjson.decode(ARGV[1])
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local waiting = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
local first = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1)
local told = { redis.call('ZCARD', KEYS[1]) - #waiting, first[2] or '' }
if args.count == 0 then return told end
local from = string.format('%.0f', args.from)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], from, now, 'WITHSCORES', 'LIMIT', args.skip, args.count)
for i = 1, #found, 2 do
  told[#told + 1] = found[i]
  told[#told + 1] = found[i + 1]
  told[#told + 1] = redis.call('HGET', KEYS[2], found[i]) or ''
end
return told
