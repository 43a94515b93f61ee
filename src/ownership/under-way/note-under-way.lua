-- Takes notes of what is under way or over (ownership/under-way/port.ts), all of one kind, cutover and epoch.
-- KEYS: ids that are over, by when; then of legacy and of new: ids by expiry, ids by start
-- ARGV: most ids a side; ms to remember an end; '1' where what is under way begins once; then five a note: id, ms it was
-- seen, side ('' = over), start, expiry
local over = KEYS[1]
local places = { legacy = { KEYS[2], KEYS[3] }, new = { KEYS[4], KEYS[5] } }
local most, rememberMs, once = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1])

for i = 4, #ARGV, 5 do
  local id, atMs, side = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local overAtMs = tonumber(redis.call('ZSCORE', over, id) or nil)
  if side == '' then
    for k = 2, 5 do redis.call('ZREM', KEYS[k], id) end
    if overAtMs == nil or overAtMs < atMs then redis.call('ZADD', over, ARGV[i + 1], id) end
  else
    local startedAt, expiresAt = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
    local begins = overAtMs == nil or (not once and startedAt >= math.floor(overAtMs / 1000) and atMs > overAtMs)
    local byExpiry, byStart = places[side][1], places[side][2]
    if begins and expiresAt > now then
      local before = tonumber(redis.call('ZSCORE', byStart, id) or nil)
      if before == nil and redis.call('ZCARD', byExpiry) < most or before ~= nil and not once and before <= startedAt then
        redis.call('ZADD', byExpiry, ARGV[i + 4], id)
        if before ~= startedAt then redis.call('ZADD', byStart, ARGV[i + 3], id) end
      end
    end
  end
end

redis.call('ZREMRANGEBYSCORE', over, '-inf', now * 1000 - rememberMs)
redis.call('PEXPIRE', over, rememberMs)
for _, place in pairs(places) do
  -- With the last of them both keys go by themselves.
  local last = redis.call('ZRANGE', place[1], -1, -1, 'WITHSCORES')[2]
  if last then for _, key in ipairs(place) do redis.call('EXPIREAT', key, last) end end
end
return 1
