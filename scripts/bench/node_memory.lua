-- The memory of a node (proportional, PSS) after 10,000 blocks: a cluster of two with slots of 50 ms, about ten minutes.
-- BENCH_BLOCKS=1000 measures after fewer.
local bench = require "scripts.bench.bench"

local BLOCKS = math.tointeger(tonumber(os.getenv "BENCH_BLOCKS" or 10000))
local COEFF, SLOT_SECONDS = 0.9, 0.05
local seconds = math.ceil(1.1 * BLOCKS / COEFF * SLOT_SECONDS) + 5
local out = bench.dir .. "/node_memory.txt"
local file = bench.scenario("node_memory", ([[
local reached = tfl.workload "reached"
function reached:start(ctx)
    ctx:wait_for_height(%d, {within = %d, every = "1s"})
    assert(io.open(%q, "w")):close()
    while true do ctx:sleep "1s" end -- else the window ends with the last workload
end
tfl.scenario("node_memory")
  :topology_with(function(t) t:nodes(2):full():slot_duration "50ms":active_slot_coeff(%g) end)
  :with_run_duration(%d):with_workload(reached):build()
]]):format(BLOCKS, seconds, out, COEFF, seconds))
os.remove(out)
local run = bench.start { file }
bench.eventually(seconds + 60, BLOCKS .. " blocks; see " .. run.base .. ".err", function()
    assert(not bench.read(run.base .. ".code"), "tfl ended; see " .. run.base .. ".out")
    return bench.read(out)
end)
local most = 0
for _, process in ipairs(run:processes()) do
    if process.name == "tfl-node" then most = math.max(most, bench.pss_kb(process.pid)) end
end
assert(most > 0, "there is no tfl-node below tfl")
os.execute("kill -INT " .. run.pid)
run:finish(60, true)
bench.figure(("node after %d blocks: PSS"):format(BLOCKS), most / 1000, "MB", "<", 8)
