-- Nodes of the kind logos that tell what is not so, one of three: the run says which node, which field, and does not pass.
local nodes = require "spec.support.nodes"
local support = require "spec.support"

support.guard()

--- A run of three nodes, of which node-1 lies.
local function start(lie)
    local liar = support.write(lie .. ".sh", ("#!/bin/sh\nSTAND_IN_LIES=%s exec %s \"$@\"\n"):format(lie, support.stand_in()))
    os.execute("chmod 755 " .. liar)
    local file = support.write(lie .. ".lua", support.read(nodes.scenario([[:topology_with(function(t)
        t:nodes(3):kind("logos"):slot_duration("1s"):active_slot_coeff(0.9):security_param(3, {unsafe_k = true})
        t:node(1):kind(liar) end):with_run_duration "16s":expect_consensus_liveness()]], ("local liar = tfl.kind('liar', "
        .. "{ base = 'logos', program = %q })"):format(liar))))
    return support.start { file, "--quiet", "--out", support.path(lie), env = {
        LOGOS_BLOCKCHAIN_NODE_BIN = support.stand_in(), STAND_IN_VERSION = "AUG", LOGOS_BLOCKCHAIN_NODE_VERSION = "AUG",
    } }
end

it("are found out", function()
    local runs = {}
    for _, lie in ipairs { "row", "genesis", "lib" } do runs[lie] = start(lie) end
    local seen = {}
    for lie, run in pairs(runs) do
        local result = run:wait(120)
        seen[lie] = { code = result.code, text = result.text, summary = support.json(support.read(support.path(lie) .. "/summary.json")) }
    end

    -- what cannot be read is told once; the node is followed all the same
    local row = seen.row
    assert.equal(3, row.code, row.text)
    assert.equal(1, #row.summary.problems)
    assert.same({ "infra", "bad_reply", "node-1" }, { row.summary.problems[1].verdict, row.summary.problems[1].code,
        row.summary.problems[1].node })
    assert.truthy(row.summary.problems[1].message:find "^node%-1: .*/cryptarchia/events/blocks/stream: not JSON", row.text)
    assert.equal("pass", nodes.expectation(row, "consensus_liveness").verdict, row.text)

    local genesis = seen.genesis
    assert.equal(1, genesis.code, genesis.text)
    local safety = nodes.expectation(genesis, "safety")
    assert.same({ "other_genesis", 1 }, { safety.code, safety.figures.other_genesis })
    assert.truthy(safety.message:find("genesis_id: expected %x+, saw " .. ("e"):rep(64)), safety.message)
    assert.truthy(safety.message:find("node%-1"), safety.message)

    local lib = seen.lib
    assert.equal(1, lib.code, lib.text)
    safety = nodes.expectation(lib, "safety")
    assert.equal("early_final", safety.code)
    assert.truthy(safety.message:find "^LIB moved to height %d+, 0 below the tip %(%d+%); blocks are final 3 below it %(node%-1",
        safety.message)
end)
