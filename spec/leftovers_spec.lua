-- Nothing stays behind: support.guard() looks for processes, ports, locks and temporary files after every test.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

-- A scenario that holds still in the hook of a phase; it says so on stderr.
local function held(hook, more)
    local hooks = {
        init = "init = function(self) tfl.exec{'sleep', '60', timeout = 90} end",
        start_capture = "start_capture = function(self, ctx) ctx:log('held') ctx:sleep(60) end",
        check_during_capture = "check_during_capture = function(self, ctx) ctx:log('held') ctx:sleep(60) end",
        evaluate = "evaluate = function(self, ctx) ctx:log('held') ctx:sleep(60) end",
    }
    return nodes.scenario(([[:topology_with(function(t) t:nodes(3):slot_duration "50ms" end)
        :with_run_duration(tfl.slots(60)):with_expectation(tfl.expectation("hold", {%s}))%s]]):format(hooks[hook] or "", more or ""))
end

local function start(file, env)
    return support.start { file, env = env }
end

describe("kill -9 of tfl", function()
    local function killed(handle)
        assert.is_true(handle:signal "KILL")
        local result = handle:wait(30)
        assert.equal(137, result.code, result.text)
        support.assert_nothing_left()
        local folder = support.run_folder()
        if folder then
            local text = support.eventually(function() return support.read(folder .. "/summary.json") end, 2, "summary.json")
            assert.truthy(text:find "tfl_killed", text)
        end
    end

    it("while a hook before deploy runs", function()
        local handle = start(held "init")
        support.eventually(function() return support.sh("pgrep -P " .. handle.pid .. " -x sleep") ~= "" end, 20, "the hook's program")
        killed(handle)
    end)

    it("while nodes are not ready", function()
        local handle = start(nodes.liveness(3, 60), {
            TFL_NODE_BIN = nodes.with { ["node-1"] = support.fake_node() }, FAKE_MODE = "accept_silent",
        })
        handle:wait_output "spec: ready"
        killed(handle)
    end)

    for _, hook in ipairs { "start_capture", "check_during_capture", "evaluate" } do
        it("while a hook runs: " .. hook, function()
            local handle = start(held(hook))
            handle:wait_output "hold: held"
            killed(handle)
        end)
    end

    it("in the window", function()
        local handle = start(nodes.liveness(3, 400))
        handle:wait_output "spec: run"
        killed(handle)
    end)

    it("while nodes that do not listen are taken down", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
            :with_run_duration(tfl.slots(4))]])
        local stubborn = support.write("bin/stubborn", "#!/bin/sh\ntrap '' TERM INT\n" .. support.quote(nodes.tfl_node())
            .. ' "$@" &\nwhile :; do wait; done\n')
        os.execute("chmod +x " .. stubborn)
        local handle = start(file, { TFL_NODE_BIN = stubborn })
        handle:wait_output "spec: teardown"
        killed(handle)
    end)
end)

describe("Ctrl-C", function()
    it("once: cleans up, says what was seen, exits 130", function()
        local handle = start(nodes.liveness(3, 400))
        handle:wait_output "spec: run"
        handle:signal("INT", true)
        local result = handle:wait(30)
        assert.equal(130, result.code, result.text)
        assert.truthy(result.out:find "^INTERRUPTED", result.text)
        support.assert_nothing_left()
    end)

    it("once, in a hook of evaluate", function()
        local handle = start(held "evaluate")
        handle:wait_output "hold: held"
        handle:signal("INT", true)
        assert.equal(130, handle:wait(30).code)
        support.assert_nothing_left()
    end)

    it("twice: leaves at once, the guardian cleans up", function()
        local handle = start(nodes.liveness(3, 60), {
            TFL_NODE_BIN = nodes.with { support.fake_node() }, FAKE_MODE = "accept_silent,stubborn",
        })
        handle:wait_output "spec: ready"
        handle:signal("INT", true)
        handle:signal("INT", true)
        local result = handle:wait(30)
        assert.equal(130, result.code, result.text)
        support.assert_nothing_left()
    end)
end)

describe("after", function()
    it("a script error in each hook: exit 2, the line, nothing left", function()
        for _, hook in ipairs { "init", "start_capture", "check_during_capture", "evaluate" } do
            local file = nodes.scenario(([[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
                :with_run_duration(tfl.slots(60)):with_expectation(tfl.expectation("bad", {
                %s = function() local nothing; return nothing.field end}))]]):format(hook))
            local result = nodes.run(file)
            assert.equal(2, result.code, hook .. "\n" .. result.text)
            assert.equal("script_error", result.summary.error.code, result.text)
            assert.truthy(result.summary.error.message:find("spec.lua:%d+: attempt to index a nil value"), result.text)
            assert.truthy(result.summary.error.message:find(hook, 1, true), result.text)
            support.assert_nothing_left()
        end
    end)

    it("a script error in a workload", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
            :with_run_duration(tfl.slots(400)):with_workload(tfl.workload("w", {start = function(_, ctx)
            ctx:sleep(0.1) error{anything = 1} end}))]])
        local result = nodes.run(file)
        assert.equal(2, result.code, result.text)
        assert.equal("script_error", result.summary.error.code, result.text)
    end)

    it("two clusters of 20 nodes at once, which never meet", function()
        local body = [[:topology_with(function(t) t:nodes(20):network_star():slot_duration "200ms" end)
            :with_run_duration(tfl.slots(54)):expect_consensus_liveness()]]
        local one = support.start { nodes.scenario(body), "--json", "--quiet", "--seed", "1" }
        local two = support.start { nodes.scenario(body), "--json", "--quiet", "--seed", "1" }
        for _, handle in ipairs { one, two } do
            local result = handle:wait(120)
            -- on a starved machine the chain may be too slow to judge; it must never be judged wrongly
            local verdict = result.summary and result.summary.verdict
            assert.is_true(verdict == "pass" or verdict == "inconclusive", result.text)
        end
        support.assert_nothing_left()
    end)
end)

describe("tfl clean", function()
    it("finds nothing after runs that cleaned up", function()
        local ran = nodes.run(nodes.scenario(":topology_with(function(t) t:nodes(1):slot_duration '50ms' end)"
            .. ":with_run_duration(tfl.slots(60)):expect_consensus_liveness()"))
        assert.equal(0, ran.code, ran.text)
        local result = support.run { "clean" }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find "nothing to clean", result.text)
    end)

    it("undoes what a run and its guardian left when both were killed", function()
        local handle = start(nodes.liveness(2, 400))
        handle:wait_output "spec: run"
        local guardian = support.sh("pgrep -f -- '--guardian.* " .. handle.pid .. "'")
        assert.truthy(guardian:match "%d", "no guardian of " .. handle.pid)
        support.sh("kill -STOP " .. guardian:gsub("\n", " "))
        handle:signal "KILL"
        handle:wait(30)
        support.sh("kill -KILL " .. guardian:gsub("\n", " "))
        local result = support.run { "clean" }
        assert.equal(0, result.code, result.text)
        support.assert_nothing_left()
    end)
end)
