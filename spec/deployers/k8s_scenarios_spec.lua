--- Scenarios pass with `-d k8s` as on the host, and their twins fail there with the same codes.
local k8s = require "spec.support.k8s"
local support = require "spec.support"
local twins = require "spec.support.twins"

support.guard()

k8s.describe("scenarios on k8s", function()
    after_each(k8s.delete_left)

    it("transactions", function()
        local result = support.run(k8s.scenario { "scenarios/transactions.lua", "--json", "--quiet", "-t", "16s" })
        assert.equal(0, result.code, result.text)
        for _, e in ipairs(result.summary.expectations) do assert.equal("pass", e.verdict, e.name .. result.text) end
    end)

    it("late_join", function()
        twins.check("late_join", "height_convergence", "not_converged", k8s.scenario { "-t", "32s", timeout = 200 })
    end)
end)
