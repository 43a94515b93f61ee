-- Makes what was written by hand the accepted state: one version and one audit entry for all instances that see it, since
-- the digests of what was judged admit only the first. The fields that were rejected are left as they stand, for every
-- instance to see, until the next change through the API.
-- { seen: { visible, accepted }, routing: { percentThousandths, state, pinEpoch }, rejected: [field…], write, channel,
-- name }. Answers 'adopted' or 'moved'.

local args = cjson.decode(ARGV[1])

if hasMoved(args.seen) then return 'moved' end

local kept = {}
for _, field in ipairs(args.rejected) do kept[field] = true end
local current, found = currentState(), args.routing
commit(current, {
  percentThousandths = found.percentThousandths, state = found.state, pinEpoch = found.pinEpoch,
  version = current.version + 1, updatedAt = rfc3339(serverMs()), updatedBy = 'by hand',
  reason = 'changed by hand in the store',
}, 'out_of_band', { via = 'by hand' }, args.write, args.channel, args.name, kept)
return 'adopted'
