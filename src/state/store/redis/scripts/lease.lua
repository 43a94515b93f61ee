-- The lease of KEYS[4], as `leased` and `released` of state/rules/leases/lease.ts say; the cutover's keys are those it may fence.
-- { deadline, take: { holder, ttlMs } } answers { 'granted', token } or { 'refused', holder }.
-- { deadline, release: { token } } answers { 'released' } or { 'fenced' }. Past the deadline both answer { 'late' }.
-- { keep: { token, text } } answers { 'kept' } or { 'fenced' }: the text stands beside the lease until the next.

local take, release, keep = args.take, args.release, args.keep
local ms = serverMs()

if not keep and isLate(args.deadline, ms) then return { 'late' } end

local lease = leaseOf(KEYS[4])
if keep then
  if isFenced(lease, keep.token, ms) then return { 'fenced' } end
  redis.call('HSET', KEYS[4], 'kept', keep.text)
  return { 'kept' }
end
if release then
  if isFenced(lease, release.token, ms) then return { 'fenced' } end
  redis.call('HSET', KEYS[4], 'holder', '', 'ends_at_ms', integer(ms))
  return { 'released' }
end

local token = math.max(lease.token + 1, ms)
if isInForce(lease, ms) then
  if lease.holder ~= take.holder then
    -- A clock that was set back must not prolong it for longer than its whole time from now.
    redis.call('HSET', KEYS[4], 'ends_at_ms', integer(math.min(lease.endsAtMs, ms + lease.ttlMs)))
    return { 'refused', lease.holder }
  end
  token = lease.token
end
local kind = kindOf(KEYS[4])
if kind ~= 'none' and kind ~= 'hash' then redis.call('DEL', KEYS[4]) end
redis.call('HSET', KEYS[4], 'token', integer(token), 'holder', take.holder, 'ttl_ms', integer(take.ttlMs),
  'ends_at_ms', integer(ms + take.ttlMs))
return { 'granted', token }
