-- Requests of 1,000 shoppers in turn, as a browser's script would send them.
-- Words: those of told.lua; the path; octets of the body, 0 for GET.
dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "told.lua")
local requests = {}
local next = 0

function init(words)
  pace(words)
  for shopper = 1, 1000 do
    local size = tonumber(words[4])
    requests[shopper] = wrk.format(size > 0 and "POST" or "GET", words[3], {
      ["Host"] = "shop.example",
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
      ["Accept"] = "application/json",
      -- The name that a visitor was given, for those subjects that give some.
      ["Cookie"] = "theme=dark; sid=shopper-" .. shopper .. string.format("; cutover_visitor=%022d", shopper),
    }, size > 0 and string.rep("x", size) or nil)
  end
end

function request()
  next = next % #requests + 1
  return requests[next]
end
