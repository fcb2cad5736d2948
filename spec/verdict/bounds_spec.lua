-- The formulas of JUDGING.md against its own numbers, exact arithmetic (Python's fractions), other algorithms, and simulated
-- chains with a fixed seed.
package.path = "lua/?.lua;" .. package.path
local bounds = require("tfl.verdict.bounds")

local ALPHA = 1e-6

--- P[X < m] slot by slot: the textbook recurrence, unlike the one under test.
local function slow_tail(ps, m)
    local pmf = { [0] = 1.0 }
    for i, p in ipairs(ps) do
        pmf[i] = 0.0
        for x = i, 1, -1 do
            pmf[x] = pmf[x] * (1 - p) + pmf[x - 1] * p
        end
        pmf[0] = pmf[0] * (1 - p)
    end
    local sum = 0.0
    for x = 0, m - 1 do
        sum = sum + (pmf[x] or 0)
    end
    return sum
end

local function repeated(p, n)
    local list = {}
    for i = 1, n do
        list[i] = p
    end
    return list
end

describe("the numbers JUDGING.md prints", function()
    it("has the least windows", function()
        assert.equal(270, bounds.min_window(0.05, ALPHA))
        assert.equal(20, bounds.min_window(0.5, ALPHA))
        assert.equal(6, bounds.min_window(0.9, ALPHA))
    end)

    it("has the security parameters of 1000 slots", function()
        assert.equal(32, bounds.security_param(0.9, 0, 1000, 1e-6))
        assert.equal(12, bounds.security_param(0.5, 0, 1000, 1e-6))
        assert.equal(5, bounds.security_param(0.05, 0, 1000, 1e-6))
    end)

    it("has 75 expected and 46 required blocks in 30 s of 200 ms slots", function()
        assert.equal(75, bounds.expected_blocks(0.5, 150, 0))
        assert.equal(46, bounds.required_blocks(0.5, 150, 0, ALPHA))
    end)

    it("needs 52 slots at f = 0.5 before half the window holds a stall", function()
        assert.equal(52, bounds.needed_window(0.5, ALPHA))
        assert.is_true(2 * bounds.stall_bound(0.5, 52, ALPHA) <= 52)
        assert.is_true(2 * bounds.stall_bound(0.5, 51, ALPHA) > 51)
    end)
end)

describe("required_blocks", function()
    it("agrees with exact fractions", function()
        for _, c in ipairs({
            { 150, 1 / 2, 0, 46 }, { 60, 1 / 2, 0, 12 }, { 52, 1 / 2, 0, 9 }, { 20, 1 / 2, 0, 1 }, { 19, 1 / 2, 0, 0 },
            { 1000, 0.05, 0, 21 }, { 1000, 0.9, 0, 852 }, { 300, 1 / 3, 0, 63 }, { 5000, 1 / 2, 0, 2332 },
            { 6, 0.9, 0, 1 }, { 5, 0.9, 0, 0 }, { 150, 1 / 2, 1, 33 }, { 150, 1 / 2, 3, 21 }, { 1000, 0.05, 2, 19 },
            { 300, 0.9, 1, 131 },
        }) do
            assert.equal(c[4], bounds.required_blocks(c[2], c[1], c[3], ALPHA))
        end
    end)

    it("agrees with exact fractions when chances differ", function()
        local runs = { { slots = 60, p = 0.5 }, { slots = 40, p = 0.25 }, { slots = 10, p = 0 }, { slots = 20, p = 0.9 } }
        assert.equal(35, bounds.required_blocks(runs, nil, 0, ALPHA))
        local slots = {}
        for i = 1, 150 do -- more chances than are convolved one by one: merged ones may only weaken the bound, a little
            slots[i] = i / 200
        end
        assert.is_true(bounds.required_blocks(slots, nil, 0, ALPHA) <= 32)
        assert.is_true(bounds.required_blocks(slots, nil, 0, ALPHA) >= 31)
    end)

    it("is the largest m that holds, by the slow recurrence, for many windows", function()
        math.randomseed(7)
        for _ = 1, 150 do
            local ps, n = {}, math.random(1, 70)
            local levels = { math.random(), math.random(), math.random() }
            for i = 1, n do
                ps[i] = levels[math.random(3)]
            end
            local alpha = 10 ^ -math.random(1, 9)
            local m = bounds.required_blocks(ps, nil, 0, alpha)
            assert.is_true(slow_tail(ps, m) <= alpha * (1 + 1e-6))
            assert.is_true(slow_tail(ps, m + 1) > alpha * (1 - 1e-6))
        end
    end)

    it("takes one chance, a list and runs alike", function()
        local one = bounds.required_blocks(0.3, 90, 0, ALPHA)
        assert.equal(one, bounds.required_blocks(repeated(0.3, 90), nil, 0, ALPHA))
        assert.equal(one, bounds.required_blocks({ { slots = 40, p = 0.3 }, { slots = 50, p = 0.3 } }, nil, 0, ALPHA))
    end)

    it("grows with the window and the chance, falls with Δ and confidence", function()
        local last = 0
        for W = 20, 400, 10 do
            local m = bounds.required_blocks(0.5, W, 0, ALPHA)
            assert.is_true(m >= last and m <= W * 0.5)
            last = m
        end
        for _, f in ipairs({ 0.05, 0.2, 0.5, 0.8 }) do
            assert.is_true(bounds.required_blocks(f, 400, 0, ALPHA) <= bounds.required_blocks(f + 0.1, 400, 0, ALPHA))
            assert.is_true(bounds.required_blocks(f, 400, 1, ALPHA) <= bounds.required_blocks(f, 400, 0, ALPHA))
            assert.is_true(bounds.required_blocks(f, 400, 3, ALPHA) <= bounds.required_blocks(f, 400, 1, ALPHA))
            assert.is_true(bounds.required_blocks(f, 400, 0, 1e-9) <= bounds.required_blocks(f, 400, 0, 1e-3))
        end
    end)

    it("knows the ends", function()
        assert.equal(100, bounds.required_blocks(1, 100, 0, ALPHA))
        assert.equal(50, bounds.required_blocks(1, 100, 1, ALPHA))
        assert.equal(0, bounds.required_blocks(0, 100, 0, ALPHA))
        assert.equal(0, bounds.required_blocks({}, nil, 0, ALPHA))
        assert.equal(0, bounds.required_blocks({ { slots = 9, p = 0 } }, nil, 2, ALPHA))
    end)

    it("takes the least chance above 0 when blocks need more than a slot", function()
        local runs = { { slots = 100, p = 0.5 }, { slots = 100, p = 0.9 }, { slots = 50, p = 0 } }
        assert.equal(bounds.required_blocks(0.5, 200, 2, ALPHA), bounds.required_blocks(runs, nil, 2, ALPHA))
    end)

    it("is quick for 100,000 slots", function()
        local slots, started = {}, os.clock()
        for i = 1, 100000 do
            slots[i] = (i % 10 + 1) / 20
        end
        assert.is_true(bounds.required_blocks(0.5, 100000, 0, ALPHA) > 49000)
        assert.is_true(bounds.required_blocks(0.5, 100000, 4, ALPHA) > 10000)
        assert.is_true(bounds.required_blocks(slots, nil, 0, ALPHA) > 26500)
        assert.is_true(os.clock() - started < 2)
    end)
end)

describe("chance_of_at_most", function()
    it("agrees with exact fractions far into the tail", function()
        assert.near(2.986866013222672e-14, bounds.chance_of_at_most(0.5, 150, 30), 1e-24)
        assert.near(4.290936563638017e-37, bounds.chance_of_at_most(0.5, 150, 5), 1e-45)
        assert.near(1, bounds.chance_of_at_most(0.5, 150, 150), 1e-12)
    end)
end)

describe("a healthy chain, simulated", function()
    --- Slots of the canonical blocks among W, each slot with a leader with chance f; Δ: a leader within Δ slots of the last
    -- block builds beside it, which is the worst the network may do.
    local function grow(f, W, delta)
        local slots, last = {}, -delta - 1
        for slot = 0, W - 1 do
            if math.random() < f and slot > last + delta then
                slots[#slots + 1], last = slot, slot
            end
        end
        return slots
    end

    it("misses the bound about as rarely as α says, and would miss a higher one more often", function()
        math.randomseed(11)
        local runs, alpha = 20000, 0.02
        for _, c in ipairs({ { 0.5, 60, 0 }, { 0.2, 80, 0 }, { 0.9, 40, 0 }, { 0.5, 60, 1 }, { 0.3, 100, 2 } }) do
            local m, under, at = bounds.required_blocks(c[1], c[2], c[3], alpha), 0, 0
            for _ = 1, runs do
                local n = #grow(table.unpack(c))
                under = under + (n < m and 1 or 0)
                at = at + (n < m + 1 and 1 or 0)
            end
            -- 20,000 draws at 0.02 have a deviation of 0.001
            assert.is_true(under <= (alpha + 0.005) * runs)
            if c[3] == 0 then
                assert.is_true(at > (alpha - 0.005) * runs)
            end
        end
    end)

    it("reaches the stall bound no more often than α says", function()
        math.randomseed(12)
        local runs, alpha = 5000, 0.02
        for _, c in ipairs({ { 0.5, 100, 0 }, { 0.2, 200, 0 }, { 0.5, 100, 2 } }) do
            local bound, hit = bounds.stall_bound(c[1], c[2], alpha, c[3]), 0
            for _ = 1, runs do
                local last, worst = -1, 0
                for _, slot in ipairs(grow(table.unpack(c))) do
                    worst, last = math.max(worst, slot - last - 1), slot
                end
                hit = hit + (math.max(worst, c[2] - 1 - last) >= bound and 1 or 0)
            end
            assert.is_true(hit <= (alpha + 0.008) * runs)
            assert.is_true(hit > 0) -- and the bound is not idle
        end
    end)

    --- The deepest reorganisation of W slots among three nodes of equal stake: each leads by itself, builds on its own tip,
    -- and hears all blocks of a slot before the next; ties keep what was seen first.
    local function deepest(f, W)
        local phi = 1 - (1 - f) ^ (1 / 3)
        local genesis = { height = 0 }
        local tips, worst = { genesis, genesis, genesis }, 0
        for _ = 1, W do
            local made = {}
            for i = 1, 3 do
                if math.random() < phi then
                    tips[i] = { height = tips[i].height + 1, parent = tips[i] }
                    made[#made + 1] = tips[i]
                end
            end
            for i = 1, 3 do
                local first = #made > 0 and math.random(#made) or 0
                for j = 1, #made do
                    local block = made[(first + j) % #made + 1]
                    if block.height > tips[i].height then
                        local a, b = block, tips[i]
                        while a.height > b.height do
                            a = a.parent
                        end
                        while a ~= b do
                            a, b = a.parent, b.parent
                        end
                        worst, tips[i] = math.max(worst, tips[i].height - b.height), block
                    end
                end
            end
            if tips[1] == tips[2] and tips[2] == tips[3] then
                tips[1].parent = nil -- what all agree on is never looked at again
            end
        end
        return worst
    end

    it("breaks k = 10 at f = 0.9 in about one run of 1000 slots in six, as JUDGING.md says", function()
        math.randomseed(13)
        local broken, runs = 0, 300
        for _ = 1, runs do
            broken = broken + (deepest(0.9, 1000) > 10 and 1 or 0)
        end
        assert.is_true(broken > runs * 0.08 and broken < runs * 0.28)
    end)

    it("breaks the derived k no more often than ε says", function()
        math.randomseed(14)
        for _, f in ipairs({ 0.9, 0.5 }) do
            local k, broken, runs = bounds.security_param(f, 0, 500, 0.1), 0, 200
            for _ = 1, runs do
                broken = broken + (deepest(f, 500) > k and 1 or 0)
            end
            assert.is_true(broken <= runs * 0.1)
        end
    end)
end)

describe("windows and k", function()
    it("gives a needed window that is enough, and the least", function()
        for _, f in ipairs({ 0.02, 0.05, 0.3, 0.5, 0.9, 1 }) do
            for delta = 0, 3 do
                local function enough(W)
                    return bounds.required_blocks(f, W, delta, ALPHA) >= 1
                        and 2 * bounds.stall_bound(f, W, ALPHA, delta) <= W
                end
                local W = bounds.needed_window(f, ALPHA, delta)
                assert.is_true(enough(W))
                assert.is_false(enough(W - 1))
            end
        end
    end)

    it("has a min_window in which exactly then a block is required", function()
        for _, f in ipairs({ 0.02, 0.05, 0.3, 0.5, 0.9, 0.99 }) do
            for delta = 0, 2 do
                local W = bounds.min_window(f, ALPHA, delta)
                assert.is_true(bounds.required_blocks(f, W, delta, ALPHA) >= 1)
                assert.equal(0, bounds.required_blocks(f, W - 1, delta, ALPHA))
            end
        end
    end)

    it("wants a larger k for more leaders, slower networks, longer runs", function()
        local function k(f, delta, W)
            return bounds.security_param(f, delta, W, 1e-6)
        end
        assert.is_true(k(0.9, 0, 1000) > k(0.5, 0, 1000))
        assert.is_true(k(0.5, 1, 1000) > k(0.5, 0, 1000))
        assert.is_true(k(0.5, 0, 100000) > k(0.5, 0, 1000))
        assert.equal(1, k(1, 0, 1000))
    end)

    it("plans Δ from the worst propagation", function()
        assert.equal(0, bounds.planned_delta(0, 10, 200))
        assert.equal(0, bounds.planned_delta(2, 10, 200))
        assert.equal(0, bounds.planned_delta(20, 10, 200)) -- just within the slot
        assert.equal(1, bounds.planned_delta(21, 10, 200))
        assert.equal(4, bounds.planned_delta(2, 500, 200))
    end)
end)

describe("stake and partitions", function()
    local ring = { { 1, 0 }, { 2, 1 }, { 3, 2 }, { 3, 0 } }

    it("gives the share of the largest component", function()
        local stakes = { 1, 1, 1, 1 }
        assert.equal(1, bounds.component_share(stakes, ring))
        assert.equal(0.75, bounds.component_share(stakes, ring, { down = { [1] = true } }))
        assert.equal(0.25, bounds.component_share(stakes, ring, { down = { [1] = true, [3] = true } }))
        local function cut(a, b)
            return (a < 2) ~= (b < 2)
        end
        assert.equal(0.5, bounds.component_share(stakes, ring, { cut = cut }))
        assert.near(0.7, bounds.component_share({ 1, 2, 3, 4 }, ring, { cut = cut }), 1e-12)
        assert.equal(0, bounds.component_share(stakes, {}, { down = { [0] = true, [1] = true, [2] = true, [3] = true } }))
    end)

    it("gives a component its chance of a block", function()
        assert.equal(0.5, bounds.growth_chance(0.5, 1))
        assert.equal(0, bounds.growth_chance(0.5, 0))
        assert.near(1 - math.sqrt(0.5), bounds.growth_chance(0.5, 0.5), 1e-12)
    end)

    it("has binomial quantiles as exact fractions give them", function()
        assert.equal(73, bounds.binomial_quantile(1 - 1e-6, 100, 0.5))
        assert.equal(50, bounds.binomial_quantile(1 - 1e-6, 110, 0.25))
        assert.equal(12, bounds.binomial_quantile(1 - 1e-6, 50, 0.05))
    end)

    it("refuses a partition whose shorter branch may become final, with both remedies", function()
        local q = { f = 0.5, share = 0.5, slots = 100, heal_slots = 10, k = 40, k_healthy = 12, epsilon = 1e-6 }
        local ok, message, k, slots = bounds.check_partition(q)
        assert.is_false(ok)
        assert.matches("raise k to " .. k .. " or shorten to " .. slots .. " slots", message, 1, true)
        q.k = k
        assert.is_true((bounds.check_partition(q)))
        q.k = k - 1
        assert.is_false((bounds.check_partition(q)))
        q.k, q.slots = 40, slots
        assert.is_true((bounds.check_partition(q)))
        q.slots = slots + 1
        assert.is_false((bounds.check_partition(q)))
        q.k = 12
        assert.not_matches("shorten", select(2, bounds.check_partition(q)))
    end)
end)
