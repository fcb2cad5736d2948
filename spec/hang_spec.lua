-- Whatever a node, a binary, a script or the machine does: an answer in bounded time, with a verdict and a code.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local two_nodes = [[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
    :with_run_duration(tfl.slots(60)):expect_consensus_liveness()]]

describe("a node that", function()
    -- bad from the start: never ready. TFL_READY_SECONDS keeps the deadline short.
    for _, mode in ipairs { "accept_silent", "drip", "huge", "huge_chunked", "endless_header", "garbage", "reset" } do
        it("answers with " .. mode .. " is never ready", function()
            local node = nodes.with { ["node-1"] = support.fake_node() }
            local result = nodes.run(nodes.scenario(two_nodes), {
                node = node, env = { FAKE_MODE = mode, TFL_READY_SECONDS = "3" }, timeout = 60,
            })
            assert.equal(3, result.code, result.text)
            assert.equal("not_ready", result.summary.error.code, result.text)
            assert.truthy(result.summary.error.message:find("node-1", 1, true), result.text)
            assert.is_true(result.summary.wall_seconds < 15, result.text)
        end)
    end

    it("exits at once is infra, with its exit code", function()
        local result = nodes.run(nodes.scenario(two_nodes), {
            node = nodes.with { ["node-1"] = support.fake_node() }, env = { FAKE_MODE = "exit_now" },
        })
        assert.equal(3, result.code, result.text)
        assert.equal("exited", result.summary.error.code, result.text)
        assert.truthy(result.summary.error.message:find("exit code 3", 1, true), result.text)
    end)

    it("prints a gigabyte fills no disk", function()
        local result = nodes.run(nodes.scenario(two_nodes), {
            node = nodes.with { ["node-1"] = support.fake_node() }, "--keep", timeout = 90,
            env = { FAKE_MODE = "print_gigabyte", TFL_READY_SECONDS = "8" },
        })
        assert.equal(3, result.code, result.text)
        local kb = tonumber((support.sh("du -sk " .. support.quote(result.summary.dir)):match "^(%d+)"))
        assert.is_true(kb < 80 * 1024, kb .. " kB in the run folder")
    end)
end)

describe("a node binary that is", function()
    local function refused(program, pattern)
        local result = nodes.run(nodes.scenario(two_nodes), { node = program })
        assert.equal(3, result.code, result.text)
        assert.truthy(result.summary.error.message:find(program, 1, true), result.text)
        assert.truthy(result.summary.error.message:find(pattern), result.text)
    end

    it("missing", function() refused(support.path "no/such/node", "no such file") end)
    it("not executable", function() refused(support.write("bin/plain", "#!/bin/sh\n"), "not executable") end)
    it("no program", function()
        local path = support.write("bin/junk", "\1\2\3 not a program")
        os.execute("chmod +x " .. path)
        refused(path, "format")
    end)
end)

describe("a script with", function()
    local function script(text, ...)
        return nodes.run(support.write("bad.lua", text), { ... })
    end

    it("a syntax error: exit 2 and the line", function()
        local result = script "tfl.scenario(\n\nlocal"
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find "bad.lua:%d:", result.text)
        assert.equal("script_error", result.summary.error.code)
    end)

    local mistakes = {
        ["tfl.scenaro('x')"] = 'scenaro.*did you mean "scenario"',
        ["tfl.scenario('x'):topology_with(function(t) t:node(3) end)"] = 'makes so many nodes',
        ["tfl.scenario('x'):topology_with(3)"] = "a function",
        ["tfl.scenario('x'):topology_with(function(t) t:nodes('three') end)"] = "whole number",
        ["tfl.scenario('x'):with_run_duration('10x')"] = "unknown unit",
        ["tfl.scenario('x'):expect_consensus_livenes()"] = 'did you mean "expect_consensus_liveness"',
        ["tfl.scenario('x'):expect_consensus_liveness{lagg = 1}"] = 'did you mean "lag"',
        ["tfl.scenario(nil)"] = "a name",
        ["tfl.expectation('e', {evaluat = function() end})"] = 'did you mean "evaluate"',
        ["tfl.expectation('e', {evaluate = 3})"] = "should be a function",
        ["local w = tfl.workload('w'); function w:strat() end; tfl.scenario('x'):with_workload(w)"] = 'did you mean "start"',
        ["tfl.scenario('x'):with_workload(tfl.workload('w'))"] = "has no start",
        ["tfl.scenario('x'):with_workload(tfl.workload('w', {start = print, expectations = {5}}))"] = "tfl.expectation",
        ["tfl.scenario('x'):topology_with(function(t) t:nodes(2):layout(function() return {0, 1} end) end)"] = "two node numbers",
        ["tfl.scenario('x'):with_expectation(tfl.expectation('safety', {}))"] = "two expectations",
        ["tfl.scenario('x') tfl.scenario('x')"] = "two scenarios",
        ["local p = tfl.params{a = 1} tfl.scenario(p.b)"] = "no parameter",
        ["tfl.params{a = {1, tpye = 'number'}}"] = 'did you mean "type"',
        ["tfl.exec{'true'}"] = "file%-level code",
        ["os.execute('true')"] = "tfl.exec",
        ["io.popen('true')"] = "tfl.exec",
        ["os.exit(0)"] = "leave the cluster behind",
        ["return 1"] = "describes no scenario",
    }
    for text, pattern in pairs(mistakes) do
        it("the mistake " .. text, function()
            local result = script(text)
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(pattern), result.text)
        end)
    end

    it("an endless loop at file level", function()
        local result = script "while true do end"
        assert.equal(2, result.code, result.text)
        assert.equal("script_hog", result.summary.error.code, result.text)
    end)

    it("no endless loop: a script during which the machine stood still", function()
        local handle = support.start {
            support.write("s.lua", [[io.stdout:write "here\n" io.stdout:flush()
                local t = os.clock() while os.clock() - t < 0.5 do end
                error "it went on"]]),
        }
        handle:wait_output "here"
        handle:stand_still(6)
        local result = handle:wait(30)
        assert.matches("it went on", result.err, 1, true)
    end)

    it("an endless loop inside pcall, in a hook", function()
        local result = nodes.run(nodes.scenario(two_nodes .. [[:with_workload(tfl.workload("hog", {start = function()
            while true do pcall(function() while true do end end) end end}))]]))
        assert.equal(2, result.code, result.text)
        assert.equal("script_hog", result.summary.error.code, result.text)
        assert.truthy(result.summary.error.message:find "spec.lua:%d+", result.text)
    end)

    it("an endless loop inside string.find: the guardian ends it and says why", function()
        local result = nodes.run(nodes.scenario(two_nodes .. [[:with_workload(tfl.workload("hog", {start = function()
            local s = ("a"):rep(40); s:find(("a*"):rep(30) .. "b") end}))]]), { timeout = 60 })
        assert.equal(2, result.code, result.text)
        local text = support.eventually(function() return support.read(support.run_folder() .. "/summary.json") end, 20)
        assert.truthy(text:find "script_hog", text)
        assert.truthy(support.read(support.run_folder() .. "/events.jsonl"):find "heartbeat_lost")
    end)

    it("a wait where none is allowed", function()
        for call, pattern in pairs {
            ["table.sort({1, 2, 3}, function(a, b) ctx:sleep(0.01) return a < b end)"] = "sort or gsub callback",
            ["coroutine.wrap(function() ctx:sleep(0.01) end)()"] = "use ctx:spawn",
            ["coroutine.yield()"] = "use ctx:sleep",
        } do
            local result = nodes.run(nodes.scenario(two_nodes .. ([[:with_workload(tfl.workload("w", {
                start = function(_, ctx) %s end}))]]):format(call)))
            assert.equal(2, result.code, result.text)
            assert.truthy(result.summary.error.message:find(pattern), result.text)
        end
    end)

    it("libraries it has broken harms only itself", function()
        local result = nodes.run(nodes.scenario(two_nodes, "string.format = nil; table.concat = nil; error = nil; math = nil"))
        assert.equal(0, result.code, result.text)
    end)

    it("a check that never comes to an end does not pass", function()
        local result = nodes.run(nodes.scenario(two_nodes .. [[:with_expectation(tfl.expectation("e", {
            check_during_capture = function(_, ctx) ctx:node(0):client():consensus_info() ctx:sleep(1000) end}))]]))
        assert.equal(4, result.code, result.text)
        assert.equal("not_evaluated", nodes.expectation(result, "e").code, result.text)
    end)

    it("a hook that waits for ever is cut off by the end of the window", function()
        local result = nodes.run(nodes.scenario(two_nodes .. [[:with_workload(tfl.workload("w", {
            start = function(_, ctx) while true do pcall(ctx.sleep, ctx, 3600) end end}))]]))
        assert.equal(0, result.code, result.text)
    end)
end)

describe("the machine:", function()
    it("a full disk under the run folder is infra, and said", function()
        local mount = support.path "small"
        local _, mounted = support.sh(("mkdir -p %s && mount -t tmpfs -o size=600k tmpfs %s"):format(mount, mount))
        assert.equal(0, mounted, "this test mounts a small tmpfs, which needs root")
        local result = nodes.run(nodes.liveness(3, 400), { "--out", mount .. "/out" })
        support.sh("umount -l " .. mount)
        assert.equal(3, result.code, result.text)
        assert.truthy((result.out .. result.err):find "No space left" or result.out:find "disk is full", result.text)
    end)

    it("no free port is infra, and said", function()
        local run = support.dir() .. "/run/tfl"
        -- another tfl of this user that holds every block, as far as locks tell
        local holder = support.write("hold.sh", ("mkdir -p -m 700 %s; fd=10; for p in $(seq 20000 32 32767); do "
            .. "eval \"exec $fd>%s/ports-$p.lock\"; flock -n $fd; fd=$((fd + 1)); done; echo held; exec sleep 60"):format(run, run))
        local other = support.start { "-c", "ulimit -n 2000; . " .. holder, program = "/bin/bash" }
        other:wait_output "held"
        local result = nodes.run(nodes.liveness(2, 60))
        other:signal("KILL", true)
        assert.equal(3, result.code, result.text)
        assert.equal("no_ports", result.summary.error.code, result.text)
        support.sh("rm -rf " .. run)
    end)

    it("a state folder that cannot be written names it", function()
        local result = nodes.run(nodes.liveness(2, 60), { env = { XDG_STATE_HOME = "/proc/nothing" } })
        assert.equal(3, result.code, result.text)
        assert.truthy(result.err:find("/proc/nothing", 1, true), result.text)
    end)
end)
