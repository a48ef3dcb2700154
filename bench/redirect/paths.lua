-- One of the paths of a file, at random, for each request. PATHS names the file; the base is the path of the URL.
local requests = {}

function init(args)
  math.randomseed(20261123)
  for line in io.lines(os.getenv("PATHS")) do
    requests[#requests + 1] = wrk.format("GET", wrk.path .. line)
  end
end

function request()
  return requests[math.random(#requests)]
end

function done(summary, latency, requests)
  local failed = summary.errors
  local broken = failed.connect + failed.read + failed.write
  io.write(string.format('\nRESULT {"requests":%d,"micros":%d,"refused":%d,"broken":%d,"late":%d,"p50":%.3f,"p99":%.3f,"max":%.3f}\n',
    summary.requests, summary.duration, failed.status, broken, failed.timeout, latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000))
end
