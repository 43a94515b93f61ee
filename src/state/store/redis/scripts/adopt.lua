-- Makes what was written by hand the accepted state: one version and one audit entry for all instances that see
-- it, since the digests of what was judged admit only the first. The fields named in ARGV[9] were rejected and
-- are left as they stand, for every instance to see, until the next change through the API.
-- Answers 'adopted' or 'moved'.

local seenVisible, seenAccepted, percent, state, pinEpoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local write, channel, name, rejected = ARGV[6], ARGV[7], ARGV[8], ARGV[9]

if hasMoved(seenVisible, seenAccepted) then return 'moved' end

local kept = {}
for field in rejected:gmatch('[^,]+') do kept[field] = true end
local current = currentState()
commit(current, {
  percent = tonumber(percent), state = state, pinEpoch = tonumber(pinEpoch), version = current.version + 1,
  updatedAt = rfc3339(serverMs()), updatedBy = 'by hand', reason = 'changed by hand in the store',
}, 'out_of_band', { via = 'by hand', requestId = '' }, write, channel, name, kept)
return 'adopted'
