-- Takes notes of what is under way or over (ownership/under-way/port.ts), all of one kind, cutover and epoch.
-- KEYS: ids that are over, by when; then of legacy and of new: ids by expiry, ids by start.
-- { most: ids a side, rememberMs: how long an end is known, once: what is under way begins once,
--   notes: { id, atMs: when it was seen, side or nothing: it is over, startedAt, expiresAt } each }.
local args = cjson.decode(ARGV[1])
local over = KEYS[1]
local places = { legacy = { KEYS[2], KEYS[3] }, new = { KEYS[4], KEYS[5] } }
local now = tonumber(redis.call('TIME')[1])
local function text(number) return string.format('%.0f', number) end

local function seen(note, overAtMs)
  local begins = overAtMs == nil
    or (not args.once and note.startedAt >= math.floor(overAtMs / 1000) and note.atMs > overAtMs)
  if not begins or note.expiresAt <= now then return end
  local byExpiry, byStart = places[note.side][1], places[note.side][2]
  local before = tonumber(redis.call('ZSCORE', byStart, note.id) or nil)
  if before == nil then
    if redis.call('ZCARD', byExpiry) >= args.most then return end
  elseif args.once or before > note.startedAt then
    return
  end
  redis.call('ZADD', byExpiry, text(note.expiresAt), note.id)
  if before ~= note.startedAt then redis.call('ZADD', byStart, text(note.startedAt), note.id) end
end

for _, note in ipairs(args.notes) do
  local overAtMs = tonumber(redis.call('ZSCORE', over, note.id) or nil)
  if note.side then
    seen(note, overAtMs)
  else
    for k = 2, 5 do redis.call('ZREM', KEYS[k], note.id) end
    if overAtMs == nil or overAtMs < note.atMs then redis.call('ZADD', over, text(note.atMs), note.id) end
  end
end

redis.call('ZREMRANGEBYSCORE', over, '-inf', text(now * 1000 - args.rememberMs))
redis.call('PEXPIRE', over, text(args.rememberMs))
for _, place in pairs(places) do
  -- Both keys go by themselves, somewhat later than the last of them: whoever counts meanwhile sees that it has expired.
  local last = tonumber(redis.call('ZRANGE', place[1], -1, -1, 'WITHSCORES')[2])
  if last then
    for _, key in ipairs(place) do redis.call('EXPIREAT', key, text(last + args.rememberMs / 1000)) end
  end
end
return 1
