-- What stands in the store for one cutover, seen at one moment, and the server's time at that moment.
-- Answers { ms, kind of the visible key, 1 if any of its fields is there, digest, digest of the accepted state,
-- kind of its key, { percent, state, pin_epoch }, { the fields of the accepted state } }.

-- Longer than any valid value: what is cut can only be invalid, and stays so.
local longest = 64

local shown, shownKind = read(visible, fields)
local base, baseKind = read(accepted, fields)
local present = 0
local raw = {}
for i = 1, #fields do
  if shown[i] then present = 1 end
end
for i = 1, #routing do
  raw[i] = shown[i]
end
local seen = digest(shownKind, raw)
for i = 1, #routing do
  raw[i] = raw[i] and raw[i]:sub(1, longest)
end
return { integer(serverMs()), shownKind, present, seen, digest(baseKind, base), baseKind, raw, base }
