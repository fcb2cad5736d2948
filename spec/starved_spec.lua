-- A host that is really busy: stress-ng takes all processors from nodes that run on the time nobody else wants. What they miss is no
-- fault of the chain; the same miss without it is one, whatever made the nodes late. scripts/test.sh runs it alone: where the kernel shares
-- processors between sessions first, others would have half of them at best.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local SLOTS, WORKERS = 240, 120 -- of each processor: an idle task gets a share of 3 to their 15 each

--- A tfl-node with more arguments; of the nodes named, or of all, one that runs when nobody else wants to.
local function program(more, which)
    local path = support.write("bin/idle", ('#!/bin/sh\ncase "$PWD" in %s) set -- chrt --idle 0 %s "$@" ;; *) set -- %s "$@" ;; esac\n'
        .. 'exec "$@" %s\n'):format(which or "*", support.quote(nodes.tfl_node()), support.quote(nodes.tfl_node()), more))
    support.sh("chmod +x " .. path)
    return path
end

--- Runs liveness on three nodes, under stress from a second before the window on for so long, or until all is judged.
local function under_stress(seconds, which)
    local go, stop = support.path "go", support.path "stop"
    -- in one session, so that a kernel which shares processors between sessions first does not part them
    local script = ("%s %s & tfl=$!; until test -e %s; do sleep 0.05; done\ncd %s; nice -n 19 stress-ng --cpu %d --timeout %d & stress=$!\n"
        .. "until test -e %s; do sleep 0.05; done; kill $stress; wait $stress; wait $tfl"):format(support.quote(support.tfl),
            nodes.liveness(3, SLOTS), go, support.dir(), WORKERS * tonumber((support.sh "nproc":match "%d+")), seconds or 120, stop)
    local handle = support.start { "-c", script, program = "/bin/sh", env = { TFL_NODE_BIN = program("", which),
        TESTNET_PRINT_ENDPOINTS = "1", TFL_READY_SECONDS = "60" } }
    handle:wait_output("TESTNET_ENDPOINTS", 60) -- they are ready, and a second or so is left until the window begins
    support.write("go", "")
    handle:wait_output("spec: teardown", 90) -- who gets no processor cannot even die
    support.write("stop", "")
    return handle:wait(90)
end

it("a miss under stress-ng on all processors is inconclusive host_starved, with the figures", function()
    local result = under_stress(8)
    assert.equal(4, result.code, result.text)
    local e = nodes.expectation(result, "consensus_liveness")
    assert.equal("host_starved", e.code, result.text)
    assert.is_true(e.figures.late_in_window >= 20, result.text)
    assert.is_true(e.figures.canonical_without_late >= e.figures.required_without_late, result.text)
    assert.matches("the host was late for %d+ of 240 slots", e.message)
end)

it("so is that of one node which gets no processor to the very end", function()
    local result = under_stress(nil, "*/node-2")
    assert.equal(4, result.code, result.text)
    local e = nodes.expectation(result, "consensus_liveness")
    assert.equal("host_starved", e.code, result.text)
    assert.matches("%(node%-2 for %d+%)", e.message)
    assert.matches("node%-2 is %d+ blocks behind", e.message)
end)

it("the same miss without it is a fail", function()
    local result = nodes.run(nodes.liveness(3, SLOTS), { node = nodes.with { "--test lead_until_slot=30" } })
    assert.equal(1, result.code, result.text)
    assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
end)

it("nodes that hang are late by themselves: a fail, whatever they say when they go on", function()
    local file = nodes.liveness(3, SLOTS)
    local handle = support.start { file, "-q", env = { TESTNET_PRINT_ENDPOINTS = "1" } }
    handle:wait_output "TESTNET_ENDPOINTS"
    local pids = support.sh("pgrep -P " .. handle.pid .. " -x tfl-node"):gsub("\n", " ")
    assert.truthy(pids:match "%d+ %d+ %d+", pids)
    local events = support.run_folder() .. "/events.jsonl"
    support.eventually(function() return support.read(events):find '"type":"final"' end, 20)
    support.sh("kill -STOP " .. pids)
    support.eventually(function() return support.read(events):find '"type":"phase","name":"settle"' end, 60)
    support.sh("kill -CONT " .. pids)
    local result = handle:wait(60)
    assert.equal(1, result.code, result.text)
    assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
end)
