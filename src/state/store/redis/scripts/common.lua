-- Put in front of every script that touches a cutover (scripts.ts), after `local rules = …`, the rule book of
-- state/rules/model.ts as JSON. KEYS are always: 1 the visible hash, 2 the last accepted state, 3 the audit stream.
-- ARGV[1] is always one JSON object (redis/calls.ts); its `starts` are where the cohorts begin that the state does not know,
-- in thousandths, by name. A state is what CutoverState of model.ts is, in both directions.

local args = cjson.decode(ARGV[1])
local starts = type(args) == 'table' and args.starts or {}
local visible, accepted, audit = KEYS[1], KEYS[2], KEYS[3]
local routing = { 'percent', 'state', 'pin_epoch', 'maintenance' }
local fields = { 'percent', 'state', 'pin_epoch', 'version', 'updated_at', 'updated_by', 'reason', 'maintenance' }
-- The percents of the cohorts stand in one more field there, as cohortsText writes them, and for people in one field each.
local acceptedFields = { unpack(fields) }
acceptedFields[#fields + 1] = 'cohorts'
local cohortField = 'percent:'
local auditLength = 10000

local function serverMs()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whether a change comes after its caller has given up on it (redis/calls.ts). Without a deadline it always does.
local function isLate(deadline, ms)
  return not (type(deadline) == 'number' and ms < deadline)
end

-- Lua prints large numbers as 1e+15.
local function integer(number)
  return string.format('%.0f', number)
end

-- RFC 3339 in UTC with milliseconds. The date is Howard Hinnant's civil_from_days.
local function rfc3339(ms)
  local seconds = math.floor(ms / 1000)
  local z = math.floor(seconds / 86400) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor(
    (doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local day = doy - math.floor((153 * mp + 2) / 5) + 1
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  local rest = seconds % 86400
  return string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day,
    math.floor(rest / 3600), math.floor(rest / 60) % 60, rest % 60, ms % 1000)
end

-- Percent is an integer of thousandths here and decimal text in the store.
local function percentText(thousandths)
  local text = string.format('%d.%03d', math.floor(thousandths / 1000), thousandths % 1000)
  return (text:gsub('%.?0+$', '', 1))
end

local function thousandthsOf(text)
  local whole, fraction = text:match('^(%d+)%.?(%d*)$')
  return tonumber(whole) * 1000 + tonumber((fraction .. '000'):sub(1, 3))
end

local function isPercent(text)
  return type(text) == 'string' and text:match('^%d+%.?%d*$') ~= nil
end

local function namesIn(cohorts)
  local names = {}
  for name in pairs(cohorts) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- `jakarta=40 staff=12.5` in the order of the names (parseCohorts of state/rules/percent.ts).
local function cohortsText(cohorts)
  local parts = {}
  for i, name in ipairs(namesIn(cohorts or {})) do parts[i] = name .. '=' .. percentText(cohorts[name]) end
  return table.concat(parts, ' ')
end

local function cohortsFrom(text)
  local found
  for name, percent in (text or ''):gmatch('([^%s=]+)=(%S+)') do
    if isPercent(percent) then
      found = found or {}
      found[name] = thousandthsOf(percent)
    end
  end
  return found
end

-- withStarts of state/rules/percent.ts: of the cohorts alone; nil where there are none.
local function filledCohorts(state)
  local found
  for name, start in pairs(starts) do
    found = found or {}
    found[name] = state.state == 'rolled_back' and 0 or start
  end
  for name, percent in pairs(state.cohorts or {}) do
    found = found or {}
    found[name] = percent
  end
  return found
end

local function zeroed(cohorts)
  local found
  for name in pairs(cohorts or {}) do
    found = found or {}
    found[name] = 0
  end
  return found
end

local function kindOf(key)
  return redis.call('TYPE', key).ok
end

-- The values of a hash by name, false for each that is missing, and what kind of key stands there.
local function read(key, names)
  local kind = kindOf(key)
  if kind == 'hash' then return redis.call('HMGET', key, unpack(names)), kind end
  local values = {}
  for i = 1, #names do values[i] = false end
  return values, kind
end

-- Names a content without telling it.
local function digest(kind, values)
  local parts = { kind }
  for i = 1, #values do
    local value = values[i]
    parts[#parts + 1] = value and ('+' .. #value .. ':' .. value) or '-'
  end
  return redis.sha1hex(table.concat(parts, ','))
end

-- The last accepted state as it is written down, and the kind of its key.
local function readAccepted()
  local values, kind = read(accepted, acceptedFields)
  if kind == 'hash' then values[#acceptedFields] = values[#acceptedFields] or '' end
  return values, kind
end

local function acceptedDigest()
  local values, kind = readAccepted()
  return digest(kind, values)
end

-- The routing fields that people see, those of the cohorts behind the others: their names and values, and the key's kind.
local function readVisible(acceptedCohorts)
  local names = { unpack(routing) }
  local known = {}
  for name in pairs(starts) do known[name] = 0 end
  for name in pairs(cohortsFrom(acceptedCohorts) or {}) do known[name] = 0 end
  for _, name in ipairs(namesIn(known)) do names[#names + 1] = cohortField .. name end
  local values, kind = read(visible, names)
  return names, values, kind
end

-- Whether either hash is no longer what the caller judged.
local function hasMoved(seen)
  local base, baseKind = readAccepted()
  local _, shown, shownKind = readVisible(base[#acceptedFields])
  return digest(shownKind, shown) ~= seen.visible or digest(baseKind, base) ~= seen.accepted
end

-- What an older program rolled back has its cohorts at 0, whatever it left there.
local function stateFrom(values)
  local cohorts = cohortsFrom(values[#acceptedFields])
  return {
    percentThousandths = thousandthsOf(values[1]), state = values[2], pinEpoch = tonumber(values[3]),
    version = tonumber(values[4]), updatedAt = values[5], updatedBy = values[6], reason = values[7],
    maintenance = values[8] or '', cohorts = values[2] == 'rolled_back' and zeroed(cohorts) or cohorts,
  }
end

local function currentState()
  local values, kind = readAccepted()
  if kind == 'none' then
    return {
      percentThousandths = 0, state = 'open', pinEpoch = 0, version = 0, updatedAt = '', updatedBy = '', reason = '',
      maintenance = '',
    }
  end
  return stateFrom(values)
end

-- In the order of `acceptedFields`.
local function valuesOf(state)
  return {
    percentText(state.percentThousandths), state.state, integer(state.pinEpoch), integer(state.version),
    state.updatedAt, state.updatedBy, state.reason, state.maintenance or '', cohortsText(state.cohorts),
  }
end

local function makeHash(key)
  local kind = kindOf(key)
  if kind ~= 'none' and kind ~= 'hash' then redis.call('DEL', key) end
end

-- What people see, but for the fields that are kept as they stand.
local function writeVisible(state, kept)
  makeHash(visible)
  local values, pairs_ = valuesOf(state), {}
  local function put(name, value)
    if kept and kept[name] then return end
    pairs_[#pairs_ + 1] = name
    pairs_[#pairs_ + 1] = value
  end
  for i, name in ipairs(fields) do put(name, values[i]) end
  for name, percent in pairs(state.cohorts or {}) do put(cohortField .. name, percentText(percent)) end
  redis.call('HSET', visible, unpack(pairs_))
end

local function writeAccepted(state)
  makeHash(accepted)
  local values, pairs_ = valuesOf(state), {}
  for i, name in ipairs(acceptedFields) do
    if values[i] ~= '' or i <= #fields then
      pairs_[#pairs_ + 1] = name
      pairs_[#pairs_ + 1] = values[i]
    end
  end
  redis.call('HSET', accepted, unpack(pairs_))
end

local function wholeOf(text)
  return text and text:match('^%d+$') and #text < 16 and tonumber(text) or 0
end

-- The lease under the key (state/rules/leases/lease.ts); one that nobody holds where there is none, or none that reads.
local function leaseOf(key)
  local values = read(key, { 'token', 'holder', 'ttl_ms', 'ends_at_ms' })
  return {
    token = wholeOf(values[1]), holder = values[2] or '', ttlMs = wholeOf(values[3]), endsAtMs = wholeOf(values[4]),
  }
end

local function isInForce(lease, ms)
  return lease.holder ~= '' and ms < lease.endsAtMs
end

local function isFenced(lease, token, ms)
  return lease.token ~= token or not isInForce(lease, ms)
end

-- What the channel says of a change (replies.ts): the cutover, five fields of what it was made from, the state; and both
-- their cohorts, where there are any.
local function announcementOf(name, from, to)
  local told = { name, percentText(from.percentThousandths), from.state, integer(from.pinEpoch), integer(from.version),
    from.updatedAt }
  local values = valuesOf(to)
  for i = 1, #fields do told[#told + 1] = values[i] end
  local before, after = cohortsText(from.cohorts), values[#acceptedFields]
  if before ~= '' or after ~= '' then
    told[#told + 1] = before
    told[#told + 1] = after
  end
  return cjson.encode(told)
end

-- Writes what was decided, the audit first: should that fail, nothing was changed.
local function commit(from, to, action, origin, write, channel, name, kept)
  local kind = kindOf(audit)
  if kind ~= 'none' and kind ~= 'stream' then redis.call('DEL', audit) end
  local before, after, cohorts = cohortsText(filledCohorts(from)), cohortsText(to.cohorts), {}
  if before ~= '' or after ~= '' then cohorts = { 'from_cohorts', before, 'to_cohorts', after } end
  redis.call('XADD', audit, 'MAXLEN', '~', auditLength, '*',
    'version', integer(to.version), 'at', to.updatedAt, 'by', to.updatedBy, 'action', action,
    'from_percent', percentText(from.percentThousandths), 'from_state', from.state, 'from_at', from.updatedAt,
    'to_percent', percentText(to.percentThousandths), 'to_state', to.state, 'to_pin_epoch', integer(to.pinEpoch),
    'to_maintenance', to.maintenance or '', 'reason', to.reason, 'via', origin.via or '',
    'request_id', origin.requestId or '', 'write', write, unpack(cohorts))
  writeVisible(to, kept)
  writeAccepted(to)
  redis.call('HSET', accepted, 'write', write)
  redis.call('PUBLISH', channel, announcementOf(name, from, to))
end
