-- A day's mixture: mostly small answers, some large, uploads, errors of the upstream, and connections used once.
-- Prints one line of JSON. `sent` counts what was begun, the requests cut off at the end included.
local threads = {}
local requests = {}
local next = 0

sent = 0

function setup(thread)
  threads[#threads + 1] = thread
end

-- How many of a thousand, method, path, bytes of body.
local mixture = {
  { 640, "GET", "/cart/small" },
  { 140, "GET", "/cart/medium" },
  { 30, "GET", "/cart/large" },
  { 60, "POST", "/cart/upload", 1000 },
  { 30, "POST", "/cart/upload", 16000 },
  { 30, "GET", "/elsewhere/small" },
  { 40, "GET", "/cart/error" },
  { 20, "GET", "/cart/missing" },
  { 10, "GET", "/cart/gone" },
}
-- Every so many has a connection of its own.
local fresh = 17

function init()
  math.randomseed(1)
  for _, kind in ipairs(mixture) do
    local count, method, path, size = kind[1], kind[2], kind[3], kind[4]
    for i = 1, count do
      local headers = {
        ["Host"] = "shop.example",
        ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        ["Accept"] = "application/json",
        ["Cookie"] = "theme=dark; sid=shopper-" .. #requests,
      }
      if #requests % fresh == 0 then headers["Connection"] = "close" end
      requests[#requests + 1] = wrk.format(method, path, headers, size and string.rep("x", size))
    end
  end
  for i = #requests, 2, -1 do
    local other = math.random(i)
    requests[i], requests[other] = requests[other], requests[i]
  end
end

function request()
  sent = sent + 1
  next = next % #requests + 1
  return requests[next]
end

function done(summary)
  local e = summary.errors
  -- wrk asks the first thread for a request that it does not send.
  local total = -1
  for _, thread in ipairs(threads) do total = total + thread:get("sent") end
  print(string.format(
    '{"sent":%d,"answered":%d,"refused":%d,"broken":%d}',
    total, summary.requests, e.status, e.connect + e.read + e.write + e.timeout
  ))
end
