-- Carries out what was judged of a cutover (`judgeHandEdit` of state/rules/hand-edit.ts), as long as the digests are still
-- those of what was judged: the first of all instances that see it makes it. Answers 'done' or 'moved'.
--
-- { seen: { visible, accepted }, adopt: { routing: { percentThousandths, cohorts, state, pinEpoch }, rejected: [field…], write,
-- channel, name } } makes what was written by hand the accepted state: one version and one audit entry. The fields that
-- were rejected are left as they stand, for every instance to see, until the next change through the API.
--
-- { seen, restore: { state, show } } gives back an accepted state the store has lost, and the visible hash, too, where it
-- is to be shown. Without a state, an accepted one that does not read is removed. No change is made by it, so there is no
-- version and no audit entry.

local adopt, restore = args.adopt, args.restore

if hasMoved(args.seen) then return 'moved' end

if adopt then
  local kept = {}
  for _, field in ipairs(adopt.rejected) do kept[field] = true end
  local current, found = currentState(), adopt.routing
  commit(current, {
    percentThousandths = found.percentThousandths, cohorts = found.cohorts, state = found.state, pinEpoch = found.pinEpoch,
    version = current.version + 1, updatedAt = rfc3339(serverMs()), updatedBy = 'by hand',
    reason = 'changed by hand in the store', maintenance = found.maintenance,
  }, 'out_of_band', { via = 'by hand' }, adopt.write, adopt.channel, adopt.name, kept)
  return 'done'
end

local state = restore.state
if not state then
  redis.call('DEL', accepted)
  return 'done'
end
if acceptedDigest() ~= digest('hash', valuesOf(state)) then
  redis.call('DEL', accepted)
  writeAccepted(state)
end
if restore.show then writeVisible(state) end
return 'done'
