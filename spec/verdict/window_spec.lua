-- What a window must show, and which windows are refused because they could not fail.
package.path = "lua/?.lua;" .. package.path
local window = require("tfl.verdict.window")

--- The plan of 150 slots of 200 ms at f = 0.5; options override.
local function plan_of(options)
    local o = { f = 0.5, slot_seconds = 0.2, delta = 0, window_slots = 150 }
    for key, value in pairs(options or {}) do
        o[key] = value
    end
    return window.plan(o)
end

describe("the plan of a window", function()
    local function refusal(options)
        local ok, e = pcall(plan_of, options)
        assert.is_false(ok)
        assert.equal("usage", e.code)
        return tostring(e)
    end

    it("refuses a window that cannot fail and names the one it needs", function()
        assert.equal("a window of 51 slots (10.2s) is too short to fail: a healthy chain may pause for up to 25 slots of it; "
            .. "with slots of 200ms and f = 0.5 it needs 52 slots, so run for 10.4s or longer, or shorten the slots",
            refusal({ window_slots = 51 }))
        assert.matches("may show no block in it; .* needs 52 slots", refusal({ window_slots = 19 }))
        assert.matches("needs 800 slots", refusal({ f = 0.05, window_slots = 300 }))
        assert.equal(52, plan_of({ window_slots = 52 }).window_slots)
        refusal({ window_slots = 0 })
    end)

    it("takes the scenario's own bounds", function()
        local plan = window.plan({ f = 0.5, slot_seconds = 0.2, delta = 0, window_slots = 150, min_blocks = 70, stall_slots = 5,
            lag = 0 })
        assert.same({ 70, 5, 0 }, { plan.required, plan.stall_slots, plan.lag })
        assert.is_true(plan_of({ confidence = 0.9 }).required > plan_of().required)
        assert.is_true(plan_of({ confidence = 0.9 }).stall_slots < plan_of().stall_slots)
        assert.equal(2, plan_of().lag)
        assert.equal(4, plan_of({ delta = 2 }).lag)
    end)

    it("refuses bounds that mean nothing", function()
        assert.matches("min_blocks = 0", refusal({ min_blocks = 0 }))
        assert.matches("min_blocks = 151 cannot be met", refusal({ min_blocks = 151 }))
        assert.matches("stall_slots = 151 is longer", refusal({ stall_slots = 151 }))
        assert.matches("stall_slots = 2.5", refusal({ stall_slots = 2.5 }))
        assert.matches('lag = "x"', refusal({ lag = "x" }))
        assert.matches("confidence = 1", refusal({ confidence = 1 }))
        assert.matches("confidence = 0.1", refusal({ confidence = 0.1 }))
    end)
end)
