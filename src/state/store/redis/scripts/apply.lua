-- One change, judged and written in one step: `transition` of state/rules/model.ts over the last accepted state.
-- { seen: { visible, accepted }, deadline, write: the change's own id, again: whether it may have been sent before,
-- channel, command: as Command of state/store/port.ts }. KEYS[4] is the open proposal, KEYS[5] the lease of a fence.
-- Answers { 'late' } past the deadline, { 'moved' } when the store is not what the caller read,
-- { 'refused', code, state… } or { 'accepted', '1' if changed, state… }.

local command, change, proposal = args.command, args.command.change, KEYS[4]
local actor, ceiling, fourEyes = command.actor, change.ceiling, command.fourEyes
local fence, recentWrites = command.fence, 64

local function answer(kind, detail, state)
  return { kind, detail, unpack(valuesOf(state)) }
end

local function fieldsOf(entry)
  local found = {}
  for i = 1, #entry[2], 2 do found[entry[2][i]] = entry[2][i + 1] end
  return found
end

-- The caller sent this write before and did not hear the answer: it may be among the last ones.
local function landed()
  if kindOf(audit) ~= 'stream' then return nil end
  for _, entry in ipairs(redis.call('XREVRANGE', audit, '+', '-', 'COUNT', recentWrites)) do
    local found = fieldsOf(entry)
    if found.write == args.write then
      return stateFrom({ found.to_percent, found.to_state, found.to_pin_epoch, found.version, found.at,
        found.by, found.reason, found.to_maintenance, found.to_cohorts })
    end
  end
  return nil
end

local function rankOf(wanted)
  for rank, known in ipairs(rules.roles) do
    if known == wanted then return rank end
  end
  return 0
end

-- The cutover's own percent, or that of the cohort whose is to be set.
local function standing(current)
  if not change.cohort then return current.percentThousandths end
  return current.filled and current.filled[change.cohort] or 0
end

local function moveOf(current)
  if change.action ~= 'set' then return change.action end
  local stands = standing(current)
  if change.percentThousandths == stands then return 'keep' end
  return change.percentThousandths > stands and 'raise' or 'lower'
end

-- The open proposal of another person for just this raise or close.
local function approvedBy(current, move)
  local asked = fourEyes and fourEyes.proposalId
  if (move ~= 'raise' and move ~= 'close') or not asked or kindOf(proposal) ~= 'string' then return nil end
  local reads, found = pcall(cjson.decode, redis.call('GET', proposal))
  if not reads or type(found) ~= 'table' or type(found.by) ~= 'string' or found.by == actor.name then return nil end
  local to = move == 'close' and current.percentThousandths or change.percentThousandths
  local fits = found.id == asked and found.percentThousandths == to and found.version == current.version
    and found.cohort == change.cohort and (found.action == 'close') == (move == 'close') and found.action ~= 'plan'
    and found.action ~= 'schedule'
  return fits and found or nil
end

-- How far the entry raised what is to be set; 0 where it does not say.
local function raisedIn(entry)
  local from, to = entry.from_percent, entry.to_percent
  if change.cohort then
    local before, after = cohortsFrom(entry.from_cohorts), cohortsFrom(entry.to_cohorts)
    from, to = before and before[change.cohort], after and after[change.cohort]
    return from and to and math.max(0, to - from) or 0
  end
  return isPercent(from) and isPercent(to) and math.max(0, thousandthsOf(to) - thousandthsOf(from)) or 0
end

-- raisedThousandthsBy of state/rules/approval.ts: entries of the stream are named by the server's time.
local function raisedAlone(ms)
  if not fourEyes.windowMs or kindOf(audit) ~= 'stream' then return 0 end
  local sum, since = 0, math.max(0, ms - fourEyes.windowMs)
  for _, entry in ipairs(redis.call('XREVRANGE', audit, '+', integer(since))) do
    local found = fieldsOf(entry)
    if found.by == actor.name and found.action == 'set' and found.via ~= 'plan' then sum = sum + raisedIn(found) end
  end
  return sum
end

local function isComplete(current)
  for name in pairs(starts) do
    if current.filled[name] ~= rules.maxThousandths then return false end
  end
  return current.percentThousandths == rules.maxThousandths
end

local function refusalOf(current, move, approved, ms)
  if rankOf(actor.role) < rankOf(rules.minimumRole[move]) then return 'forbidden' end
  if command.ifVersion and command.ifVersion ~= current.version then return 'version_conflict' end
  local refused = rules.refused[current.state][move]
  if refused then return refused end
  if move == 'close' and current.state == 'open' and not isComplete(current) then return 'not_complete' end
  if not fourEyes or approved then return nil end
  if move == 'close' and current.state ~= 'closed' then return 'approval_required' end
  if move ~= 'raise' then return nil end
  local points = change.percentThousandths - standing(current) + raisedAlone(ms)
  return points > fourEyes.overThousandths and 'approval_required' or nil
end

-- The lower percent of each; what only one of them has is as that has it.
local function lowerCohorts(current)
  local found = {}
  for name, percent in pairs(ceiling.cohorts or {}) do found[name] = percent end
  for name, percent in pairs(current.filled or {}) do found[name] = math.min(percent, found[name] or percent) end
  return next(found) and found or nil
end

local function withCohort(cohorts, name, percent)
  local found = {}
  for each, stands in pairs(cohorts or {}) do found[each] = stands end
  found[name] = percent
  return found
end

local targets = {
  set = function(current)
    local cohorts = current.filled
    if change.cohort then
      return current.percentThousandths, current.state, current.pinEpoch,
        withCohort(cohorts, change.cohort, change.percentThousandths)
    end
    return change.percentThousandths, current.state, current.pinEpoch, cohorts
  end,
  rollback = function(current) return 0, 'rolled_back', current.pinEpoch, zeroed(current.filled) end,
  rollback_hard = function(current) return 0, 'rolled_back', current.pinEpoch + 1, zeroed(current.filled) end,
  hold = function(current) return current.percentThousandths, 'held', current.pinEpoch, current.filled end,
  resume = function(current) return current.percentThousandths, 'open', current.pinEpoch, current.filled end,
  close = function(current) return current.percentThousandths, 'closed', current.pinEpoch, current.filled end,
  maintain = function(current) return current.percentThousandths, current.state, current.pinEpoch, current.filled end,
  reconciled = function(current)
    if current.state == 'closed' then
      return current.percentThousandths, current.state, current.pinEpoch, current.filled
    end
    local epoch, cohorts = math.max(current.pinEpoch, ceiling.pinEpoch), lowerCohorts(current)
    if current.state == 'rolled_back' or ceiling.state == 'rolled_back' then
      return 0, 'rolled_back', epoch, zeroed(cohorts)
    end
    return math.min(current.percentThousandths, ceiling.percentThousandths), 'held', epoch, cohorts
  end,
}

-- withMaintenance of state/rules/sides/maintenance.ts.
local function maintained(current)
  if change.action ~= 'maintain' then return current.maintenance end
  local parts = {}
  for _, side in ipairs({ 'legacy', 'new' }) do
    local moment = (' ' .. current.maintenance):match(' ' .. side .. ' (%S+)')
    if side == change.side then moment = type(change['until']) == 'string' and change['until'] or nil end
    if moment then parts[#parts + 1] = side .. ' ' .. moment end
  end
  return table.concat(parts, ' ')
end

local function isWhole(number, most)
  return type(number) == 'number' and number >= 0 and number <= most and number % 1 == 0
end

if not targets[change.action] then return redis.error_reply('ERR unknown action') end
if change.action == 'set' and not isWhole(change.percentThousandths, rules.maxThousandths) then
  return redis.error_reply('ERR percent is not an integer of thousandths')
end
if change.action == 'maintain' and change.side ~= 'legacy' and change.side ~= 'new' then
  return redis.error_reply('ERR not a side')
end
if change.action == 'reconciled' then
  local isCeiling = type(ceiling) == 'table' and isWhole(ceiling.percentThousandths, rules.maxThousandths)
    and (ceiling.state == 'held' or ceiling.state == 'rolled_back') and isWhole(ceiling.pinEpoch, 2 ^ 53)
  for _, percent in pairs(isCeiling and ceiling.cohorts or {}) do
    isCeiling = isCeiling and isWhole(percent, rules.maxThousandths)
  end
  if not isCeiling then return redis.error_reply('ERR not a ceiling') end
end

if args.again then
  local state = landed()
  if state then return answer('accepted', '1', state) end
end
local ms = serverMs()
if isLate(args.deadline, ms) then return { 'late' } end
if hasMoved(args.seen) then return { 'moved' } end

local current = currentState()
current.filled = filledCohorts(current)
if fence and isFenced(leaseOf(KEYS[5]), fence.token, ms) then return answer('refused', 'fenced', current) end
local approved = approvedBy(current, moveOf(current))
local refusal = refusalOf(current, moveOf(current), approved, ms)
if refusal then return answer('refused', refusal, current) end

local toPercent, toState, toPinEpoch, toCohorts = targets[change.action](current)
local toMaintenance = maintained(current)
local isRouted = toPercent == current.percentThousandths and toState == current.state
  and toPinEpoch == current.pinEpoch and cohortsText(toCohorts) == cohortsText(current.filled)
if isRouted and toMaintenance == current.maintenance then
  -- Nothing to change, but nonsense written by hand is repaired.
  if current.version > 0 then writeVisible(current) end
  return answer('accepted', '0', current)
end
local target = {
  percentThousandths = toPercent, state = toState, pinEpoch = toPinEpoch, version = current.version + 1,
  updatedAt = rfc3339(ms), updatedBy = approved and (approved.by .. ', approved by ' .. actor.name) or actor.name,
  reason = command.reason, maintenance = toMaintenance, cohorts = toCohorts,
}
commit(current, target, change.action, command.origin or {}, args.write, args.channel, command.name)
if approved then redis.call('DEL', proposal) end
return answer('accepted', '1', target)
