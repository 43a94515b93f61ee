-- Put in front of every script that touches a cutover (scripts.ts), after `local rules = …`, the rule book of
-- state/rules/model.ts as JSON. KEYS are always: 1 the visible hash, 2 the last accepted state, 3 the audit stream.
-- ARGV[1] is always one JSON object (redis/calls.ts). A state is what CutoverState of model.ts is, in both directions.

local visible, accepted, audit = KEYS[1], KEYS[2], KEYS[3]
local routing = { 'percent', 'state', 'pin_epoch', 'maintenance' }
local fields = { 'percent', 'state', 'pin_epoch', 'version', 'updated_at', 'updated_by', 'reason', 'maintenance' }
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

local function digestOf(key, names)
  local values, kind = read(key, names)
  return digest(kind, values)
end

-- Whether either hash is no longer what the caller judged.
local function hasMoved(seen)
  return digestOf(visible, routing) ~= seen.visible or digestOf(accepted, fields) ~= seen.accepted
end

local function stateFrom(values)
  return {
    percentThousandths = thousandthsOf(values[1]), state = values[2], pinEpoch = tonumber(values[3]),
    version = tonumber(values[4]), updatedAt = values[5], updatedBy = values[6], reason = values[7],
    maintenance = values[8] or '',
  }
end

local function currentState()
  local values, kind = read(accepted, fields)
  if kind == 'none' then
    return {
      percentThousandths = 0, state = 'open', pinEpoch = 0, version = 0, updatedAt = '', updatedBy = '', reason = '',
      maintenance = '',
    }
  end
  return stateFrom(values)
end

-- In the order of `fields`.
local function valuesOf(state)
  return {
    percentText(state.percentThousandths), state.state, integer(state.pinEpoch), integer(state.version),
    state.updatedAt, state.updatedBy, state.reason, state.maintenance or '',
  }
end

local function writeHash(key, state, kept)
  local kind = kindOf(key)
  if kind ~= 'none' and kind ~= 'hash' then redis.call('DEL', key) end
  local values, pairs_ = valuesOf(state), {}
  for i, name in ipairs(fields) do
    if not (kept and kept[name]) then
      pairs_[#pairs_ + 1] = name
      pairs_[#pairs_ + 1] = values[i]
    end
  end
  redis.call('HSET', key, unpack(pairs_))
end

local function wholeOf(text)
  return text and text:match('^%d+$') and #text < 16 and tonumber(text) or 0
end

-- The lease under the key (state/rules/lease.ts); one that nobody holds where there is none, or none that reads.
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

-- What the channel says of a change (replies.ts): the cutover, five fields of what it was made from, the state.
local function announcementOf(name, from, to)
  local told = { name, percentText(from.percentThousandths), from.state, integer(from.pinEpoch), integer(from.version),
    from.updatedAt }
  for _, value in ipairs(valuesOf(to)) do told[#told + 1] = value end
  return cjson.encode(told)
end

-- Writes what was decided, the audit first: should that fail, nothing was changed.
local function commit(from, to, action, origin, write, channel, name, kept)
  local kind = kindOf(audit)
  if kind ~= 'none' and kind ~= 'stream' then redis.call('DEL', audit) end
  redis.call('XADD', audit, 'MAXLEN', '~', auditLength, '*',
    'version', integer(to.version), 'at', to.updatedAt, 'by', to.updatedBy, 'action', action,
    'from_percent', percentText(from.percentThousandths), 'from_state', from.state, 'from_at', from.updatedAt,
    'to_percent', percentText(to.percentThousandths), 'to_state', to.state, 'to_pin_epoch', integer(to.pinEpoch),
    'to_maintenance', to.maintenance or '', 'reason', to.reason, 'via', origin.via or '', 'request_id', origin.requestId or '', 'write', write)
  writeHash(visible, to, kept)
  writeHash(accepted, to)
  redis.call('HSET', accepted, 'write', write)
  redis.call('PUBLISH', channel, announcementOf(name, from, to))
end
