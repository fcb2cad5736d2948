-- From the call of node:restart() until the node is ready again: HTTP 200, online, with its peers. Four nodes under load.
local bench = require "scripts.bench.bench"

local out = bench.dir .. "/restart.txt"
local file = bench.scenario("restart", ([[
local task = require "tfl.core.task"
local out = assert(io.open(%q, "w"))
local w = tfl.workload "restarts"
function w:start(ctx)
    ctx:wait_for_height(3)
    for i = 0, 39 do
        local node, from = ctx:node(i %% 4), task.now()
        node:restart()
        node:wait_ready()
        out:write(("%%.3f\n"):format(1000 * (task.now() - from)))
        ctx:sleep "200ms"
    end
    out:close()
end
tfl.scenario("restart")
  :topology_with(function(t) t:nodes(4):full() end):wallets(8):transactions_with(function(x) x:rate(10) end)
  :enable_node_control():with_workload(w):with_run_duration "30s":build()
]]):format(out))
bench.start({ file }):finish(120)
local times = {}
for line in io.lines(out) do times[#times + 1] = tonumber(line) end
assert(#times == 40, "some restarts are missing")
bench.figure("restart to ready, p50", bench.quantile(times, 0.5), "ms", "<", 300)
bench.figure("restart to ready, p99", bench.quantile(times, 0.99), "ms", "<", 300)
