-- From a block adopted by the node that made it (its log's time stamp) to the Lua subscriber of the block feed called, with 10 nodes.
-- Both clocks are this host's, to the millisecond.
local bench = require "scripts.bench.bench"

local out = bench.dir .. "/latency.txt"
local file = bench.scenario("latency", ([[
local task = require "tfl.core.task"
local out = assert(io.open(%q, "w"))
local watch = tfl.workload "watch"
function watch:start(ctx)
    for ev in ctx:block_feed():subscribe{from = "now"} do
        if ev.type == "adopt" then out:write(ev.node, " ", ev.id or ev.block, " ", task.wall_ms(), "\n") end
    end
end
local saved = tfl.expectation "saved"
function saved:evaluate(ctx) ctx:block_feed():tip "node-0" out:close() end
tfl.scenario("latency")
  :topology_with(function(t) t:nodes(10):k_regular(4):slot_duration "100ms" end)
  :with_run_duration "60s":with_workload(watch):with_expectation(saved):build()
]]):format(out))
local run = bench.start { file }
run:finish(120, true)

local adopted = {} -- [node .. id] = milliseconds since the epoch
for i = 0, 9 do
    local name = "node-" .. i
    for line in io.lines(("%s/logs/logos-blockchain-node-%d.log"):format(run:folder(), i)) do
        local y, mo, d, h, mi, s, ms, id = line:match "^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+)%.(%d+)Z %S+ +slot %d+ block (%x+) .* led$"
        if id then
            local utc = os.time { year = y, month = mo, day = d, hour = h, min = mi, sec = s, isdst = false }
            local zone = os.time(os.date("*t", utc)) - os.time(os.date("!*t", utc))
            adopted[name .. id] = (utc + zone) * 1000 + tonumber(ms)
        end
    end
end
local waits = {}
for line in io.lines(out) do
    local node, id, ms = line:match "^(%S+) (%x+) (%d+)$"
    if node and adopted[node .. id] then waits[#waits + 1] = math.max(0, tonumber(ms) - adopted[node .. id]) end
end
assert(#waits >= 100, ("only %d blocks were seen by both sides; see %s and %s"):format(#waits, out, run:folder()))
bench.figure("10 nodes: adopted to Lua, p50", bench.quantile(waits, 0.5), "ms", "<", 5)
bench.figure("10 nodes: adopted to Lua, p99", bench.quantile(waits, 0.99), "ms", "<", 5)
