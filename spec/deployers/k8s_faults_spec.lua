--- Scenarios that end nodes pass with `-d k8s` as on the host, and their twins fail there with the same codes.
local k8s = require "spec.support.k8s"
local support = require "spec.support"
local twins = require "spec.support.twins"

support.guard()

k8s.describe("faults on k8s", function()
    after_each(k8s.delete_left)

    it("chaos_restart", function()
        local summary = twins.check("chaos_restart", "consensus_liveness", "lagging", k8s.scenario {
            "-t", "40s", "-p", "recovery=20s", timeout = 200 })
        assert.equal("restart", summary.faults[1].verb)
    end)

    it("crash_recovery", function()
        local summary = twins.check("crash_recovery", "tx_inclusion", "tx_lost", k8s.scenario { "-p", "kills=4", timeout = 200 })
        assert.equal("kill", summary.faults[1].verb)
    end)
end)
