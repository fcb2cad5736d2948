-- A host that is really busy: stress-ng takes all processors from nodes that run on the time nobody else wants. What they miss is no
-- fault of the chain; the same miss without it is one. The workers are as nice as can be: only those nodes suffer.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local SLOTS, SECONDS, WORKERS = 240, 8, 120 -- of each processor: an idle task gets a share of 3 to their 15 each

local function program(more)
    local path = support.write("bin/idle", ('#!/bin/sh\nexec chrt --idle 0 %s "$@" %s\n'):format(support.quote(nodes.tfl_node()), more))
    support.sh("chmod +x " .. path)
    return path
end

it("a miss under stress-ng on all processors is inconclusive host_starved, with the figures", function()
    local go = support.path "go"
    -- in one session, so that a kernel which shares processors between sessions first does not part them
    local script = ("%s %s -q & until test -e %s; do sleep 0.05; done\ncd %s; nice -n 19 stress-ng --cpu %d --timeout %d; wait $!"):format(
        support.quote(support.tfl), nodes.liveness(3, SLOTS), go, support.dir(), WORKERS * tonumber((support.sh "nproc":match "%d+")),
            SECONDS)
    local handle = support.start { "-c", script, program = "/bin/sh", env = { TFL_NODE_BIN = program "", TESTNET_PRINT_ENDPOINTS = "1" } }
    handle:wait_output "TESTNET_ENDPOINTS" -- they are ready, and a second or so is left until the window begins
    support.write("go", "")
    local result = handle:wait(60)
    assert.equal(4, result.code, result.text)
    local e = nodes.expectation(result, "consensus_liveness")
    assert.equal("host_starved", e.code, result.text)
    assert.is_true(e.figures.late_in_window >= 20, result.text)
    assert.is_true(e.figures.canonical_without_late >= e.figures.required_without_late, result.text)
    assert.matches("the host was late for %d+ of 240 slots", e.message)
end)

it("the same miss without it is a fail", function()
    local result = nodes.run(nodes.liveness(3, SLOTS), { node = program "--test lead_until_slot=30" })
    assert.equal(1, result.code, result.text)
    assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code, result.text)
end)
