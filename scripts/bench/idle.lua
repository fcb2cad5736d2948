-- A run of 10 nodes in which nothing but the chain goes on: processor time of tfl and all nodes, as a share of one core.
local bench = require "scripts.bench.bench"

local SECONDS = 20
local file = bench.scenario("idle", [[
tfl.scenario("idle")
  :topology_with(function(t) t:nodes(10):network_star():slot_duration "1s" end)
  :with_run_duration "30s"
  :build()
]])
local run = bench.start { file }
run:wait_phase("run", 60)
local processes, before, own = run:processes(), 0, bench.cpu_seconds(run.pid)
for _, process in ipairs(processes) do before = before + bench.cpu_seconds(process.pid) end
local from = bench.now()
bench.sleep(SECONDS)
local used, took = -before, bench.now() - from
for _, process in ipairs(processes) do used = used + bench.cpu_seconds(process.pid) end
own = bench.cpu_seconds(run.pid) - own
run:finish(60, true)
bench.figure("idle run of 10 nodes: all", 100 * used / took, "% of a core", "<", 3)
bench.figure("idle run of 10 nodes: tfl alone", 100 * own / took, "% of a core", "<", 3)
