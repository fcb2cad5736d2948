-- Docker: 10 nodes up and ready by tfl against what `docker-compose up -d` alone takes for the very same file, and the restart of one
-- node against `docker restart`; in turns, medians. Needs an engine and a compose tool; without them it says so and has no figures.
local bench = require "scripts.bench.bench"
local system = require "system"

local ROUNDS = 5

local sh = bench.sh

local tool = sh "docker compose version" and "docker compose" or sh "docker-compose version" and "docker-compose"
if not sh "docker version" or not tool then
    print "no Docker engine and compose tool here: nothing is measured"
    return
end

--- Seconds that a command takes; it must succeed.
local function time(command)
    local from = system.monotime()
    local ok, out = sh(command)
    assert(ok, command .. ": " .. out)
    return system.monotime() - from
end

local function median(list)
    table.sort(list)
    return list[(#list + 1) // 2]
end

local file = bench.scenario("compose", [[
local w = tfl.workload "w"
function w:start(ctx)
    ctx:sleep "2s"
    for _ = 1, 3 do
        ctx:node(5):restart()
        ctx:node(5):wait_ready()
        ctx:sleep "1s"
    end
end
tfl.scenario("compose")
  :topology_with(function(t) t:nodes(10):network_star():slot_duration "500ms" end)
  :enable_node_control():with_workload(w):with_run_duration "40s":build()
]])

local ours, theirs, restarts, docker = {}, {}, {}, {}
for round = 1, ROUNDS do
    local summary = bench.start({ file, "-d", "compose", env = { LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD = "" } }):finish(240, true)
    ours[round] = bench.phase(summary, "deploy") + bench.phase(summary, "ready")
    for _, fault in ipairs(summary.faults) do
        if fault.verb == "restart" then restarts[#restarts + 1] = fault.to - fault.from end
    end
    local compose = ("cd %s && %s -p tflbench"):format(summary.dir, tool)
    theirs[round] = time(compose .. " -f docker-compose.yml up -d")
    local _, name = sh("docker ps -q --filter label=com.docker.compose.project=tflbench --filter label=tfl.node=node-5")
    for _ = 1, 3 do docker[#docker + 1] = time("docker restart " .. name) end
    time(compose .. " -f docker-compose.yml down -v")
end
print(("10 nodes: %.2fs, the tool alone %.2fs; a restart: %.2fs, docker %.2fs"):format(median(ours), median(theirs), median(restarts),
    median(docker)))
bench.figure("10 containers: against the tool", median(ours) / median(theirs), "x", "<", 1.5)
bench.figure("a restart: against docker restart", median(restarts) / median(docker), "x", "<", 1.2)
