-- What must never pass, and with which verdict and code it ends; what must pass.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local function assert_verdict(result, verdict, exit)
    assert.is_table(result.summary, result.text)
    assert.equal(verdict, result.summary.verdict, result.text)
    assert.equal(exit, result.code, result.text)
end

describe("liveness", function()
    it("passes a chain that lives, and shows figures that agree", function()
        local result = nodes.run(nodes.liveness(3, 64), { "--seed", "5" })
        assert_verdict(result, "pass", 0)
        local s = result.summary
        assert.is_true(s.blocks.canonical >= s.blocks.required, result.text)
        assert.is_true(s.blocks.observed >= s.blocks.canonical, result.text)
        assert.is_true(s.blocks.canonical_height >= s.blocks.canonical, result.text)
        assert.is_true(s.blocks.final_height > 0, result.text)
        assert.equal(3, #s.nodes_detail)
        assert.is_true(s.propagation_ms.p50 >= 0, result.text)
        assert.equal("ok", nodes.expectation(result, "consensus_liveness").code)
        assert.equal("ok", nodes.expectation(result, "safety").code)
    end)

    it("fails `stalled` when nobody leads", function()
        local result = nodes.run(nodes.liveness(3, 64), { node = nodes.with { "--test lead=false" } })
        assert_verdict(result, "fail", 1)
        assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
    end)

    it("fails `stalled` and says since when, when leaders stop in mid-window", function()
        local result = nodes.run(nodes.liveness(3, 120),
            { node = nodes.with { "--test lead_until_slot=50" }, env = { CONSENSUS_SLOT_TIME = "100ms" } })
        assert_verdict(result, "fail", 1)
        local e = nodes.expectation(result, "consensus_liveness")
        assert.equal("stalled", e.code, result.text)
        local slot = tonumber(e.message:match "stalled since %S+ %(slot (%d+)%)")
        assert.is_true(slot and slot <= 50 and slot > 20, e.message)
        assert.is_true(result.summary.blocks.canonical > 0, result.text)
    end)

    it("waits on when the host stands still while the first final block is awaited", function()
        local handle = support.start { nodes.scenario([[:topology_with(function(t) t:nodes(3):slot_duration("50ms"):security_param(60) end)
            :with_run_duration "3s":expect_height_convergence()]]), "--json" }
        handle:wait_output "spec: settle"
        handle:stand_still(2.5, "children")
        assert_verdict(handle:wait(60), "pass", 0)
    end)

    it("asks a node that stood still for a moment once more for its height", function()
        local result = nodes.run(nodes.scenario([[:topology_with(function(t) t:nodes(3):slot_duration "50ms" end)
            :with_run_duration "4s":with_expectation(slow):expect_height_convergence()]], [[
            local slow = tfl.expectation("slow", {evaluate = function(_, ctx)
                ctx:node(1):client():consensus_info()
                local stop = "kill -STOP %d; setsid sh -c 'sleep 1.5; kill -CONT %d' >/dev/null 2>&1 & sleep 0.2"
                tfl.exec{"sh", "-c", (stop:gsub("%%d", tostring(ctx.run.pids["node-1"])))}
            end})]]))
        assert_verdict(result, "pass", 0)
    end)

    it("ends the run early once the chain stands for longer than chance allows", function()
        local result = nodes.run(nodes.liveness(2, 600), { node = nodes.with { "--test lead=false" } })
        assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
        local run
        for _, phase in ipairs(result.summary.phases) do
            if phase.name == "run" then run = phase.seconds end
        end
        assert.is_true(run < 15, "the window of 30s was not cut short: " .. tostring(run))
    end)

    it("passes a healthy chain full of forks", function()
        for _, seed in ipairs { "5" } do -- while a fork stands open the chain that all nodes share stands still
            local result = nodes.run(nodes.liveness(3, 120), { "--seed", seed,
                env = { CONSENSUS_ACTIVE_SLOT_COEFF = "0.99", CONSENSUS_SLOT_TIME = "300ms" } })
            assert_verdict(result, "pass", 0)
            assert.is_true(result.summary.blocks.max_reorg_depth > 2, result.text)
        end
    end)

    it("fails within seconds when the nodes stop answering", function()
        local handle = support.start { nodes.liveness(4, 120), "--json" }
        handle:wait_output "spec: run"
        local pids = support.sh("pgrep -P " .. handle.pid .. " -x tfl-node"):gsub("\n", " ")
        support.sh("kill -STOP " .. pids)
        local result = handle:wait(60)
        assert_verdict(result, "fail", 1)
        assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
        assert.is_true(result.summary.wall_seconds < 25, result.text)
    end)

    it("fails `lagging` and names the node that stops following", function()
        local node = nodes.with { ["node-2"] = "--test deaf_from_slot=20" }
        local result = nodes.run(nodes.liveness(4, 80, "full()"), { node = node, env = { CONSENSUS_SLOT_TIME = "150ms" } })
        assert_verdict(result, "fail", 1)
        local e = nodes.expectation(result, "consensus_liveness")
        assert.equal("lagging", e.code, result.text)
        assert.truthy(e.message:find("node%-2 is %d+ blocks behind"), e.message)
    end)

    it("fails when only fork blocks grow", function()
        local result = nodes.run(nodes.liveness(3, 64), { node = nodes.with { "--test build_on_genesis=true" } })
        assert_verdict(result, "fail", 1)
        local e = nodes.expectation(result, "consensus_liveness")
        assert.is_true(e.code == "stalled" or e.code == "too_few_blocks", result.text)
        assert.is_true(result.summary.blocks.observed > result.summary.blocks.canonical, result.text)
    end)
end)

describe("a starved host (spec/starved_spec.lua has a real one)", function()
    it("is not what one node of three says it is", function()
        local handle = support.start { nodes.liveness(3, 90), "--json", env = {
            TFL_NODE_BIN = nodes.with { "--test lead_until_slot=12" },
        } }
        handle:wait_output "spec: run"
        local pid = support.sh("pgrep -P " .. handle.pid .. " -x tfl-node"):match "%d+"
        support.sh(("kill -STOP %s; sleep 1; kill -CONT %s"):format(pid, pid))
        local result = handle:wait(60)
        assert_verdict(result, "fail", 1)
    end)

    it("is no excuse for a chain that stood anyway", function()
        local handle = support.start { nodes.liveness(3, 120), "--json", env = {
            TFL_NODE_BIN = nodes.with { "--test lead_until_slot=10" },
        } }
        handle:wait_output "spec: run"
        local pids = support.sh("pgrep -P " .. handle.pid .. " -x tfl-node"):gsub("\n", " ")
        support.sh(("kill -STOP %s; sleep 0.5; kill -CONT %s"):format(pids, pids))
        local result = handle:wait(60)
        assert_verdict(result, "fail", 1)
        assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
    end)
end)

describe("nodes", function()
    it("that never find their peers are infra, never ready", function()
        local node = nodes.with { ["node-1"] = "--test peers=/ip4/127.0.0.1/tcp/9" }
        local file = nodes.scenario(":topology_with(function(t) t:nodes(3):chain():slot_duration '50ms' end)"
            .. ":expect_consensus_liveness()")
        local result = nodes.run(file, { node = node, "-p", "x=1" })
        assert.equal(2, result.code, "an unknown parameter is refused\n" .. result.text)
        result = nodes.run(file, { node = node, env = { TFL_READY_SECONDS = "3" } })
        assert_verdict(result, "infra", 3)
        assert.equal("not_ready", result.summary.error.code, result.text)
        assert.truthy(result.summary.error.message:find "node%-[01]", result.text)
    end)

    it("that die unasked fail the run at once, with the end of their log", function()
        local node = nodes.with { ["node-1"] = "--test crash_at_slot=100" }
        local result = nodes.run(nodes.liveness(3, 400), { node = node })
        assert_verdict(result, "fail", 1)
        assert.equal("node_exited", result.summary.error.code, result.text)
        assert.truthy(result.summary.error.message:find("node-1 ended by itself", 1, true), result.text)
        assert.truthy(result.summary.error.message:find("exit code 101", 1, true), result.text)
        assert.truthy(result.summary.error.message:find("its log ends", 1, true), result.text)
        assert.is_true(result.summary.wall_seconds < 20, result.text)
    end)
end)

describe("safety", function()
    -- two fake nodes, each sure of a final block of its own at height 1
    local function fake_chain(mark)
        local zeros, genesis, one = ("0"):rep(64), "GENESIS", mark:rep(64)
        local proof = ('"proof_of_leadership":{"proof":"%s","entropy_contribution":"%s","leader_key":"%s","voucher_cm":"%s"}')
            :format(("0"):rep(256), zeros, zeros, zeros)
        local function block(id, parent, slot)
            return ('{"header":{"id":"%s","parent_block":"%s","slot":%d,"block_root":"%s",%s},"transactions":[]}'):format(
                id, parent, slot, zeros, proof)
        end
        local info = ('{"cryptarchia_info":{"lib":"%s","lib_slot":1,"tip":"%s","slot":1,"height":1},"mode":{"Started":"Online"}}')
            :format(one, one)
        return table.concat({
            "/cryptarchia/info 200 " .. info,
            '/network/info 200 {"listen_addresses":[],"peer_id":"x","connected_peers":["y"],"n_peers":1,"n_connections":1,'
                .. '"n_pending_connections":0}',
            ('/cryptarchia/headers 200 ["%s","%s"]'):format(one, genesis),
            ("/cryptarchia/blocks/%s 200 %s"):format(one, block(one, genesis, 1)),
            "/cryptarchia/blocks_range stream",
            (' 0 {"block":%s,"tip":"%s","tip_slot":1,"lib":"%s","lib_slot":1}'):format(block(one, genesis, 1), one, one),
            " 1 end",
            "/cryptarchia/events/blocks/stream stream",
            (' 10 {"block":%s,"tip":"%s","tip_slot":1,"lib":"%s","lib_slot":1}'):format(block(one, genesis, 1), one, one),
            " 600000 end",
            "* 404",
        }, "\n") .. "\n"
    end

    it("fails `final_conflict` on two final blocks at one height", function()
        local a, b = support.write("a.txt", fake_chain "a"), support.write("b.txt", fake_chain "b")
        local fake = support.write("bin/fake", ([[#!/bin/sh
case "$PWD" in
*/node-0) template=%s ;;
*) template=%s ;;
esac
genesis=$(sed -n 's/.*"genesis_id": *"\([0-9a-f]*\)".*/\1/p' ../../plan.json)
sed "s/GENESIS/$genesis/g" "$template" >script.txt
export FAKE_MODE=script=$PWD/script.txt
exec %s "$@"
]]):format(a, b, support.quote(support.fake_node())))
        os.execute("chmod +x " .. fake)
        local result = nodes.run(nodes.liveness(2, 64), { node = fake, timeout = 90 })
        assert_verdict(result, "fail", 1)
        local e = nodes.expectation(result, "safety")
        assert.equal("final_conflict", e.code, result.text)
        assert.truthy(e.message:find "height 1", result.text)
    end)
end)

describe("verdicts", function()
    it("are inconclusive when an expectation looked at nothing", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(1):slot_duration "50ms" end)
            :with_run_duration(tfl.slots(60)):with_expectation(tfl.expectation("blind", {evaluate = function() end}))]])
        local function start(...) return support.start { file, "--json", "--quiet", ... } end
        local plain, fail, pass = start(), start("--inconclusive", "fail"), start("--inconclusive", "pass")
        local result = plain:wait()
        assert_verdict(result, "inconclusive", 4)
        assert.equal("no_sample", nodes.expectation(result, "blind").code)
        assert.equal(1, fail:wait().code)
        assert.equal(0, pass:wait().code)
    end)

    it("let a fail outweigh the rest", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
            :with_run_duration(tfl.slots(60)):expect_consensus_liveness()
            :with_expectation(tfl.expectation("sure", {evaluate = function(_, ctx)
                pcall(function() ctx:fail("height %d is not enough", ctx:node(0):client():consensus_info().height) end)
                error "ctx:fail came back"
            end}))
            :with_expectation(tfl.expectation("blind", {}))]])
        local result = nodes.run(file)
        assert_verdict(result, "fail", 1)
        local e = nodes.expectation(result, "sure")
        assert.equal("failed", e.code)
        assert.truthy(e.message:find "height %d+ is not enough", result.text)
        assert.equal("ok", nodes.expectation(result, "consensus_liveness").code, result.text)
    end)

    it("of one seed come with one leader schedule", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(3):network_star():slot_duration "50ms" end)
            :with_run_duration(tfl.slots(60)):expect_consensus_liveness()
            :with_expectation(tfl.expectation("late", {evaluate = function(_, ctx)
                for i = 0, 2 do
                    for _, slot in ipairs(ctx:node(i):client():late_slots()) do ctx:log("late for slot %d", slot) end
                end
            end}))]])
        local late = {} -- a busy machine lets a node miss its slot
        local first_slot = 0 -- all are online from then on
        local function leaders()
            local result = nodes.run(file, { "--seed", "77", "--keep" })
            assert_verdict(result, "pass", 0)
            local slots = {}
            for line in io.lines(result.summary.dir .. "/events.jsonl") do
                if line:find('"type":"block"', 1, true) then
                    local slot = tonumber(line:match '"block_slot":(%d+)') or tonumber(line:match '"slot":(%d+)')
                    if slot and slot < 55 then slots[slot] = (slots[slot] or 0) + 1 end
                end
                local s0 = line:find('"type":"window"', 1, true) and tonumber(line:match '"s0":(%d+)')
                first_slot = math.max(first_slot, s0 or 0)
                local missed = line:match "late for slot (%d+)"
                if missed then late[tonumber(missed)] = true end
            end
            return slots
        end
        local first, second = leaders(), leaders()
        for slot in pairs(late) do first[slot], second[slot] = nil, nil end
        for slot = 0, first_slot - 1 do first[slot], second[slot] = nil, nil end
        local n = 0
        for _ in pairs(first) do n = n + 1 end
        assert.is_true(n >= 5, n .. " slots in which no node was late")
        assert.same(first, second)
    end)
end)
