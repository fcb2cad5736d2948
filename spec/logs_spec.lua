-- Two logs, kept apart: tfl's own, and those of the nodes.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

describe("tfl's own log", function()
    it("is text, or JSON with TFL_LOG_FORMAT=json; other formats are refused", function()
        local result = support.run { nodes.liveness(1, 60), "--quiet", env = { TFL_LOG = "debug", TFL_LOG_FORMAT = "json" } }
        assert.equal(0, result.code, result.text)
        local n = 0
        for line in result.err:gmatch "[^\n]+" do
            local entry = support.json(line)
            assert.equal("tfl", entry.program)
            assert.truthy(entry.message and entry.module and entry.time:match "^%d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z$", line)
            n = n + 1
        end
        assert.is_true(n > 0)
        result = support.run { "check", "scenarios/liveness.lua", env = { TFL_LOG_FORMAT = "xml" } }
        assert.equal(2, result.code, result.text)
        assert.matches("TFL_LOG_FORMAT=xml: ", result.err, 1, true)
    end)

    it("is not what nodes are told: RUST_LOG does not reach them, unless their kind says so", function()
        local function told(env)
            local node = nodes.with { [1] = "" }
            support.write("bin/node", "#!/bin/sh\nprintf '%s' \"$RUST_LOG\" >rust_log\n" .. support.read(node))
            local result = nodes.run(nodes.scenario((":topology_with(function(t) t:nodes(1):slot_duration '50ms':kind(k) end)"
                .. ":with_run_duration(tfl.slots(60)):expect_consensus_liveness()"),
                ("local k = tfl.kind('mine', {base = 'reference'%s})"):format(env)), { "--keep", node = node, env = { RUST_LOG = "info" } })
            assert.equal(0, result.code, result.text)
            return support.read(result.summary.dir .. "/nodes/node-0/rust_log")
        end
        assert.equal("", told "")
        assert.equal("trace", told ", env = {RUST_LOG = 'trace'}")
    end)
end)
