-- The scenarios of faults, shortened: each passes, and its twin fails with its code.
local support = require "spec.support"
local twins = require "spec.support.twins"
support.guard()

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
        twins.check(name, case[1], case[2], { "--seed", "4", env = { CONSENSUS_SLOT_TIME = "100ms" }, table.unpack(case, 3) })
    end)
end
