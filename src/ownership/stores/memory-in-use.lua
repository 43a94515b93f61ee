-- What share of its memory the server that has KEYS[1] uses, as text, or nothing where that has no bound: none is set, or
-- it drops keys of its own accord and is meant to be full. { }
local memory = redis.call('INFO', 'memory')
local used = tonumber(string.match(memory, 'used_memory:(%d+)'))
local most = tonumber(string.match(memory, 'maxmemory:(%d+)'))
if not used or not most or most == 0 or string.find(memory, 'maxmemory_policy:allkeys', 1, true) then
  return false
end
return string.format('%.4f', used / most)
