-- Deployers of a file's own (tfl.deployer): they start what they like, and nothing of it is left behind.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

-- Programs that let go of tfl wholly: their own session, their parent dead.
local OUTSIDE = [[
local d = tfl.deployer "mine"
function d.start(node)
  local script = 'exec 3>&1 >>"$0" 2>&1 </dev/null; "$@" 3>&- & echo $! >&3'
  local command = {"setsid", "--wait", "sh", "-c", script, node.spec.log, env = node.spec.env, cwd = node.spec.cwd}
  for _, word in ipairs(node.spec.argv) do command[#command + 1] = word end
  local result = tfl.exec(command)
  if not result.ok then node:fail("not started: %s", result.stderr) end
  return {pid = math.tointeger(tonumber(result.stdout))}
end
]]

local SMALL = ":topology_with(function(t) t:nodes(%d):full():slot_duration '100ms' end):with_run_duration(tfl.slots(%d))"
    .. ":enable_node_control()"

local function file(head, more, n, slots)
    return nodes.scenario(SMALL:format(n or 2, slots or 60) .. (more or ":expect_consensus_liveness()"), head)
end

local function run(path, ...)
    return nodes.run(path, { "-d", "mine", ... })
end

local function refused(head, pattern, more)
    local result = support.run { "check", file(head, more), "-d", "mine" }
    assert.equal(2, result.code, result.text)
    assert.truthy(result.err:find(pattern), result.text)
end

describe("a deployer that starts programs by itself", function()
    it("passes with liveness, restart, kill, pause by their pids", function()
        local result = run(file(OUTSIDE .. nodes.WORKLOAD .. [[
function w:start(ctx)
  local n = ctx:node(1)
  ctx:wait_for_height(2)
  n:restart()
  n:wait_ready()
  n:kill()
  equal("stopped", n:state(), "killed")
  n:start()
  n:wait_ready()
  n:pause()
  equal("paused", n:state(), "paused")
  n:resume()
  n:restart{wipe = true}
  n:wait_ready()
  n:pause()
  n:stop()
  n:start()
  equal("running", n:state(), "started")
  if #ctx:logs(1):text() == 0 then error "no log" end
  local late = ctx:start_node "late"
  late:wait_ready()
end
]], ":with_workload(w):expect_consensus_liveness()", 3, 160))
        assert.equal(0, result.code, result.text)
        assert.truthy(#nodes.events(result, "^node_exited$") >= 6)
    end)

    it("cuts links between nodes of this host", function()
        local result = run(file(OUTSIDE .. nodes.WORKLOAD .. [[
function w:start(ctx)
  local cut = ctx:partition({0}, {1})
  ctx:eventually(function() return cut:counts().withheld > 0 end)
  cut:heal()
end
]], ":enable_node_control{links = true}:with_workload(w)", 2, 40))
        assert.equal(0, result.code, result.text)
    end)

    it("may not give a process that was there before the run: it would be ended with it", function()
        local out = support.sh "setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!"
        local pid = tonumber(out:match "%d+")
        support.sh "sleep 1.2" -- a process of the very moment of the start cannot be told from the run's
        local result = run(file(("tfl.deployer('mine', {start = function() return {pid = %d} end})"):format(pid), ""))
        local _, there = support.sh("kill -0 " .. pid)
        support.sh("kill " .. pid)
        assert.equal(2, result.code, result.text)
        assert.matches("start%(node%-%d%): the process %d+ that it gave was there before this run", result.text)
        assert.equal(0, there, "it was ended all the same")
    end)

    it("fails when a node ends by itself, with the end of its log", function()
        local result = run(file(OUTSIDE .. nodes.WORKLOAD .. [[
function w:start(ctx)
  tfl.exec{"sh", "-c", "kill -9 $(pgrep -f '^[^ ]*tfl-node user' | while read p; do grep -qz TFL_NODE=node-1 /proc/$p/environ && "
    .. "grep -qz TFL_RUN_ID=$TFL_RUN_ID /proc/$p/environ && echo $p; done)"}
  ctx:sleep "10s"
end
]], ":with_workload(w)", 2, 400))
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code, result.text)
        assert.truthy(result.summary.error.message:find "node%-1 ended by itself.*its log ends:.*online", result.text)
    end)

    it("leaves nothing when tfl is killed", function()
        local handle = support.start { file(OUTSIDE, nil, 3, 400), "-d", "mine" }
        handle:wait_output "spec: run"
        handle:signal "KILL"
        assert.equal(137, handle:wait(30).code)
        support.assert_nothing_left()
    end)
end)

describe("node:spawn", function()
    it("runs a program around the node, which is then like a local one", function()
        local result = run(file([[
tfl.deployer("mine", {start = function(node) return node:spawn{"nice", "-n", "1", table.unpack(node.spec.argv)} end})
]] .. nodes.WORKLOAD .. [[
function w:start(ctx)
  local n = ctx:node(1)
  n:restart() n:wait_ready() n:pause() n:resume() n:kill() n:start()
end
]], ":with_workload(w):expect_consensus_liveness()", 2, 100))
        assert.equal(0, result.code, result.text)
        for _, one in ipairs(result.summary.nodes_detail) do assert.is_number(one.pid) end
    end)

    it("tells how the program ended", function()
        local result = run(file [[tfl.deployer("mine", {start = function(node) return node:spawn{"sh", "-c", "echo bye; exit 7"} end})]])
        assert.equal(3, result.code, result.text)
        assert.truthy(result.summary.error.message:find "exit code 7.*bye", result.text)
    end)
end)

describe("functions of the user's", function()
    it("look, stop and tell logs of a node whose pid nobody knows", function()
        local result = run(file([[
local here = {}
local d = tfl.deployer "mine"
function d.start(node) here[node.name] = node:spawn().pid return {unit = node.name} end
function d.stop(node, how) tfl.exec{"kill", how == "kill" and "-9" or "-15", here[node.name]} end
function d.logs(node) return "log of " .. node.handle.unit end
]] .. nodes.WORKLOAD .. [[
function w:start(ctx)
  equal("log of node-1", ctx:logs(1):text())
  equal("log of node-1", ctx:logs(1):grep("of node")[1].text)
  ctx:node(1):restart()
  equal("running", ctx:node(1):state())
  local ok, err = tfl.try(function() ctx:node(1):pause() end)
  if ok or not err.message:find "deployer mine cannot do that %(it has a stop" then error(tostring(err)) end
end
]], ":with_workload(w)", 2, 40))
        assert.equal(0, result.code, result.text)
    end)

    it("whose node does not end is told so after it was told to kill it", function()
        local result = nodes.run(file([[
local d = tfl.deployer "mine"
function d.start(node) node:undo{"true"} end
function d.stop() end
function d.alive() return true end
]], ""), { "-d", "mine", "-t", "1s", env = { TFL_READY_SECONDS = "1" } })
        assert.equal(3, result.code, result.text)
        assert.truthy(result.text:find "it is there still, 5s after the deployer mine was told to kill it", result.text)
    end)

    it("which raise leave nothing and end the run with the function, the node and the line", function()
        local result = run(file(OUTSIDE .. [[
local start = d.start
function d.start(node)
  if node.index == 1 then local nothing return nothing.field end
  return start(node)
end
]]))
        assert.equal(2, result.code, result.text)
        assert.equal("script_error", result.summary.error.code)
        assert.truthy(result.summary.error.message:find "deployer mine, start%(node%-1%): .*spec.lua:%d+: attempt to index a nil value",
            result.text)
        support.assert_nothing_left()
        for _, name in ipairs { "prepare", "site", "alive", "stop", "cleanup" } do
            result = run(file(OUTSIDE .. ("function d.%s() error 'oops' end"):format(name)))
            assert.equal(2, result.code, name .. result.text)
            assert.truthy(result.summary.error.message:find("deployer mine, " .. name .. ".*spec.lua:%d+: oops"), name .. result.text)
            support.assert_nothing_left()
        end
    end)

    it("whose mistakes a script cannot catch away", function()
        local result = run(file(OUTSIDE .. "function d.pause() error 'oops' end function d.resume() end\n" .. nodes.WORKLOAD .. [[
function w:start(ctx) tfl.try(function() ctx:node(0):pause() end) ctx:sleep "5s" end
]], ":with_workload(w)", 2, 200))
        assert.equal(2, result.code, result.text)
        assert.truthy(result.summary.error.message:find "deployer mine, pause%(node%-0%): .*oops", result.text)
    end)

    it("say with node:fail that it is not the script's fault", function()
        local result = run(file [[tfl.deployer("mine", {start = function(node) node:fail("no room for %s, 100%% full", node.name) end})]])
        assert.equal(3, result.code, result.text)
        assert.truthy(result.summary.error.message:find "deployer mine, start%(node%-0%): no room for node%-0, 100%% full", result.text)
        result = run(file [[tfl.deployer("mine", {start = function(node) tfl.exec{"/no/such/program"} end})]])
        assert.equal(3, result.code, result.text)
        assert.equal("spawn", result.summary.error.code)
    end)

    it("that never return are bounded", function()
        local result = run(file(OUTSIDE .. "function d.alive() tfl.exec{'sleep', '100', timeout = 200} end"))
        assert.equal(2, result.code, result.text)
        assert.equal("hook_timeout", result.summary.error.code)
        assert.truthy(result.summary.error.message:find "deployer mine, alive%(node%-%d%): still not over after 10s", result.text)
    end)

    it("which give what nobody expects are told so", function()
        for give, pattern in pairs {
            ["return 7"] = "start%(node%-0%): {pid = number}, a table of your own, or nothing was expected, got 7",
            ["return node:spawn{'true', cwd = '/'}"] = 'spawn: there is no option "cwd"', ["node:undo{'true', timout = 3}"] =
                'undo: there is no option "timout"; did you mean "timeout"?', ["node:undo{}"] = "undo: a command was expected",
            ["return node:spawn{{}}"] = "spawn: word 1 is a table", ["return {pid = 'x'}"] = 'got "x"',
            ["return {pid = 1}"] = "got 1", [""] = "it gave no {pid = …} and did not node:spawn, so the deployer needs alive",
        } do
            local result = run(file(("tfl.deployer('mine', {start = function(node) %s end})"):format(give)))
            assert.equal(2, result.code, result.text)
            assert.truthy(result.summary.error.message:find(pattern), result.text)
        end
        local result = run(file [[tfl.deployer("mine", {start = function(node) return {pid = 99999999} end})]])
        assert.equal(3, result.code, result.text)
        assert.truthy(result.summary.error.message:find "node%-0: the process 99999999 that start gave is not there", result.text)
        result = run(file(OUTSIDE .. "function d.site() return {ports = {htpp = 1}} end"))
        assert.truthy(result.summary.error.message:find "site%(node%-0%): ports.htpp = 1: a number for a port of the kind", result.text)
    end)
end)

describe("undo", function()
    it("is carried out at the end of the run, once for each command, the newest first, from the folder of tfl", function()
        local out = support.path "undone"
        local result = run(file(([[
function prepare(plan) for _ = 1, 2 do plan:undo{"sh", "-c", "echo first >>%s"} end end
]]):format(out):gsub("function prepare", OUTSIDE:gsub("%%", "%%%%") .. "function d.prepare") .. ([[
local start = d.start
function d.start(node)
  node:undo{"sh", "-c", "echo second >>%s"}
  node:undo{"./none-such"}.done()
  return start(node)
end
]]):format(out), ""), "-t", "1s")
        assert.truthy(result.code == 0 or result.code == 4, result.text)
        assert.equal("second\nfirst\n", support.read(out))
    end)

    it("that fails is told, and kept for tfl clean", function()
        local flag = support.path "flag"
        local undo = ("plan:undo{'sh', '-c', 'test -e %s || { echo not yet >&2; exit 3; }'}"):format(flag)
        local result = run(file(OUTSIDE .. "function d.prepare(plan) " .. undo .. " end", ""), "-t", "1s")
        assert.equal(3, result.code, result.text)
        assert.truthy(result.text:find "status 3: not yet", result.text)
        support.write(flag, "")
        result = support.run { "clean" }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find "ran .*flag", result.text)
    end)

    it("is carried out by the guardian when tfl is killed: network namespaces", function()
        local _, code = support.sh "ip netns add tfl-spec-probe && ip netns del tfl-spec-probe"
        if code ~= 0 then return pending "needs root, iproute2 and network namespaces" end
        local mark = "tfls" .. support.dir():match "%.(%w+)$"
        local path = file(([=[
local d = tfl.deployer "mine"
local NS = %q
function d.site() return {host = "10.197.3.2", ports = {http = 8080, p2p = 3000}} end
function d.start(node)
  node:undo{"ip", "netns", "del", NS} -- its link goes with it
  local line = ([[ip netns pids NS && exit
    ip netns add NS; ip link add NS type veth peer name eth0 netns NS; ip addr add 10.197.3.1/24 dev NS; ip link set NS up
    ip -n NS addr add 10.197.3.2/24 dev eth0; ip -n NS link set eth0 up; ip -n NS link set lo up]]):gsub("NS", NS)
  local result = tfl.exec{"sh", "-ec", line}
  if not result.ok then node:fail("%%s", result.stderr) end
  return node:spawn{"ip", "netns", "exec", NS, table.unpack(node.spec.argv)}
end
]=]):format(mark), nil, 1, 100)
        local result = run(path)
        assert.equal(0, result.code, result.text)
        local function there() return support.sh("ip netns; ip link"):find(mark, 1, true) end
        local function gone() support.eventually(function() return not there() end, 30, "no namespace or link left") end
        gone() -- the kernel takes a namespace and its link down beside whoever asked for it
        local handle = support.start { path, "-d", "mine", "-t", "60s" }
        handle:wait_output "spec: run"
        assert.truthy(there())
        handle:signal "KILL"
        handle:wait(30)
        support.assert_nothing_left()
        gone()
    end)
end)

describe("tfl check", function()
    it("lists the deployers of the file when a name is unknown", function()
        local result = support.run { "check", file(OUTSIDE), "-d", "min" }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find '%-d min: there is no such deployer; did you mean "mine"%?', result.text)
        result = support.run { "check", file(OUTSIDE), "-d", "elsewhere" }
        assert.truthy(result.err:find "known are: compose, host, k8s, local, mine", result.text)
    end)

    it("refuses what a scenario needs and the deployer cannot do, naming both", function()
        refused(OUTSIDE .. "d.capabilities = {link = 'it is far away'}",
            "enable_node_control{links = true}: link faults: the deployer mine cannot do that %(it is far away%)",
            ":enable_node_control{links = true}")
        refused(OUTSIDE .. "function d.site() return {host = '10.0.0.1'} end", "relays stand on 127.0.0.1",
            ":topology_with(function(t) t:links 'wan' end)")
        refused(OUTSIDE .. "d.capabilities = {pause = false}", "pause needs the verb pause: the deployer mine cannot do that",
            ":chaos_with(function(c) c:pause():min_delay '1s':max_delay '1s':apply() end)")
        refused(OUTSIDE .. "d.capabilities = {start_node = 'no room'}", "late_nodes.*mine cannot do that %(no room%)",
            ":topology_with(function(t) t:nodes(3):late_nodes(1) end)")
    end)

    it("refuses nonsense by name", function()
        local what = 'tfl.deployer "mine"'
        refused('tfl.deployer("mine", {strat = print})', what .. ': there is no option "strat"; did you mean "start"%?')
        refused('tfl.deployer("mine", {start = 7})', what .. ": start should be a function, got 7")
        refused('tfl.deployer("mine", {})', what .. ": it has no start")
        refused('tfl.deployer("mine", 7)', "a table of options was expected, got 7")
        refused('tfl.deployer("local", {})', 'tfl.deployer "local": that is a deployer of tfl')
        refused('tfl.deployer("a b", {})', "a name of letters")
        refused('tfl.deployer "mine" tfl.deployer "mine"', "has a deployer of that name already")
        refused('tfl.deployer("mine", {capabilities = {links = true}})', 'there is no option "links"; did you mean "link"%?')
        refused('tfl.deployer("mine", {capabilities = {link = 1}})', "link should be true, false or why not, got 1")
        refused('tfl.deployer("mine", {hop = "far"})', "hop")
    end)
end)

describe("scenarios/custom_deployer.lua", function()
    it("passes with both deployers, and its twins fail", function()
        local handles = {}
        for _, name in ipairs { "small", "supervised" } do
            for i, twin in ipairs { "false", "true" } do
                handles[name .. i] = support.start { "scenarios/custom_deployer.lua", "-d", name, "-p", "twin=" .. twin, "--json", "-q" }
            end
        end
        for name, handle in pairs(handles) do
            local result = handle:wait(90)
            local verdict = result.summary and result.summary.verdict
            if name:find "1$" then
                assert.is_true(verdict == "pass" or verdict == "inconclusive", result.text)
            else
                assert.equal("fail", verdict, result.text)
                assert.equal("node_exited", result.summary.error.code, result.text)
            end
        end
    end)
end)
