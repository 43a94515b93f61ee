-- What a start makes of the pin under KEYS[1]: the rule of decide/stored-pin.ts.
-- ARGV: side, epoch, start and id of the offer; the journey's maximum in seconds. Returns the pin there is now.
local offer = { ARGV[1], ARGV[2], ARGV[3], ARGV[4] }
local held = redis.pcall('GET', KEYS[1])
local side, epoch, start, id
if type(held) == 'string' then
  side, epoch, start, id = string.match(held, '^(%a+)%.(%d+)%.(%d+)%.([%w_-]+)$')
end
if id and (#id ~= 12 or #epoch > 15 or #start > 15) then
  side = nil
end
local holds = side == 'legacy' or (side == 'new' and tonumber(epoch) >= tonumber(ARGV[2]))
if holds and id ~= ARGV[4] then
  local left = tonumber(start) + tonumber(ARGV[5]) - tonumber(ARGV[3])
  if side == ARGV[1] then
    offer[4] = id
  elseif left > 0 then
    redis.call('EXPIRE', KEYS[1], left)
    return held
  end
end
local value = table.concat(offer, '.')
redis.call('SET', KEYS[1], value, 'EX', ARGV[5])
return value
