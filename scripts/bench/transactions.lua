-- Three reference nodes, 2,000 transactions a second: submitted, included and final.
local bench = require "scripts.bench.bench"

local SECONDS = 20
local file = bench.scenario("transactions", ([[
tfl.scenario("transactions")
  :topology_with(function(t) t:nodes(3):network_star() end)
  :wallets(20):transactions_with(function(x) x:per_second(2000) end):with_run_duration "%ds"
  :expect_finality_latency{p50 = "60s"}:build()
]]):format(SECONDS))
local t = bench.start({ file }):finish(180).transactions
bench.figure("3 nodes: submitted", t.sent / SECONDS, "1/s", ">=", 2000)
bench.figure("3 nodes: included of submitted", 100 * t.included / t.sent, "%", ">=", 100)
bench.figure("3 nodes: final of submitted", 100 * t.final / t.sent, "%", ">=", 100)
