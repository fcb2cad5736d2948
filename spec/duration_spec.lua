-- Durations, and suggestions for unknown names.
package.path = "lua/?.lua;" .. package.path
local duration = require("tfl.duration")
local suggest = require("tfl.suggest")

local PACE = { slot_seconds = 0.2, f = 0.3 }

describe("a duration", function()
    it("is read in every form", function()
        for text, seconds in pairs({ ["500ms"] = 0.5, ["90s"] = 90, ["2m"] = 120, ["1h"] = 3600, ["1.5s"] = 1.5, ["0s"] = 0,
            [" 7 s "] = 7, ["30"] = 30, ["0.25m"] = 15 }) do
            assert.near(seconds, duration.to_seconds(text), 1e-12)
        end
        assert.equal(12, duration.to_seconds(12))
        assert.equal(0.25, duration.to_seconds(0.25))
        assert.equal(3, duration.to_seconds(duration.seconds(3)))
    end)

    it("in slots and blocks follows the plan", function()
        assert.near(2, duration.to_seconds(duration.slots(10), PACE), 1e-12)
        assert.equal(10, duration.to_slots(duration.slots(10), PACE))
        assert.equal(34, duration.to_slots(duration.blocks(10), PACE)) -- ⌈10 ÷ 0.3⌉
        assert.near(6.8, duration.to_seconds(duration.blocks(10), PACE), 1e-12)
        assert.equal(20, duration.to_slots(duration.blocks(10), { slot_seconds = 1, f = 0.5 }))
        assert.equal(100, duration.to_slots(duration.blocks(10), { slot_seconds = 1, f = 0.1 })) -- 10 / 0.1 is 100, not 101
    end)

    it("is rounded up to slots, but not by a rounding error", function()
        assert.equal(150, duration.to_slots("30s", PACE))
        assert.equal(151, duration.to_slots("30.01s", PACE))
        assert.equal(3, duration.to_slots(0.6, PACE)) -- 0.6 / 0.2 is 2.9999999999999996
        assert.equal(0, duration.to_slots(0, PACE))
    end)

    it("is refused by name, with the forms there are", function()
        for _, bad in ipairs({ "5 years", "abc", "", "ms", "-5s", "1e3s", "1.2.3s", -1, 0 / 0, 1 / 0, true, {},
            { slots = 1, x = 2 }, { minutes = 3 }, { slots = "4" }, "9999999h" }) do
            local ok, e = pcall(duration.to_seconds, bad, PACE, "with_run_duration")
            assert.is_false(ok)
            assert.equal("usage", e.code)
            assert.matches("^with_run_duration: ", e.message)
            assert.matches("tfl.slots(n)", e.message, 1, true)
        end
        assert.matches('"5 years"', select(2, pcall(duration.to_seconds, "5 years")).message)
    end)

    it("in slots needs a plan and whole numbers", function()
        for _, f in ipairs({
            function() return duration.to_seconds({ slots = 5 }) end,
            function() return duration.slots(1.5) end,
            function() return duration.blocks(-1) end,
            function() return duration.blocks("3") end,
            function() return duration.seconds("3") end,
            function() return duration.seconds(-3) end,
            function() return duration.to_slots({ slots = -2 }, PACE) end,
        }) do
            local ok, e = pcall(f)
            assert.is_false(ok)
            assert.equal("usage", e.code)
        end
    end)

    it("parses once into a form that needs no more parsing", function()
        assert.same({ seconds = 1.5 }, duration.parse("1.5s"))
        assert.same({ seconds = 4 }, duration.parse(4))
        assert.same({ blocks = 7 }, duration.parse(duration.blocks(7)))
        assert.same({ slots = 7 }, duration.parse(duration.parse({ slots = 7 })))
        assert.is_false((pcall(duration.parse, { slots = -7 })))
        assert.is_false((pcall(duration.parse, nil)))
    end)

    it("is shown as people write it", function()
        local shown = {}
        for i, s in ipairs({ 0, 0.05, 0.2, 1, 1.44, 10.4, 90 }) do
            shown[i] = duration.show(s)
        end
        assert.same({ "0s", "50ms", "200ms", "1s", "1.4s", "10.4s", "90s" }, shown)
    end)
end)

describe("a suggestion", function()
    it("measures edits, with swaps as one", function()
        for _, c in ipairs({ { "", "", 0 }, { "abc", "", 3 }, { "", "ab", 2 }, { "kitten", "sitting", 3 }, { "ab", "ba", 1 },
            { "star", "satr", 1 }, { "abcd", "abcd", 0 }, { "ca", "abc", 3 } }) do
            assert.equal(c[3], suggest.distance(c[1], c[2]))
            assert.equal(c[3], suggest.distance(c[2], c[1]))
        end
    end)

    local known = { "network_star", "chain", "ring", "full", "k_regular", "slot_duration" }

    it("finds the near name", function()
        assert.equal("network_star", suggest.near("netwrok_star", known))
        assert.equal("chain", suggest.near("chian", known))
        assert.equal("slot_duration", suggest.near("slot-duration", known))
        assert.equal("k_regular", suggest.near("K_Regular", known))
        assert.equal("full", suggest.near("ful", known))
    end)

    it("finds nothing where nothing is near", function()
        assert.is_nil(suggest.near("mesh", known))
        assert.is_nil(suggest.near("", known))
        assert.is_nil(suggest.near(("x"):rep(10000), known))
    end)

    it("takes names as keys too, and lists them otherwise", function()
        assert.equal('; did you mean "chain"?', suggest.hint("chan", { chain = true, ring = true }))
        assert.equal("; known are: chain, ring", suggest.hint("mesh", { ring = true, chain = true }))
        assert.equal("; known are: chain, ring", suggest.hint("mesh", { "ring", "chain" }))
        assert.equal("; none is known", suggest.hint("mesh", {}))
    end)
end)
