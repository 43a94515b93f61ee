-- Runs scripts in turn, each by itself (redis/turn.ts). In front of this stand `scripts`, functions of KEYS and ARGV.
-- { calls: which of the scripts, how many of KEYS and how many of ARGV[2…] are its, each }. Returns of each two: what it
-- has returned, and the text of its error, or nothing.
local answers = {}
local key, argument = 0, 1
for _, call in ipairs(cjson.decode(ARGV[1]).calls) do
  local keys, arguments = {}, {}
  for i = 1, call[2] do keys[i] = KEYS[key + i] end
  for i = 1, call[3] do arguments[i] = ARGV[argument + i] end
  key, argument = key + call[2], argument + call[3]
  local isRun, value = pcall(scripts[call[1]], keys, arguments)
  local failure = false
  if type(value) == 'table' and value.err then
    value, failure = false, value.err
  elseif not isRun then
    value, failure = false, tostring(value)
  end
  answers[#answers + 1] = value or false
  answers[#answers + 1] = failure
end
return answers
