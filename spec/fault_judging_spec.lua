-- Judging under faults: what the stake that was up could not do is no failure, what it could and did not is one.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local function run(work, options)
    local file = nodes.scenario((options.scenario or [[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms" end)
        :enable_node_control()]]) .. (options.rest or "") .. ":with_workload(w)", [[
        local w = tfl.workload "w"
        function w:start(ctx)
        ]] .. work .. " end")
    local result = nodes.run(file, { "--seed", "11", "-t", options.time or "8s", node = options.node })
    assert.equal(options.code or 0, result.code, result.text)
    return result
end

describe("liveness under faults", function()
    it("a killed majority asks less of the chain, and the run passes", function()
        local result = run([[
            ctx:sleep "1s"
            ctx:node(1):kill() ctx:node(2):kill()
            ctx:sleep "4s"
            ctx:node(1):start() ctx:node(2):start()]],
            { rest = ":expect_consensus_liveness():expect_recovery{within = '10s'}", time = "16s" })
        local e = nodes.expectation(result, "consensus_liveness")
        assert.is_true(e.figures.required < 95, e.message)
        assert.truthy(e.message:find "under faults")
    end)

    it("what all nodes had when all were taken down on purpose is judged, not the silence after", function()
        local result = run([[
            ctx:sleep "5s"
            for i = 0, 2 do ctx:node(i):kill() end]], { rest = ":expect_consensus_liveness()", time = "8s" })
        assert.is_true(nodes.expectation(result, "consensus_liveness").figures.canonical > 20)
        local gave_up = nodes.events(result, "^settle_timeout$")[1]
        assert.is_true(not gave_up or gave_up.seconds < 2, result.text)
    end)

    it("a chain that stands although its stake is online again is stalled", function()
        local result = run([[
            ctx:sleep "1s"
            ctx:node(2):restart()
            for i = 0, 2 do ctx:node(i):restart{args = {"--test", "lead=false"}} end]],
            { rest = ":expect_consensus_liveness()", time = "14s", code = 1 })
        assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code)
    end)

    it("a node that comes back and does not follow is lagging, and the cluster has not recovered", function()
        local result = run([[
            ctx:sleep "1s"
            ctx:node(2):restart{peers = "none", args = {"--test", "lead=false"}}]],
            { rest = ":expect_consensus_liveness():expect_recovery{within = '4s'}:expect_height_convergence()", time = "9s", code = 1 })
        assert.equal("lagging", nodes.expectation(result, "consensus_liveness").code)
        assert.equal("not_recovered", nodes.expectation(result, "recovery").code)
        assert.equal("not_converged", nodes.expectation(result, "height_convergence").code)
    end)

    it("a fault that is over only after the window has its time to be recovered from", function()
        local slow = support.write("bin/slow", ("#!/bin/sh\ntrap 'test -e slow || { : >slow; sleep 5; }; kill $!; wait; exit 0' TERM\n"
            .. "%s \"$@\" &\nwait\n"):format(support.quote(nodes.tfl_node())))
        os.execute("chmod +x " .. support.quote(slow))
        local result = run([[
            ctx:sleep(math.max(0, ctx:remaining() - 3))
            ctx:node(2):restart()]], { rest = ":expect_recovery{within = '8s'}", time = "5s", node = nodes.with { ["node-2"] = slow } })
        assert.equal("pass", nodes.expectation(result, "recovery").verdict)
        assert.is_true(result.summary.faults[1].to_slot > 100, result.text)
    end)

    it("a fork that nobody resolves fails once it has been open too long", function()
        local result = run([[
            ctx:wait_for_height(2)
            ctx:node(2):restart{peers = "none"}]],
            { scenario = [[:topology_with(function(t) t:nodes(3):network_star():slot_duration("50ms"):security_param(100) end)
                :enable_node_control()]], rest = ":expect_fork_resolution{within = '4s'}", time = "9s", code = 1 })
        assert.equal("fork_unresolved", nodes.expectation(result, "fork_resolution").code)
    end)

    it("no fault, no recovery to judge", function()
        local result = run([[ctx:node(0):client():consensus_info()]], { rest = ":expect_recovery{within = '4s'}", time = "3s", code = 4 })
        assert.equal("no_sample", nodes.expectation(result, "recovery").code)
    end)

    it("a bound of recovery that chance breaks is refused", function()
        local result = support.run { "check", nodes.scenario [[:topology_with(function(t) t:nodes(2) end):expect_recovery{within = "1s"}]] }
        assert.equal(2, result.code)
        assert.truthy(result.err:find "allow at least", result.err)
    end)

    it("faults, their windows and figures reach scripts and the summary", function()
        local result = run([[
            ctx:wait_for_height(3)
            ctx:node(1):pause()
            ctx:sleep "1s"
            ctx:node(1):resume()
            ctx:sleep "1s"
            local faults = ctx:faults()
            assert(#faults == 1 and faults[1].verb == "pause" and faults[1].name == "pause#1", #faults)
            local during = ctx:window(faults[1], "during")
            local slots = (faults[1].t1 - faults[1].t0) / 0.05
            assert(slots >= 19 and math.abs(during[2] - during[1] - slots) <= 2, slots)
            local before, after = ctx:window("pause#1", "before"), ctx:window("pause#1", "after")
            assert(before[2] == during[1] and after[1] == during[2])
            local figures = ctx:figures{window = during}
            assert(figures.canonical <= figures.observed and figures.slots == during[2] - during[1])
            assert(not tfl.try(ctx.window, ctx, "pause#9", "during") and not tfl.try(ctx.window, ctx, faults[1], "within"))]],
            { rest = ":expect_height_convergence()" })
        assert.equal("pause", result.summary.faults[1].verb)
        assert.same({ "node-1" }, result.summary.faults[1].targets)
        local plain = support.run { "check", result.summary.file }
        assert.equal(0, plain.code, plain.text)
    end)
end)

it("a tfl that stands still with its relays is a cut of all links, told and judged", function()
    local result = nodes.run(nodes.scenario([[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms":security_param(60) end)
        :enable_node_control{links = true}:with_workload(w):with_run_duration "8s":expect_consensus_liveness()]], nodes.WORKLOAD .. [[
        function w:start(ctx)
            ctx:sleep "2s"
            local from = os.time()
            while os.time() - from < 3 do end -- between two and three seconds
        end]]), { "--seed", "11" })
    assert.equal(0, result.code, result.text)
    local stall = nodes.events(result, "^fault$")[1]
    assert.same({ "stall", "host" }, { stall.verb, stall.by })
    local e = nodes.expectation(result, "consensus_liveness")
    assert.equal(e.figures.required, result.summary.blocks.required) -- one bound, that under faults
end)
