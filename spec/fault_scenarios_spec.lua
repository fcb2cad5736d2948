-- The scenarios of faults, shortened: each passes, and its twin fails with its code.
local support = require "spec.support"
support.guard()

local function start(name, twin, options)
    local words = { "scenarios/" .. name .. ".lua", "--json", "--quiet", "--seed", "4", "-p", "twin=" .. tostring(twin) }
    for _, word in ipairs(options) do words[#words + 1] = word end
    words.env = { CONSENSUS_SLOT_TIME = "100ms" }
    return support.start(words)
end

local function ended(handle)
    local result = handle:wait(100)
    return result.code, result.summary or support.json(result.out:match "([^\n]+)\n*$"), result.text
end

for name, case in pairs {
    chaos_restart = { "consensus_liveness", "lagging", "-t", "20s" },
    partition_heal = { "safety", "final_conflict", "-t", "16s" },
    late_join = { "height_convergence", "not_converged", "-t", "12s" },
    rolling_restart = { "consensus_liveness", "stalled", "-t", "12s" },
    wan = { "propagation", "failed", "-t", "12s" },
    two_chains_bridge = { "script", "failed" },
    snapshot_restore = { "script", "failed" },
    rolling_upgrade = { "upgrade", "failed", "-t", "20s" },
    crash_recovery = { "tx_inclusion", "tx_lost", "-t", "14s", "-p", "kills=6" },
} do
    it(name, function()
        local options = { table.unpack(case, 3) }
        local good, bad = start(name, false, options), start(name, true, options)
        local code, _, text = ended(good)
        assert.equal(0, code, text)
        local twin, summary, twin_text = ended(bad)
        assert.equal(1, twin, twin_text)
        local seen
        for _, e in ipairs(summary.expectations) do
            if e.verdict == "fail" and e.code == case[2] then seen = true end
        end
        assert.is_true(seen, ("%s was expected of the twin\n%s"):format(case[2], twin_text))
    end)
end
