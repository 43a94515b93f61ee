-- Requests of 1,000 shoppers in turn, as a browser's script would send them; at the end one line of JSON.
-- Words: how many a second, 0 for as many as are answered; on how many connections; the path; octets of the body, 0 for GET.
local requests = {}
local next = 0

function init(words)
  if tonumber(words[1]) > 0 then
    -- Milliseconds between an answer and the next request of its connection, as long as strangers leave between theirs.
    local mean = 1000 * tonumber(words[2]) / tonumber(words[1])
    delay = function()
      return math.floor(-mean * math.log(1 - math.random()) + math.random())
    end
  end
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

function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%.6f,"p50Ms":%.4f,"p99Ms":%.4f,"errors":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end
