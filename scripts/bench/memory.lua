-- tfl's own memory (resident, at the end of the window) with 10 nodes, and what each further node adds.
local bench = require "scripts.bench.bench"

local function rss_kb(nodes)
    local file = bench.scenario("memory" .. nodes, ([[
tfl.scenario("memory")
  :topology_with(function(t) t:nodes(%d):k_regular(4):slot_duration "500ms" end)
  :with_run_duration "20s"
  :build()
]]):format(nodes))
    local run = bench.start { file }
    run:wait_phase("run", 60)
    local most = 0
    while bench.read(("/proc/%d/status"):format(run.pid)) and not bench.read(run.base .. ".err"):find ": evaluate\n" do
        most = math.max(most, bench.rss_kb(run.pid) or 0)
        bench.sleep(0.25)
    end
    run:finish(60, true)
    return most
end

local few, many = rss_kb(10), rss_kb(60)
bench.figure("tfl with 10 nodes: resident", few / 1000, "MB", "<", 20)
bench.figure("tfl: each further node", (many - few) / 50, "kB", "<", 100)
