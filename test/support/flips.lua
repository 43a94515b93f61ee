-- A wrk script that judges every answer by itself: it computes each shopper's bucket (MurmurHash3_x86_32, from the
-- algorithm's published description), takes the percent from the version in the decision field, and holds the side
-- that answered against them. The percent of a version is a pure function that the writer of the test shares.
-- Arguments: SALT, MULTIPLIER. Prints one line, FLIPS and a JSON object.

local bit = require("bit")
local band, bxor, bor = bit.band, bit.bxor, bit.bor
local lshift, rshift, rol, tobit = bit.lshift, bit.rshift, bit.rol, bit.tobit

local shopperCount = 1000
local steps = 100001

-- The low 32 bits of a product: of the whole a double would lose some.
local function times(a, b)
  local aLow, aHigh = band(a, 0xffff), rshift(a, 16)
  local bLow, bHigh = band(b, 0xffff), rshift(b, 16)
  return tobit(aLow * bLow + lshift(band(aHigh * bLow + aLow * bHigh, 0xffff), 16))
end

local function murmur3(text)
  local length, hash = #text, 0
  local blocks = math.floor(length / 4)
  for i = 0, blocks - 1 do
    local a, b, c, d = text:byte(4 * i + 1, 4 * i + 4)
    local k = bor(a, lshift(b, 8), lshift(c, 16), lshift(d, 24))
    k = times(rol(times(k, 0xcc9e2d51), 15), 0x1b873593)
    hash = tobit(times(rol(bxor(hash, k), 13), 5) + 0xe6546b64)
  end
  local k = 0
  for i = length, 4 * blocks + 1, -1 do k = bor(lshift(k, 8), text:byte(i)) end
  if length % 4 > 0 then hash = bxor(hash, times(rol(times(k, 0xcc9e2d51), 15), 0x1b873593)) end
  hash = bxor(hash, length)
  hash = times(bxor(hash, rshift(hash, 16)), 0x85ebca6b)
  hash = times(bxor(hash, rshift(hash, 13)), 0xc2b2ae35)
  hash = bxor(hash, rshift(hash, 16))
  return hash < 0 and hash + 4294967296 or hash
end

local threads = {}

function setup(thread)
  threads[#threads + 1] = thread
end

local requests, bucketOf, seen = {}, {}, {}
local next, multiplier = 0, 0

-- Read by `done` from each thread.
checked, wrong, unreadable, onNew, versions, firstBad = 0, 0, 0, 0, 0, ""

function init(args)
  assert(murmur3("") == 0 and murmur3("test") == 0xba6bd213 and murmur3("Hello, world!") == 0xc0363e43)
  local salt = args[1]
  multiplier = tonumber(args[2])
  for i = 1, shopperCount do
    local shopper = "flip-" .. i
    bucketOf[shopper] = math.floor(murmur3(salt .. ":" .. shopper) * 100000 / 4294967296)
    requests[i] = wrk.format("GET", "/cart/" .. i, { ["Host"] = wrk.headers["Host"], ["X-Shopper-Id"] = shopper })
  end
end

function request()
  next = next % shopperCount + 1
  return requests[next]
end

local function field(headers, name)
  if headers[name] then return headers[name] end
  for key, value in pairs(headers) do
    if key:lower() == name then return value end
  end
  return ""
end

local function bad(what, decision, shopper, side)
  if firstBad == "" then firstBad = what .. ": " .. decision .. " for " .. shopper .. " by " .. side end
end

function response(status, headers, body)
  checked = checked + 1
  local decision, shopper = field(headers, "x-cutover-decision"), field(headers, "x-shopper")
  local side = field(headers, "x-side")
  local said, version = decision:match("^checkout; side=(%a+); reason=bucket; version=(%d+)$")
  local bucket = bucketOf[shopper]
  if status ~= 200 or not version or not bucket or body ~= side then
    unreadable = unreadable + 1
    bad("status " .. status, decision, shopper, side)
    return
  end
  if not seen[version] then
    seen[version] = true
    versions = versions + 1
  end
  local expected = bucket < (tonumber(version) * multiplier) % steps and "new" or "legacy"
  if side == "new" then onNew = onNew + 1 end
  if side ~= expected or said ~= expected then
    wrong = wrong + 1
    bad("not " .. expected, decision, shopper, side)
  end
end

function done(summary, latency)
  local total = { checked = 0, wrong = 0, unreadable = 0, onNew = 0, versions = 0 }
  local first = ""
  for _, thread in ipairs(threads) do
    for name in pairs(total) do
      local value = thread:get(name)
      total[name] = name == "versions" and math.max(total[name], value) or total[name] + value
    end
    if first == "" then first = thread:get("firstBad") end
  end
  local errors = summary.errors
  print(string.format(
    'FLIPS {"requests":%d,"seconds":%.2f,"checked":%d,"wrong":%d,"unreadable":%d,"onNew":%d,"versions":%d,'
      .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d,"p50Ms":%.2f,"p99Ms":%.2f,"firstBad":"%s"}',
    summary.requests, summary.duration / 1e6, total.checked, total.wrong, total.unreadable, total.onNew,
    total.versions, errors.connect, errors.read, errors.write, errors.status, errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, (first:gsub('[%c"\\]', "?"))))
end
