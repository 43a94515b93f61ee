-- Takes notes of amounts opened and closed on new, and tells how it stands (ownership/exposure/port.ts).
-- KEYS: amounts by order, 0 of those that are closed, their sum under 'sum' and, while it is over its cap, 'over';
-- orders by when they count no more, ms.
-- { most: orders, mostSum, rememberMs: how long an order is known to be closed, forMs: how long one counts,
--   cap, reopens: sums, notes: { id, agoMs, amount, or nothing: it is closed } each }.
-- Answers the sum, in digits, and 1 while it is over.
local args = cjson.decode(ARGV[1])
local amounts, untils = KEYS[1], KEYS[2]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local sum = tonumber(redis.call('HGET', amounts, 'sum') or '0')
-- Whole numbers are exact up to 2^53, which no sum exceeds.
local function text(number) return string.format('%.0f', number) end

local function put(id, amount, untilMs)
  local fits = math.min(amount, args.mostSum - sum)
  sum = sum + fits
  redis.call('HSET', amounts, id, text(fits))
  redis.call('ZADD', untils, text(untilMs), id)
end

for _, note in ipairs(args.notes) do
  local before = redis.call('HGET', amounts, note.id)
  if not note.amount then
    sum = sum - tonumber(before or '0')
    put(note.id, 0, now + args.rememberMs)
  elseif not before and redis.call('ZCARD', untils) < args.most then
    put(note.id, note.amount, now + args.forMs - note.agoMs)
  end
end

for _ = 1, 20 do
  local gone = redis.call('ZRANGEBYSCORE', untils, '-inf', text(now), 'LIMIT', 0, 1000)
  for _, id in ipairs(gone) do
    sum = sum - tonumber(redis.call('HGET', amounts, id) or '0')
    redis.call('HDEL', amounts, id)
  end
  if #gone > 0 then redis.call('ZREM', untils, unpack(gone)) end
  if #gone < 1000 then break end
end

local last = redis.call('ZRANGE', untils, -1, -1, 'WITHSCORES')[2]
if not last then
  redis.call('DEL', amounts)
  return { '0', 0 }
end
redis.call('HSET', amounts, 'sum', text(sum))
if sum > args.cap then
  redis.call('HSET', amounts, 'over', '1')
elseif sum <= args.reopens then
  redis.call('HDEL', amounts, 'over')
end
for _, key in ipairs(KEYS) do redis.call('EXPIREAT', key, text(math.ceil(tonumber(last) / 1000))) end
return { text(sum), redis.call('HGET', amounts, 'over') and 1 or 0 }
