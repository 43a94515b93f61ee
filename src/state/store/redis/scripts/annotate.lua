-- Adds a reason to a version that the audit has. KEYS[4] is the stream of annotations: the audit itself holds nothing
-- but versions, since the lineage of a version is read from it (read.lua).
-- Answers { 'late' } past the deadline, { 'unknown' } when the audit has no such version, else { 'annotated', at }.

local annotations = KEYS[4]
local deadline, write = tonumber(ARGV[1]), ARGV[2]
local version, by, reason, via, requestId = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
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
    if found.write == write then return { 'annotated', found.at } end
  end
end
local ms = serverMs()
if not (deadline and ms < deadline) then return { 'late' } end

local isKnown = false
if kindOf(audit) == 'stream' then
  local back = currentState().version - tonumber(version) + recentWrites
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
redis.call('XADD', annotations, 'MAXLEN', '~', auditLength, '*', 'annotates', version, 'at', at, 'by', by,
  'reason', reason, 'via', via, 'request_id', requestId, 'write', write)
return { 'annotated', at }
