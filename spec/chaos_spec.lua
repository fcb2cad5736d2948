-- Chaos through the built tfl: journals, replay, refusals.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local TOP = [[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms" end)]]
local RUN = ':with_run_duration(tfl.slots(160))'

local function chaos(body, rest)
    return nodes.scenario(TOP .. (rest or RUN .. ":enable_node_control()") .. ":chaos_with(function(c) " .. body .. " end)")
end

-- (slot since the window began, verb, targets) of what a run's chaos did; with `planned` also of what it had to leave out.
local function journal(dir, planned)
    local list = {}
    for line in io.lines(dir .. "/events.jsonl") do
        if line:find('"type":"chaos"', 1, true) or planned and line:find('"type":"fault_skipped"', 1, true) then
            local e = support.json(line)
            list[#list + 1] = ("%d %s %s"):format(e.at, e.verb, table.concat(e.targets, ","))
        end
    end
    table.sort(list)
    return list
end

local BODY = [[c:restart():min_delay "0.5s":max_delay "1s":target_cooldown "1s":apply()
    c:pause():min_delay "1s":max_delay "2s":duration "0.5s":apply()]]

describe("chaos", function()
    it("one seed, one journal; another seed, another one; --replay follows a journal", function()
        local file = chaos((BODY:gsub('"0.5s":max_delay "1s"', '"1.5s":max_delay "2.5s"'))) -- a busy host restarts no node in a second
        local runs = {}
        for i, options in ipairs { { "--seed", "5" }, { "--seed", "5" }, { "--seed", "6" } } do
            local result = nodes.run(file, options)
            assert.equal(0, result.code, result.text)
            runs[i] = { journal(result.summary.dir, true), result.summary }
        end
        assert.is_true(#runs[1][1] >= 4)
        assert.same(runs[1][1], runs[2][1])
        assert.not_same(runs[1][1], runs[3][1])
        assert.equal("ok", nodes.expectation({ summary = runs[1][2] }, "chaos").code)
        local again = nodes.run(file, { "--replay", runs[3][2].dir })
        assert.equal(0, again.code, again.text)
        assert.same(journal(runs[3][2].dir), journal(again.summary.dir, true)) -- a replay is of what was made
        assert.equal(6, again.summary.seed)
    end)

    it("is told by tfl check, with its first slots", function()
        local result = support.run { "check", chaos(BODY), "--seed", "5" }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find "chaos%s+%d+ restart, %d+ pause: slot %d+ %w+ node%-%d", result.text)
    end)

    it("is refused before anything starts: no control, nothing to happen, k too small, no such node", function()
        for body, want in pairs {
            ['c:restart()'] = "enable_node_control",
            ['c:restart():min_delay "1h":max_delay "2h"'] = "nothing would happen",
            ['c:restart():min_delay "2s":max_delay "1s"'] = "max_delay (1s) is below min_delay (2s)",
            ['c:kill():exclude "node-9"'] = "there is no node \"node-9\"",
            ['c:pause():exclude(7)'] = "there is no node 7",
            ['c:pause():exclude(0, 1, 2)'] = "all nodes are excluded",
            ['c:partition{{0, 1}, {1, 2}}'] = "node-1 is named twice",
            ['c:partition{{0}, {}}'] = "an empty group",
            ['c:partition{{0}, {1}}:exclude(1)'] = "node-1 is in a group, and excluded",
            ['c:restart():min_delay "1s":max_delay "2s":apply() c:kill():min_delay "1h":max_delay "2h"'] = "by kill (clause 2)",
            [''] = "no fault is asked for",
        } do
            local rest = want == "enable_node_control" and RUN or nil
            local result = support.run { "check", chaos(body, rest), "--seed", "5" }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(want, 1, true), want .. "\n" .. result.text)
        end
        local result = support.run { "check", nodes.scenario([[:topology_with(function(t) t:nodes(4):full():slot_duration "50ms"
            :security_param(14) end):with_run_duration(tfl.slots(400)):enable_node_control()
            :chaos_with(function(c) c:partition "halves":duration "5s":min_delay "1s":max_delay "2s" end)]]), "--seed", "5" }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find "raise k to %d+", result.text)
    end)

    it("a partition that needs more nodes is refused", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(2):full():slot_duration "50ms" end)]] .. RUN
            .. [[:enable_node_control():chaos_with(function(c) c:partition "majority":min_delay "1s":max_delay "2s" end)]])
        local result = support.run { "check", file, "--seed", "5" }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find('partition "majority": it takes 3 nodes, and 2 are started', 1, true), result.text)
    end)

    it("a replay of nothing is named", function()
        local result = support.run { "check", chaos(BODY), "--replay", "/none/such" }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find("--replay /none/such: there is no", 1, true), result.text)
    end)

    it("a replay that this run cannot make is refused before anything starts", function()
        local file = chaos(BODY)
        local function replay(event, ...)
            local dir = support.write("old/plan.json", '{"seed": 5}'):gsub("/plan.json$", "")
            support.write("old/events.jsonl", event .. '\n{"type":"chaos","at":1')
            return support.run { "check", file, "--replay", dir, ... }
        end
        local fine = '{"type":"chaos","at":11,"till":12,"verb":"restart","targets":["node-2"],"clause":1}'
        assert.equal(0, replay(fine).code)
        for _, case in ipairs {
            { "node%-2", "node-9", 'there is no node "node-9" here' },
            { "restart", "explode", 'there is no verb "explode"' },
            { '%["node%-2"%]', "5", "its nodes are missing" },
            { '%["node%-2"%]', "[]", "one node was expected" },
            { "restart", "partition", "its groups are missing" },
            { "restart", "latency", "its latency is missing" },
            { '"till":12', '"till":999', "is over too soon" },
            { '"till":12', '"till":11', "its slots or its clause are missing" },
            { '"restart"', '"latency","latency":0.01', "no relays stand between the nodes" },
        } do
            local result = replay((fine:gsub(case[1], case[2])))
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(case[3], 1, true), case[3] .. "\n" .. result.text)
        end
        local short = replay(fine, "-t", "2s")
        assert.truthy(short.err:find("is over too soon", 1, true), short.text)
    end)

    it("k bears that the others are apart without the hub of a star", function()
        local function star(rest)
            return nodes.scenario([[:topology_with(function(t) t:nodes(5):network_star()]] .. (rest or "") .. [[:slot_duration "50ms" end)
                :with_run_duration(tfl.slots(230)):enable_node_control():chaos_with(function(c)
                c:churn():exclude(1, 2, 3, 4):min_delay "1s":max_delay "2s":duration "5s" end):expect_consensus_liveness()]])
        end
        local refused = support.run { "check", star ":security_param(16)", "--seed", "3" }
        assert.equal(2, refused.code, refused.text)
        assert.truthy(refused.err:find("churn: the others are apart without a node that it may take", 1, true), refused.text)
        assert.truthy(refused.err:find "raise k to %d+", refused.text)
        local result = nodes.run(star(), { "--seed", "3" })
        assert.equal(0, result.code, result.text)
    end)

    it("k is derived for the partitions it plans", function()
        local result = support.run { "check", nodes.scenario([[:topology_with(function(t) t:nodes(4):full():slot_duration "50ms" end)
            :with_run_duration(tfl.slots(400)):enable_node_control()
            :chaos_with(function(c) c:partition "halves":duration "2s":min_delay "1s":max_delay "2s" end)]]), "--seed", "5" }
        assert.equal(0, result.code, result.text)
        assert.is_true(tonumber(result.out:match "k = (%d+)") > 30, result.text)
    end)

    it("every verb is made, bites, and is over at the end of the run", function()
        local result = nodes.run(nodes.scenario(TOP .. [[:with_run_duration(tfl.slots(400)):enable_node_control()
            :chaos_with(function(c)
                c:kill():min_delay "1s":max_delay "2s":duration "0.5s":target_cooldown "4s":apply()
                c:churn():min_delay "2s":max_delay "3s":duration "0.5s":target_cooldown "4s":apply()
                c:partition "one":min_delay "2s":max_delay "4s":duration "1s":apply()
                c:latency "30ms":min_delay "2s":max_delay "4s":duration "1s":apply():final_heal()
            end):expect_consensus_liveness():expect_recovery{within = "8s"}:expect_height_convergence()]]), { "--seed", "3" })
        assert.equal(0, result.code, result.text)
        local verbs = {}
        for _, fault in ipairs(result.summary.faults) do
            assert.is_number(fault.to)
            verbs[fault.verb] = (verbs[fault.verb] or 0) + (fault.bit and 1 or 0)
        end
        for _, verb in ipairs { "kill", "stop", "partition", "link" } do assert.is_true(verbs[verb] > 0, verb) end
    end)

    it("faults that could not be made are skipped with a reason, and the run says that nothing bit", function()
        local file = nodes.scenario(TOP .. RUN .. [[:enable_node_control():with_workload(w)
            :chaos_with(function(c) c:pause():min_delay "2s":max_delay "3s":exclude(0, 1):target_cooldown "1s" end)]], [[
            local w = tfl.workload "w"
            function w:start(ctx) ctx:node(2):stop() end]])
        local result = nodes.run(file, { "--seed", "5" })
        assert.equal(4, result.code, result.text)
        local e = nodes.expectation(result, "chaos")
        assert.equal("fault_never_bit", e.code)
        assert.truthy(e.message:find "node%-2[^;]* is stopped", e.message)
        assert.truthy(support.read(result.summary.dir .. "/events.jsonl"):find '"type":"fault_skipped"')
    end)

    it("nodes that take longer to come back than was planned are waited for: the chain stays where most of the stake is up", function()
        local slow = support.write("bin/slow", ("#!/bin/sh\ntrap 'sleep 1.5; kill $!; wait; exit 0' TERM\n%s \"$@\" &\nwait\n")
            :format(support.quote(nodes.tfl_node())))
        os.execute("chmod +x " .. support.quote(slow))
        local result = nodes.run(nodes.scenario([[:topology_with(function(t) t:nodes(4):full():slot_duration "50ms" end)
            :with_run_duration(tfl.slots(240)):enable_node_control()
            :chaos_with(function(c) c:restart():min_delay "0.3s":max_delay "0.5s":target_cooldown "0s" end)]]),
            { "--seed", "5", node = slow })
        assert.equal(0, result.code, result.text)
        local away, most = 0, 0
        for _, event in ipairs(nodes.events(result, "^fault")) do
            away = away + (event.type == "fault" and 1 or event.type == "fault_end" and -1 or 0)
            most = math.max(most, away)
        end
        assert.equal(1, most)
        assert.truthy(support.read(result.summary.dir .. "/events.jsonl"):find("is not back yet", 1, true))
    end)

    it("a crash that chaos did not make fails the run", function()
        local file = nodes.scenario(TOP .. RUN .. [[:enable_node_control():with_workload(w)
            :chaos_with(function(c) c:restart():min_delay "0.5s":max_delay "1s":exclude(2):target_cooldown "1s" end)]], [[
            local w = tfl.workload "w"
            function w:start(ctx) ctx:sleep "2s" tfl.exec{"sh", "-c", "kill -9 " .. ctx.run.pids["node-2"]} end]])
        local result = nodes.run(file, { "--seed", "5" })
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code)
        assert.equal("node-2", result.summary.error.node)
    end)
end)
