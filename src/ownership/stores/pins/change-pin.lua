-- What becomes of the pin under KEYS[1]: the rules of decide/pin.ts.
-- { change: start, reserve, keep, release or end; side, epoch, startedAt, id: those of the offer (keep: of the pin that its
--   cookie tells; release and end: the id alone); maxTtl: the journey's maximum; reserveTtl, ttl, grace; channel; over, message:
--   by what every instance is told of the id of a journey that is over, and of a pin; digest }, times in seconds. KEYS[2] of a start and a reserve is the sorted set of all pins by
-- their end; KEYS[2…] of an end that orders tell are what these are tied to. Returns the pin there is now; of an end the
-- pin there was.
local args = cjson.decode(ARGV[1])
local function whole(number)
  return string.format('%.0f', number)
end
local function tellOver(journey)
  redis.call('PUBLISH', args.channel, args.over .. journey)
end
local pin = redis.pcall('GET', KEYS[1])
local side, epoch, start, id, rest
if type(pin) == 'string' then
  side, epoch, start, id, rest = string.match(pin, '^(%a+)%.(%d+)%.(%d+)%.([%w_-]+)(.*)$')
end
local reserved = rest and tonumber(string.match(rest, '^%.(%d+)$'))
local isSound = id and #id == 12 and #epoch <= 15 and #start <= 15 and (side == 'legacy' or side == 'new')
if not isSound or not (rest == '' or rest == '.ended' or reserved) then
  id, reserved, rest = nil, nil, nil
end

if args.change == 'release' then
  if reserved and id == args.id then
    if reserved > 1 then
      redis.call('SET', KEYS[1], string.format('%s.%s.%s.%s.%.0f', side, epoch, start, id, reserved - 1), 'KEEPTTL')
    else
      redis.call('DEL', KEYS[1])
    end
  end
  return false
end
if args.change == 'end' then
  local isTold = not args.by or args.id == id
  for i = 2, #KEYS do
    isTold = isTold or redis.pcall('GET', KEYS[i]) == id
  end
  if rest ~= '' or not isTold then
    return false
  end
  redis.call('SET', KEYS[1], pin .. '.ended', 'EX', whole(args.grace))
  tellOver(id)
  return pin
end

local value = string.format('%s.%.0f.%.0f.', args.side, args.epoch, args.startedAt)
if args.change == 'keep' then
  if rest == '' and id == args.id then
    redis.call('SET', KEYS[1], value .. id, 'EX', whole(args.ttl))
  end
  return false
end

-- Every instance hears of a pin before it is answered, and finds it in the set. What is told is good for half as long
-- again, so that the renewals of a journey need not be told one by one.
local function tell()
  local seconds = tonumber(redis.call('TIME')[1])
  if redis.call('TYPE', KEYS[2]).ok ~= 'zset' then
    redis.call('DEL', KEYS[2])
  end
  if tonumber(redis.call('ZSCORE', KEYS[2], args.digest) or 0) >= seconds + args.maxTtl then
    return
  end
  local life = args.maxTtl * 1.5
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(seconds))
  redis.call('ZADD', KEYS[2], whole(seconds + life), args.digest)
  redis.call('EXPIRE', KEYS[2], whole(life))
  redis.call('PUBLISH', args.channel, args.message)
end

local isVoid = side == 'new' and id and tonumber(epoch) < args.epoch
local isKept = rest == '' and not isVoid
local left = isKept and tonumber(start) + args.maxTtl - args.startedAt
if isVoid then
  tellOver(id)
end
if args.change == 'reserve' then
  if isKept and left > 0 then
    return pin
  end
  if not reserved or isVoid then
    value = value .. args.id .. '.1'
  elseif id == args.id then
    value = value .. args.id .. '.' .. whole(reserved)
  else
    value = string.format('%s.%s.%s.%s.%.0f', side, epoch, start, id, reserved + 1)
  end
  redis.call('SET', KEYS[1], value, 'EX', whole(args.reserveTtl))
  tell()
  return value
end
local goesOn = args.id
if isKept and id ~= args.id then
  if side == args.side then
    goesOn = id
  elseif left > 0 then
    redis.call('EXPIRE', KEYS[1], whole(left))
    return pin
  end
end
value = value .. goesOn
redis.call('SET', KEYS[1], value, 'EX', whole(args.maxTtl))
tell()
return value
