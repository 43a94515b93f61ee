-- Gives back an accepted state the store has lost, or the visible hash alone. ARGV[3] is '1' when the visible hash
-- is to show it too, ARGV[4…10] the state's fields; without them an accepted state that does not read is removed.
-- No change is made by it, so there is no version and no audit entry. Answers 'restored' or 'moved'.

local seenVisible, seenAccepted, show = ARGV[1], ARGV[2], ARGV[3]

if hasMoved(seenVisible, seenAccepted) then return 'moved' end

if #ARGV < 10 then
  redis.call('DEL', accepted)
  return 'restored'
end
local state = stateFrom({ unpack(ARGV, 4, 10) })
if digestOf(accepted, fields) ~= digest('hash', valuesOf(state)) then
  redis.call('DEL', accepted)
  writeHash(accepted, state)
end
if show == '1' then writeHash(visible, state) end
return 'restored'
