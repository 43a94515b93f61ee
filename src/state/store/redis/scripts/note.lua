-- Writes the note KEYS[4], a hash (state/rules/note.ts); KEYS[5] is the lease of a fence.
-- { deadline, text, ifRevision, fence: { token } or nothing, again: whether it may have been sent before }.
-- Answers { 'late' } past the deadline, { 'fenced' }, { 'moved' } when it has another revision, else { 'written' }.

local note, ms = KEYS[4], serverMs()
if isLate(args.deadline, ms) then return { 'late' } end

local values, kind = read(note, { 'revision', 'text' })
local revision = wholeOf(values[1])
-- Sent before, and the answer not heard.
if args.again and revision == args.ifRevision + 1 and values[2] == args.text then return { 'written' } end
if args.fence and isFenced(leaseOf(KEYS[5]), args.fence.token, ms) then return { 'fenced' } end
if revision ~= args.ifRevision then return { 'moved' } end
if kind ~= 'none' and kind ~= 'hash' then redis.call('DEL', note) end
redis.call('HSET', note, 'revision', integer(revision + 1), 'text', args.text)
return { 'written' }
