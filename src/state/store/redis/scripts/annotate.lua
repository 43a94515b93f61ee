-- Adds a reason to a version that the audit has. KEYS[4] is the stream of annotations: the audit itself holds nothing
-- but versions, since the lineage of a version is read from it (read.lua).
-- { deadline, write: the annotation's own id, version, by, reason, via, requestId or nothing }.
-- Answers { 'late' } past the deadline, { 'unknown' } when the audit has no such version, else { 'annotated', at }.

local annotations = KEYS[4]
local version = integer(args.version)
local recentWrites = 64

local function fieldsOf(entry)
  local found = {}
  for i = 1, #entry[2], 2 do found[entry[2][i]] = entry[2][i + 1] end
  return found
end

local kind = kindOf(annotations)
if kind == 'stream' then
  -- Sent before, and the answer not heard.
  for _, entry in ipairs(redis.call('XREVRANGE', annotations, '+', '-', 'COUNT', recentWrites)) do
    local found = fieldsOf(entry)
    if found.write == args.write then return { 'annotated', found.at } end
  end
end
local ms = serverMs()
if isLate(args.deadline, ms) then return { 'late' } end

local isKnown = false
if kindOf(audit) == 'stream' then
  local back = currentState().version - args.version + recentWrites
  for _, entry in ipairs(redis.call('XREVRANGE', audit, '+', '-', 'COUNT', math.max(1, back))) do
    if fieldsOf(entry).version == version then
      isKnown = true
      break
    end
  end
end
if not isKnown then return { 'unknown' } end

if kind ~= 'none' and kind ~= 'stream' then redis.call('DEL', annotations) end
local at = rfc3339(ms)
redis.call('XADD', annotations, 'MAXLEN', '~', auditLength, '*', 'annotates', version, 'at', at, 'by', args.by,
  'reason', args.reason, 'via', args.via, 'request_id', args.requestId or '', 'write', args.write)
return { 'annotated', at }
