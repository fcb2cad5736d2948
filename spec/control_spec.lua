-- Node control on this host: verbs on nodes, what the journal says of them, and what is a crash and what is not.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local HEAD = nodes.WORKLOAD

-- Twelve seconds, over when the workload is.
local UNHURRIED = [[:topology_with(function(t) t:nodes(3):full():slot_duration "200ms" end):enable_node_control()]]

-- One run of 3 nodes whose workload is `work`: Lua run inside tfl. Its journal beside the result.
local function run(work, options)
    options = options or {}
    local file = nodes.scenario((options.scenario or [[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms" end)
        :with_run_duration(tfl.slots(70)):enable_node_control()]]) .. ":with_workload(w)", HEAD .. work)
    local result = nodes.run(file, { "--seed", "11", env = options.env, node = options.node })
    assert.equal(options.code or 0, result.code, result.text)
    return result, nodes.events(result, "^fault")
end

describe("node control", function()
    it("restart, kill, start, pause, resume, stop: state, pid, journal", function()
        local _, journal = run([[
        function w:start(ctx)
            local n = ctx:node(1)
            equal("running", n:state())
            local fault = n:restart()
            equal(true, fault:bit(), "a new pid") equal("running", n:state())
            n:kill() equal("stopped", n:state())
            equal(2, #ctx:node_clients(), "clients of what is up")
            n:start() n:wait_ready() equal("running", n:state())
            n:pause() equal("paused", n:state())
            n:resume() equal("running", n:state())
            n:stop() equal("stopped", n:state())
            n:start()
            ctx:node_control():restart("node-2", {wipe = true})
            ctx:wait_for_height(3)
        end]], { scenario = UNHURRIED })
        local verbs = {}
        for _, event in ipairs(journal) do
            if event.type == "fault" then
                verbs[#verbs + 1] = event.verb .. " " .. event.targets[1] .. " " .. event.by
                assert.is_number(event.slot)
            end
        end
        assert.same({ "restart node-1 w", "kill node-1 w", "pause node-1 w", "stop node-1 w", "restart node-2 w" }, verbs)
        local ended, ready = 0, 0
        for _, event in ipairs(journal) do
            ended = ended + (event.type == "fault_end" and 1 or 0)
            ready = ready + (event.type == "fault_ready" and 1 or 0)
        end
        assert.equal(5, ended)
        assert.is_true(ready >= 1)
    end)

    it("a verb that the state of the node forbids raises at once", function()
        run [[
        function w:start(ctx)
            local n = ctx:node(0)
            for verb, state in pairs {start = "running", resume = "running"} do
                local ok, err = tfl.try(n[verb], n)
                equal(false, ok) equal("wrong_state", err.code) equal("node-0", err.node)
                assert(err.message:find(state, 1, true), err.message)
            end
            n:kill()
            for _, verb in ipairs {"kill", "stop", "pause", "resume"} do
                local ok, err = tfl.try(n[verb], n)
                equal(false, ok) equal("wrong_state", err.code) assert(err.message:find "stopped", err.message)
            end
            n:start()
        end]]
    end)

    it("verbs on one node queue, on several nodes run side by side", function()
        run [[
        function w:start(ctx)
            local done = {}
            local tasks = {}
            for i, what in ipairs {"kill", "start", "pause", "resume", "restart"} do
                tasks[i] = ctx:spawn(function() ctx:node(0)[what](ctx:node(0)) done[#done + 1] = what end)
            end
            for _, one in ipairs(tasks) do one:wait(20) end
            equal("kill start pause resume restart", table.concat(done, " "))
        end]]
    end)

    it("restart{config, args} takes effect and stays; wipe drops the data and syncs again", function()
        run([[
        local function count(ctx, pattern)
            local n = 0
            for _ in ctx:logs(1):text():gmatch(pattern) do n = n + 1 end
            return n
        end
        function w:start(ctx)
            local n = ctx:node(1)
            ctx:wait_for_height(5)
            n:restart{config = {tracing = {level = "DEBUG"}}}
            ctx:eventually(function() return count(ctx, "DEBUG") > 0 end)
            n:restart{config = function(c) c.tracing.level = "ERROR" end}
            n:wait_ready()
            n:restart()
            n:wait_ready()
            local before = n:client():consensus_info().height
            assert(before >= 5, before)
            n:restart{wipe = true}
            n:wait_ready()
            ctx:eventually(function() return n:client():consensus_info().height >= before end)
        end]], { scenario = UNHURRIED })
    end)

    it("what is stopped, killed or paused on purpose is no crash, and is not live", function()
        local result = run [[
        function w:start(ctx)
            ctx:node(1):stop()
            ctx:node(2):pause()
            equal(1, #ctx:node_clients())
        end]]
        assert.equal("pass", result.summary.verdict)
        assert.same({}, result.summary.problems)
    end)

    it("a pause that is left on is ended after the window, and journalled", function()
        local _, journal = run [[
        function w:start(ctx) ctx:node(2):pause() end]]
        assert.equal("fault", journal[1].type)
        assert.equal("fault_end", journal[2].type)
        assert.is_true(journal[2].slot > journal[1].slot + 30, "until the window is over")
    end)

    it("a node that dies by itself fails the run though others are stopped on purpose", function()
        local result = run([[
        function w:start(ctx)
            ctx:node(1):stop()
            local detail = ctx:node(2)
            tfl.exec{"sh", "-c", "kill -9 " .. ctx.run.pids["node-2"]}
            ctx:sleep "30s"
        end]], { code = 1 })
        assert.equal("node_exited", result.summary.error.code)
        assert.equal("node-2", result.summary.error.node)
    end)

    it("needs enable_node_control", function()
        local result = run("function w:start(ctx) ctx:node(0):kill() end", { code = 2,
            scenario = ":topology_with(function(t) t:nodes(2):slot_duration '50ms' end):with_run_duration(tfl.slots(60))" })
        assert.truthy(result.text:find("add :enable_node_control()", 1, true), result.text)
    end)

    it("a killed tfl leaves no paused node behind", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
            :with_run_duration "60s":enable_node_control():with_workload(w)]], HEAD .. [[
        function w:start(ctx) ctx:node(1):pause() print "paused" ctx:sleep "60s" end]])
        local handle = support.start { file }
        handle:wait_output "paused"
        handle:signal "KILL"
        handle:wait(10)
    end)
end)

describe("a node that is asked to end", function()
    -- tfl-node within a shell that does `what` when it is sent SIGTERM, as node-1.
    local function wrapped(what)
        local path = support.write("bin/wrapped", ([[#!/bin/sh
trap '%s' TERM
%s "$@" &
while :; do wait; sleep 0.02; done
]]):format(what, support.quote(nodes.tfl_node())))
        os.execute("chmod +x " .. support.quote(path))
        return nodes.with { ["node-1"] = path }
    end

    -- Over when its workload is.
    local SHORT = [[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end):enable_node_control()]]
    local STOP = "function w:start(ctx) ctx:wait_for_height(1) ctx:node(1):stop{timeout = '10s'} end"

    it("and crashes fails the run", function()
        local result = run(STOP, { scenario = SHORT, node = wrapped "kill -SEGV $$", code = 1 })
        assert.equal("crashed_on_stop", result.summary.error.code)
        assert.truthy(result.out:find("node-1 crashed when it was stopped by SIGTERM (killed by SIGSEGV", 1, true), result.text)
        assert.truthy(result.summary.nodes_detail[2].crashed)
    end)

    it("and reports what a sanitizer found fails the run, in the teardown, too", function()
        local result = run("function w:start(ctx) ctx:wait_for_height(1) end",
            { scenario = SHORT, node = wrapped "echo SUMMARY: AddressSanitizer: heap-use-after-free; exit 1", code = 1 })
        local want = "node-1 crashed when it was stopped by SIGTERM (exit code 1, AddressSanitizer)"
        assert.truthy(result.out:find(want, 1, true), result.text)
    end)

    it("and does not in time, or not with 0, is a warning that is told at once and in the end", function()
        local loud = nodes.scenario(SHORT .. ":with_workload(w)", HEAD .. "function w:start(ctx) ctx:wait_for_height(1) end")
        local said = support.run { loud, env = { TFL_NODE_BIN = wrapped "exit 7" } }
        assert.truthy(said.err:find("warning: node-1 ended with exit code 7 when it was stopped by SIGTERM", 1, true), said.text)
        for what, code in pairs { [":"] = "stop_forced", ["exit 7"] = "stop_status" } do
            local result = run(what == ":" and STOP:gsub("10s", "1s") or STOP, { scenario = SHORT, node = wrapped(what) })
            local warning = result.summary.warnings[1]
            assert.same({ code, { "node-1" } }, { warning.code, warning.nodes })
            assert.truthy(result.out:find("warning +node%-1 "), result.text)
            assert.equal("node-1", nodes.events(result, "^warning")[1].node)
            local ended = nodes.events(result, "^node_exited")[1]
            assert.equal(code == "stop_forced" or nil, ended.forced)
        end
    end)

    it("as it is, by a signal that it hands on, or by SIGKILL, is nothing to tell of", function()
        for _, work in ipairs { STOP, STOP:gsub("stop{.-}", "kill()"), (STOP:gsub("timeout = '10s'", "how = 'INT'")) } do
            local result = run(work, { scenario = SHORT, node = wrapped "exit 143" })
            assert.same({}, result.summary.warnings, result.text)
        end
    end)
end)
