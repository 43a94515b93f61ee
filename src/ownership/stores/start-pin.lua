-- What a start makes of the pin under KEYS[1]: the rule of decide/pin.ts.
-- { side, epoch, startedAt, id: those of the offer; maxTtl: the journey's maximum }, times in seconds. Returns the pin
-- there is now.
local args = cjson.decode(ARGV[1])
local pin = redis.pcall('GET', KEYS[1])
local side, epoch, start, id
if type(pin) == 'string' then
  side, epoch, start, id = string.match(pin, '^(%a+)%.(%d+)%.(%d+)%.([%w_-]+)$')
end
if id and (#id ~= 12 or #epoch > 15 or #start > 15) then
  side = nil
end
local goesOn = args.id
local isValid = side == 'legacy' or (side == 'new' and tonumber(epoch) >= args.epoch)
if isValid and id ~= args.id then
  local left = tonumber(start) + args.maxTtl - args.startedAt
  if side == args.side then
    goesOn = id
  elseif left > 0 then
    redis.call('EXPIRE', KEYS[1], string.format('%.0f', left))
    return pin
  end
end
local value = string.format('%s.%.0f.%.0f.%s', args.side, args.epoch, args.startedAt, goesOn)
redis.call('SET', KEYS[1], value, 'EX', string.format('%.0f', args.maxTtl))
return value
