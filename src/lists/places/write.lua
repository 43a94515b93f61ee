-- One write of a list (lists/port.ts): parts over those they were changed from, with the stamps and the count.
-- KEYS: 1 the list's hash, 2 its audit stream. { deadline, id: of this write, parts: [{ at, from, text }…], more, by,
-- reason, entry: { added, removed } or nothing, channel, name, entriesKept }.
-- Answers { 'late' } past the deadline, { 'moved' } when a part has another stamp, else
-- { 'written', { version, members, updated_at, updated_by, reason } }. Sent again under its id it is not made again.

local list, audit = KEYS[1], KEYS[2]
local args = cjson.decode(ARGV[1])
local headFields = { 'version', 'members', 'updated_at', 'updated_by', 'reason' }

local function written()
  return { 'written', redis.call('HMGET', list, unpack(headFields)) }
end

local function whole(number)
  return string.format('%.0f', number)
end

local time = redis.call('TIME')
local ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

if redis.call('TYPE', list).ok ~= 'hash' then redis.call('DEL', list) end
if redis.call('HGET', list, 'write') == args.id then return written() end
if not (type(args.deadline) == 'number' and ms < args.deadline) then return { 'late' } end

local stamps = {}
local reads, found = pcall(cjson.decode, redis.call('HGET', list, 'parts') or '[]')
for at = 1, 256 do stamps[at] = reads and type(found) == 'table' and tonumber(found[at]) or 0 end
for _, part in ipairs(args.parts) do
  if stamps[part.at + 1] ~= part.from then return { 'moved' } end
end

-- RFC 3339 in UTC; the date is Howard Hinnant's civil_from_days.
local seconds = math.floor(ms / 1000)
local z = math.floor(seconds / 86400) + 719468
local era = math.floor(z / 146097)
local doe = z - era * 146097
local yoe = math.floor(
  (doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
local mp = math.floor((5 * doy + 2) / 153)
local month = mp < 10 and mp + 3 or mp - 9
local rest = seconds % 86400
local at = string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', yoe + era * 400 + (month <= 2 and 1 or 0), month,
  doy - math.floor((153 * mp + 2) / 5) + 1, math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, ms % 1000)

local version = whole((tonumber(redis.call('HGET', list, 'version') or nil) or 0) + 1)
local members = whole((tonumber(redis.call('HGET', list, 'members') or nil) or 0) + args.more)
local stamp = math.max((tonumber(redis.call('HGET', list, 'stamp') or nil) or 0) + 1, ms)

-- The audit first: should that fail, nothing was changed.
if args.entry then
  local kind = redis.call('TYPE', audit).ok
  if kind ~= 'none' and kind ~= 'stream' then redis.call('DEL', audit) end
  redis.call('XADD', audit, 'MAXLEN', '~', args.entriesKept, '*', 'version', version, 'at', at, 'by', args.by,
    'added', whole(args.entry.added), 'removed', whole(args.entry.removed), 'reason', args.reason)
end
for _, part in ipairs(args.parts) do
  stamps[part.at + 1] = stamp
  redis.call('HSET', list, 'p:' .. whole(part.at), part.text)
end
local texts = {}
for index = 1, 256 do texts[index] = whole(stamps[index]) end
redis.call('HSET', list, 'version', version, 'members', members, 'stamp', whole(stamp), 'updated_at', at,
  'updated_by', args.by, 'reason', args.reason, 'parts', '[' .. table.concat(texts, ',') .. ']', 'write', args.id)
redis.call('PUBLISH', args.channel, args.name)
return written()
