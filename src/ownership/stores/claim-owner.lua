-- A client's claim of a key, unless there is one: KEYS[1] is the key's `owner`, KEYS[2] its `claim`
-- (ownership/stores/redis.ts). { side, ttlMs, channel, late: the side has had the request already, token: it is tentative
-- until that is settled; settle: `kept` or `given back`, of the token's claim alone }; ARGV[2] is NAME:KEY, for the
-- message on the channel. Unless it is late, a fact decides where a claim begins; without a fact the claim stands under
-- `owner` too. Whoever meets a tentative claim makes it a lasting one. What is no side, a key of another kind included,
-- is nobody's word: it gives way. Returns the owner there was, or nothing.
local args = cjson.decode(ARGV[1])
local claims = { legacy = 'legacy', new = 'new', ['legacy apart'] = 'legacy', ['new apart'] = 'new' }
local value = redis.pcall('GET', KEYS[2])
local token
if type(value) == 'string' and string.find(value, ' tentative ', 1, true) then
  value, token = string.match(value, '^(.-) tentative (%S+)$')
end
local claimed = claims[value]
local function announce(side)
  redis.call('PUBLISH', args.channel, 'claim:' .. side .. ':' .. ARGV[2])
end
local function keep()
  redis.call('SET', KEYS[2], value, 'KEEPTTL')
  announce(claimed)
end

if args.settle then
  if claimed and token == args.token then
    if args.settle == 'kept' then
      keep()
    else
      redis.call('DEL', KEYS[2])
      if redis.pcall('GET', KEYS[1]) == value then
        redis.call('DEL', KEYS[1])
      end
    end
  end
  return false
end
if claimed then
  if token then
    keep()
  end
  return claimed
end
local ttlMs = string.format('%.0f', args.ttlMs)
local fact = redis.pcall('GET', KEYS[1])
local isFact = fact == 'legacy' or fact == 'new'
if isFact and not args.late then
  redis.call('SET', KEYS[2], fact .. ' apart', 'PX', ttlMs)
  return fact
end
local mark = args.token and ' tentative ' .. args.token or ''
if isFact then
  redis.call('SET', KEYS[2], args.side .. ' apart' .. mark, 'PX', ttlMs)
else
  redis.call('SET', KEYS[1], args.side, 'PX', ttlMs)
  redis.call('SET', KEYS[2], args.side .. mark, 'PX', ttlMs)
end
if not args.token then
  announce(args.side)
end
return false
