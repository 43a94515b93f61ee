-- One change, judged and written in one step: `transition` of state/rules/model.ts over the last accepted state.
-- Answers { 'late' } past the deadline, { 'moved' } when the store is not what the caller read,
-- { 'refused', code, state… } or { 'accepted', '1' if changed, state… }.

local seenVisible, seenAccepted, deadline, write, again = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local action, percent, actor, role, reason = ARGV[6], tonumber(ARGV[7]), ARGV[8], ARGV[9], ARGV[10]
local ifVersion, channel, name = tonumber(ARGV[11]), ARGV[12], ARGV[13]
-- Of a ceiling, whose percent is `percent` (`lowered` of state/rules/model.ts).
local latch, ceilingEpoch = ARGV[14], tonumber(ARGV[15])
-- Four eyes: how far one person may raise alone, and which open proposal (KEYS[4]) is being approved.
local proposal, over, proposalId = KEYS[4], tonumber(ARGV[16]), ARGV[17] or ''
local origin = { via = ARGV[18] or '', requestId = ARGV[19] or '' }
local recentWrites = 64

local function answer(kind, detail, state)
  return { kind, detail, unpack(valuesOf(state)) }
end

-- The caller sent this write before and did not hear the answer: it may be among the last ones.
local function landed()
  if kindOf(audit) ~= 'stream' then return nil end
  for _, entry in ipairs(redis.call('XREVRANGE', audit, '+', '-', 'COUNT', recentWrites)) do
    local found = {}
    for i = 1, #entry[2], 2 do found[entry[2][i]] = entry[2][i + 1] end
    if found.write == write then
      return stateFrom({ found.to_percent, found.to_state, found.to_pin_epoch, found.version, found.at,
        found.by, found.reason })
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

local function moveOf(current)
  if action ~= 'set' then return action end
  if percent == current.percent then return 'keep' end
  return percent > current.percent and 'raise' or 'lower'
end

-- The open proposal of another person for just this raise.
local function approvedBy(current, move)
  if move ~= 'raise' or proposalId == '' or kindOf(proposal) ~= 'string' then return nil end
  local reads, found = pcall(cjson.decode, redis.call('GET', proposal))
  if not reads or type(found) ~= 'table' or type(found.by) ~= 'string' or found.by == actor then return nil end
  local fits = found.id == proposalId and found.percentThousandths == percent and found.version == current.version
  return fits and found or nil
end

local function refusalOf(current, move, approved)
  if rankOf(role) < rankOf(rules.minimumRole[move]) then return 'forbidden' end
  if ifVersion and ifVersion ~= current.version then return 'version_conflict' end
  local refused = rules.refused[current.state][move]
  if refused then return refused end
  if move == 'close' and current.state == 'open' and current.percent ~= rules.maxThousandths then
    return 'not_complete'
  end
  if over and move == 'raise' and percent - current.percent > over and not approved then
    return 'approval_required'
  end
  return nil
end

local targets = {
  set = function(current) return percent, current.state, current.pinEpoch end,
  rollback = function(current) return 0, 'rolled_back', current.pinEpoch end,
  rollback_hard = function(current) return 0, 'rolled_back', current.pinEpoch + 1 end,
  hold = function(current) return current.percent, 'held', current.pinEpoch end,
  resume = function(current) return current.percent, 'open', current.pinEpoch end,
  close = function(current) return current.percent, 'closed', current.pinEpoch end,
  reconciled = function(current)
    if current.state == 'closed' then return current.percent, current.state, current.pinEpoch end
    local epoch = math.max(current.pinEpoch, ceilingEpoch)
    if current.state == 'rolled_back' or latch == 'rolled_back' then return 0, 'rolled_back', epoch end
    return math.min(current.percent, percent), 'held', epoch
  end,
}

if not targets[action] then return redis.error_reply('ERR unknown action') end
local takesPercent = action == 'set' or action == 'reconciled'
if takesPercent and not (percent and percent >= 0 and percent <= rules.maxThousandths and percent % 1 == 0) then
  return redis.error_reply('ERR percent is not an integer of thousandths')
end
if action == 'reconciled' and not ((latch == 'held' or latch == 'rolled_back') and ceilingEpoch) then
  return redis.error_reply('ERR not a ceiling')
end

if again == '1' then
  local state = landed()
  if state then return answer('accepted', '1', state) end
end
local ms = serverMs()
if not (deadline and ms < deadline) then return { 'late' } end
if hasMoved(seenVisible, seenAccepted) then return { 'moved' } end

local current = currentState()
local approved = approvedBy(current, moveOf(current))
local refusal = refusalOf(current, moveOf(current), approved)
if refusal then return answer('refused', refusal, current) end

local toPercent, toState, toPinEpoch = targets[action](current)
if toPercent == current.percent and toState == current.state and toPinEpoch == current.pinEpoch then
  -- Nothing to change, but nonsense written by hand is repaired.
  if current.version > 0 then writeHash(visible, current) end
  return answer('accepted', '0', current)
end
local target = {
  percent = toPercent, state = toState, pinEpoch = toPinEpoch, version = current.version + 1,
  updatedAt = rfc3339(ms), updatedBy = approved and (approved.by .. ', approved by ' .. actor) or actor,
  reason = reason,
}
commit(current, target, action, origin, write, channel, name)
if approved then redis.call('DEL', proposal) end
return answer('accepted', '1', target)
