-- The value kept under KEYS[1]. { offer } becomes it when there is none yet, or none that is a text.
local offer = cjson.decode(ARGV[1]).offer
if redis.call('TYPE', KEYS[1]).ok == 'string' then
  return redis.call('GET', KEYS[1])
end
redis.call('DEL', KEYS[1])
redis.call('SET', KEYS[1], offer)
return offer
