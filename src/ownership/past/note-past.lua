-- Takes notes of past requests (ownership/past/port.ts), all of one cutover; the rules are those of record.ts.
-- KEYS: of legacy those in doubt by since when, and what is known of each; the same of new; then records of keys.
-- { most: in doubt a side, mostDecisions, mostOthers,
--   keys: { record: the place of its record in KEYS, digest, ttlMs, decisions: { time, side, reason, version, route } each,
--     answered: { side: time } } each,
--   doubts: { records: the places of its keys' records in KEYS, side, digest, others, sentAt, since, route,
--     outcome or nothing: it is in no doubt } each }.
-- Beside a request stands, under `>` and each other key of its, which first keys lead to it.
-- Returns how many in doubt found no room, and how many are in doubt no more.
local args = cjson.decode(ARGV[1])
local places = { legacy = { KEYS[1], KEYS[2] }, new = { KEYS[3], KEYS[4] } }
local lost, ended = 0, 0
local function text(number) return string.format('%.0f', number) end
local function decoded(value)
  if type(value) ~= 'string' then return nil end
  local isRead, read = pcall(cjson.decode, value)
  if isRead and type(read) == 'table' then return read end
end
local function recordAt(key)
  local read = decoded(redis.pcall('GET', key))
  if read and type(read.d) == 'table' and type(read.a) == 'table' then return read end
end

local function isAlike(one, other) return one[2] == other[2] and one[3] == other[3] and one[4] == other[4] end
local function decide(record, made)
  local place = #record.d + 1
  for i, one in ipairs(record.d) do
    if one[1] > made[1] then
      place = i
      break
    end
  end
  local before, after = record.d[place - 1], record.d[place]
  if before and isAlike(before, made) then return end
  if after and isAlike(after, made) then
    record.d[place] = made
    return
  end
  table.insert(record.d, place, made)
  if #record.d > args.mostDecisions then
    table.remove(record.d, args.mostDecisions / 2 + 1)
    record.n = (record.n or 0) + 1
  end
end

local function point(requests, other, digest)
  local led = redis.call('HGET', requests, '>' .. other) or ''
  local _, count = string.gsub(led, '%x+', '')
  if count >= args.mostOthers or string.find(led, digest, 1, true) then return end
  redis.call('HSET', requests, '>' .. other, led == '' and digest or led .. ',' .. digest)
end
local function unpoint(requests, other, digest)
  local left = {}
  for one in string.gmatch(redis.call('HGET', requests, '>' .. other) or '', '%x+') do
    if one ~= digest then left[#left + 1] = one end
  end
  if #left == 0 then
    redis.call('HDEL', requests, '>' .. other)
  else
    redis.call('HSET', requests, '>' .. other, table.concat(left, ','))
  end
end
local function remove(place, digest, request)
  redis.call('ZREM', place[1], digest)
  redis.call('HDEL', place[2], digest)
  for other in string.gmatch(request.others, '%x+') do unpoint(place[2], other, digest) end
end
local function answer(side, digest, atMs)
  local place = places[side]
  local found = { digest }
  for one in string.gmatch(redis.call('HGET', place[2], '>' .. digest) or '', '%x+') do found[#found + 1] = one end
  for _, one in ipairs(found) do
    local request = decoded(redis.call('HGET', place[2], one))
    if request and request.last <= atMs then
      remove(place, one, request)
      ended = ended + 1
    end
  end
end

local function merge(request, since, note)
  local waited, waits = request.outcome == 'instance_gone', note.outcome == 'instance_gone'
  if waits then
    if waited then since = math.max(since, note.since) end
  else
    since = waited and note.since or math.min(since, note.since)
    request.outcome, request.route = note.outcome, note.route
  end
  request.at = math.min(request.at, note.sentAt)
  request.last = math.max(request.last, note.sentAt)
  return since
end
local function doubt(note)
  local place = places[note.side]
  local request = decoded(redis.call('HGET', place[2], note.digest))
  if not note.outcome then
    local isIt = request and request.outcome == 'instance_gone' and request.at == note.sentAt
    if isIt and request.last == note.sentAt then remove(place, note.digest, request) end
    return
  end
  for _, at in ipairs(note.records) do
    local record = recordAt(KEYS[at])
    if record and (record.a[note.side] or 0) >= note.sentAt then return end
  end
  local since = note.since
  if request then
    since = merge(request, tonumber(redis.call('ZSCORE', place[1], note.digest) or nil) or since, note)
  else
    if redis.call('ZCARD', place[1]) >= args.most then
      lost = lost + 1
      return
    end
    request = { at = note.sentAt, last = note.sentAt, outcome = note.outcome, route = note.route, others = '' }
  end
  local _, count = string.gsub(request.others, '%x+', '')
  for _, other in ipairs(note.others) do
    if count < args.mostOthers and not string.find(request.others, other, 1, true) then
      request.others = request.others == '' and other or request.others .. ',' .. other
      count = count + 1
      point(place[2], other, note.digest)
    end
  end
  redis.call('HSET', place[2], note.digest, cjson.encode(request))
  redis.call('ZADD', place[1], text(since), note.digest)
end

for _, note in ipairs(args.keys) do
  local key = KEYS[note.record]
  local known = recordAt(key)
  if known or note.ttlMs > 0 then
    local record = known or { d = {}, n = 0, a = {} }
    for _, made in ipairs(note.decisions) do decide(record, made) end
    for side, atMs in pairs(note.answered) do record.a[side] = math.max(record.a[side] or 0, atMs) end
    local written = cjson.encode(record)
    if known then
      redis.call('SET', key, written, 'KEEPTTL')
    else
      redis.call('SET', key, written, 'PX', text(note.ttlMs))
    end
  end
  for side, atMs in pairs(note.answered) do answer(side, note.digest, atMs) end
end
for _, note in ipairs(args.doubts) do doubt(note) end
return { lost, ended }
