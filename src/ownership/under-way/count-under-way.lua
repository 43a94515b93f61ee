-- Counts what is under way (ownership/under-way/port.ts) of one kind, cutover and epoch; what has expired goes.
-- KEYS: of legacy and of new: ids by expiry, ids by start. ARGV[1]: JSON, how many are `listed`.
-- Answers, of legacy and of new: how many have expired since anybody asked; then how many there are, and the oldest, each id with
-- its start. Only the first two while more has expired than is taken away at once, or when the two keys of a side differ in
-- their ids.
local now = redis.call('TIME')[1]
local listed = cjson.decode(ARGV[1]).listed
local rounds = 20
local answer = { 0, 0 }
for k = 1, 3, 2 do
  local byExpiry, byStart = KEYS[k], KEYS[k + 1]
  local gone
  repeat
    if rounds == 0 then return { answer[1], answer[2] } end
    rounds = rounds - 1
    gone = redis.call('ZRANGEBYSCORE', byExpiry, '-inf', now, 'LIMIT', 0, 1000)
    if #gone > 0 then
      redis.call('ZREM', byExpiry, unpack(gone))
      redis.call('ZREM', byStart, unpack(gone))
      local side = (k + 1) / 2
      answer[side] = answer[side] + #gone
    end
  until #gone < 1000
  local count = redis.call('ZCARD', byExpiry)
  if count ~= redis.call('ZCARD', byStart) then return { answer[1], answer[2] } end
  answer[k + 2] = count
  answer[k + 3] = redis.call('ZRANGE', byStart, 0, listed - 1, 'WITHSCORES')
end
return answer
