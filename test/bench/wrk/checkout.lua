-- Buyers as they are: a page, an order, its payment, in turn.
-- Words: those of told.lua; the path of the page.
dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "told.lua")
local agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
local unpaid = {}
local page
local next = 0
local paidFirst, madeLast = 1, 0

local function format(method, path, shopper, journey, body)
  local headers = {
    ["Host"] = "shop.example",
    ["User-Agent"] = agent,
    ["Accept"] = body and "application/json" or "text/html",
    ["Content-Type"] = body and "application/json" or nil,
    ["Cookie"] = "theme=dark; sid=" .. shopper .. (journey and "; " .. journey or ""),
  }
  return wrk.format(method, path, headers, body)
end

function init(words)
  page = words[3]
  pace(words)
end

function request()
  next = next + 1
  local step = next % 3
  if step == 0 and paidFirst <= madeLast then
    local order = unpaid[paidFirst]
    unpaid[paidFirst] = nil
    paidFirst = paidFirst + 1
    local body = string.format('{"order_id":"%s","amount":240000,"currency":"IDR","method":"card"}', order.id)
    return format("POST", "/orders/" .. order.id .. "/pay", order.shopper, order.journey, body)
  end
  local shopper = "shopper-" .. (math.floor(next / 3) % 1000 + 1)
  if step == 1 then
    local body = '{"items":[{"sku":"4006381333931","count":2},{"sku":"4006381333948","count":1}],"note":"by the door"}'
    return format("POST", "/checkout", shopper, nil, body)
  end
  return format("GET", page, shopper, nil, nil)
end

-- An order is paid by who made it, on the journey that it began.
function response(status, headers, body)
  local id, shopper = body:match('^{"orderId":"(%x+)","shopper":"([^"]+)"')
  if not id then return end
  local cookie = headers["set-cookie"] or headers["Set-Cookie"]
  madeLast = madeLast + 1
  unpaid[madeLast] = { id = id, shopper = shopper, journey = cookie and cookie:match("^[^;]+") }
end
