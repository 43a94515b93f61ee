-- What stands in the store for one cutover, seen at one moment, and the server's time at that moment.
-- { followed: the version the caller has followed, or nothing; starts }.
-- Answers { ms, kind of the visible key, 1 if any of its fields is there, digest, digest of the accepted state,
-- kind of its key, { the routing fields, each after its name }, { the fields of the accepted state }, the audit entry of the
-- followed version, the one after it }; both only where the accepted state is later, and as far as the audit reaches back.

-- Longer than any valid value: what is cut can only be invalid, and stays so.
local longest = 64

local base, baseKind = readAccepted()
local names, values, shownKind = readVisible(base[#acceptedFields])
local bookkeeping = read(visible, fields)
local present = 0
for _, values_ in ipairs({ values, bookkeeping }) do
  for _, value in ipairs(values_) do
    if value then present = 1 end
  end
end
local raw = {}
for i, name in ipairs(names) do
  if values[i] then
    raw[#raw + 1] = name
    raw[#raw + 1] = values[i]:sub(1, longest)
  end
end

local followed, current = args.followed, tonumber(base[4] or nil)
local own, nextOne = {}, {}
if followed and current and current > followed and kindOf(audit) == 'stream' then
  local count = math.min(current - followed + 8, 256)
  for _, entry in ipairs(redis.call('XREVRANGE', audit, '+', '-', 'COUNT', count)) do
    local version
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'version' then version = tonumber(entry[2][i + 1]) end
    end
    if version == followed + 1 then nextOne = entry[2] end
    if version == followed then
      own = entry[2]
      break
    end
  end
end
return { integer(serverMs()), shownKind, present, digest(shownKind, values), digest(baseKind, base), baseKind, raw, base,
  own, nextOne }
