-- For wrk: sends the requests of a file in turn, and tells what came of it as one line of JSON.
-- Arguments: the file, whose requests are as they go over the wire with a NUL after each; the number of connections; and
-- the milliseconds for which each connection is there before its first request.

local requests = {}
local turn = 0

function init(args)
  local file = assert(io.open(args[1], 'rb'))
  for each in file:read('*a'):gmatch('([^%z]+)%z') do
    requests[#requests + 1] = each
  end
  file:close()
  local first, pause = tonumber(args[2]), tonumber(args[3])
  if pause > 0 then
    -- Asked before each request, of whichever connection; the first ones are the first of each connection.
    function delay()
      if first == 0 then return 0 end
      first = first - 1
      return pause
    end
  end
end

function request()
  turn = turn % #requests + 1
  return requests[turn]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"answers":%d,"microseconds":%d,"refused":%d,"lost":%d,"p50":%f,"p99":%f}\n',
    summary.requests, summary.duration, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
