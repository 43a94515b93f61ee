-- A part of the pins that there are: KEYS[1] is the sorted set of their digests by their end, KEYS[2] since when pins are
-- put there, KEYS[3] and KEYS[4] what a cutover has once it was changed. { from, upTo: places from the end of the set, so
-- that none slips past while others go at its beginning or are moved to its end }, times in seconds. A cutover that was
-- never changed has no pin that differs from its bucket. Returns since when, 0: ever, and the digests.
local args = cjson.decode(ARGV[1])
local since = tonumber(redis.pcall('GET', KEYS[2]))
if not since then
  local isFresh = redis.call('TYPE', KEYS[3]).ok == 'none' and redis.call('TYPE', KEYS[4]).ok == 'none'
  since = isFresh and 0 or tonumber(redis.call('TIME')[1])
  redis.call('SET', KEYS[2], string.format('%.0f', since))
end
if redis.call('TYPE', KEYS[1]).ok ~= 'zset' then
  return { since }
end
return { since, unpack(redis.call('ZRANGE', KEYS[1], string.format('%.0f', -1 - args.upTo), string.format('%.0f', -1 - args.from))) }
