-- 300 nodes with slots of a second: the chain must be judged live on this host (the promise is for 2 cores).
local bench = require "scripts.bench.bench"

local run = bench.start { "scenarios/liveness.lua", "-n", "300", "-t", "60s", env = { CONSENSUS_SLOT_TIME = "1" } }
local summary = run:finish(300, true)
bench.figure("300 nodes: canonical blocks", summary.blocks.canonical, "blocks", ">=", summary.blocks.required)
bench.figure("300 nodes: liveness", summary.exit_code, "exit code", "<", 1)
