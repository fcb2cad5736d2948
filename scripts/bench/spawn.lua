-- 100 nodes: from the start of the first to all ready, and from the order to stop to none left.
local bench = require "scripts.bench.bench"

local file = bench.scenario("spawn", [[
tfl.scenario("spawn")
  :topology_with(function(t) t:nodes(100):network_star():slot_duration "500ms" end)
  :with_run_duration(tfl.slots(20))
  :build()
]])
local summary = bench.start({ file }):finish(120, true)
bench.figure("100 nodes: spawned and ready", bench.phase(summary, "deploy") + bench.phase(summary, "ready"), "s", "<", 1)
bench.figure("100 nodes: teardown", bench.phase(summary, "teardown"), "s", "<", 0.5)
