-- What the scripts have in common: how they are paced, and what they tell at the end.
-- Words: how many a second, 0 for as many as are answered; on how many connections.
function pace(words)
  if tonumber(words[1]) == 0 then return end
  -- Milliseconds between an answer and the next request of its connection, as long as strangers leave between theirs.
  local mean = 1000 * tonumber(words[2]) / tonumber(words[1])
  delay = function()
    return math.floor(-mean * math.log(1 - math.random()) + math.random())
  end
end

-- One line of JSON.
function done(summary, latency)
  local e = summary.errors
  print(string.format(
    '{"requests":%d,"seconds":%.6f,"p50Ms":%.4f,"p99Ms":%.4f,"errors":%d}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout
  ))
end
