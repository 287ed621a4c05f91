-- Takes a file of tokens, one a line. With several, each request carries the next of
-- them. At the end, one line of numbers for measure.py.

function init(args)
   local values = {}
   for token in io.lines(args[1]) do
      values[#values + 1] = "Bearer " .. token
   end
   if #values == 1 then
      -- wrk makes the request itself, once.
      wrk.headers["Authorization"] = values[1]
      return
   end
   local requests = {}
   for _, value in ipairs(values) do
      wrk.headers["Authorization"] = value
      requests[#requests + 1] = wrk.format()
   end
   local last = 0
   function request()
      last = last % #requests + 1
      return requests[last]
   end
end

function done(summary, latency)
   local errors = summary.errors
   local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
   print(string.format("result %d %d %d %d %d", summary.requests, summary.duration,
      latency:percentile(50), latency:percentile(99), failed))
end
