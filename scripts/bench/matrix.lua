-- A matrix of 20 cells, two at once, against the ideal: ten times one such cell that runs by itself. The cells take about 3 s where users'
-- take 10 and more, so what the matrix adds to each weighs more here than with theirs.
local bench = require "scripts.bench.bench"

local CELLS, JOBS = 20, 2
local file = bench.scenario("matrix", [[
tfl.script("matrix", {nodes = 3, topology = function(t) t:slot_duration "100ms" end}, function(ctx)
  ctx:wait_for_height(1)
  ctx:sleep "2s"
end)
]])

--- Seconds from the start of tfl to its end.
local function timed(arguments)
    local from = bench.now()
    bench.start(arguments):finish(300)
    return bench.now() - from
end

local alone = {}
for i = 1, 3 do alone[i] = timed { file, "--seed", tostring(i), "-q" } end
local whole = timed { "matrix", file, "--seeds", "1.." .. CELLS, "--jobs", tostring(JOBS), "-q" }
bench.figure("matrix: 20 cells, 2 jobs, to ideal", whole / (bench.quantile(alone, 0.5) * CELLS / JOBS), "x", "<", 1.1)
