-- Gives back an accepted state the store has lost, or the visible hash alone. { seen: { visible, accepted }, show: whether
-- the visible hash is to show it too, state }; without a state, an accepted one that does not read is removed.
-- No change is made by it, so there is no version and no audit entry. Answers 'restored' or 'moved'.

local args = cjson.decode(ARGV[1])
local state = args.state

if hasMoved(args.seen) then return 'moved' end

if not state then
  redis.call('DEL', accepted)
  return 'restored'
end
if digestOf(accepted, fields) ~= digest('hash', valuesOf(state)) then
  redis.call('DEL', accepted)
  writeHash(accepted, state)
end
if args.show then writeHash(visible, state) end
return 'restored'
