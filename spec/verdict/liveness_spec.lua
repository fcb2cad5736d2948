-- The liveness judgement: what each kind of chain is called, and what it takes to excuse one by a starved host.
package.path = "lua/?.lua;" .. package.path
local liveness = require("tfl.verdict.liveness")
local window = require("tfl.verdict.window")

local S0, W = 10, 150

--- The plan of 150 slots of 200 ms at f = 0.5; options override.
local function plan_of(options)
    local o = { f = 0.5, slot_seconds = 0.2, delta = 0, window_slots = W }
    for key, value in pairs(options or {}) do
        o[key] = value
    end
    local plan = window.plan(o)
    plan.s0, plan.s1 = S0, S0 + o.window_slots
    return plan
end

--- Slots first, first + step, … up to last.
local function every(step, first, last)
    local list = {}
    for slot = first or S0, last or S0 + W - 1, step do
        list[#list + 1] = slot
    end
    return list
end

local function node(i, height, tip_slot, more)
    local n = { name = "node-" .. i, height = height, tip_slot = tip_slot, lib_height = 0, tip = ("%064x"):format(height),
        stale = false }
    for key, value in pairs(more or {}) do
        n[key] = value
    end
    return n
end

--- Figures of three nodes that agree on a chain with blocks in these slots.
local function agreed(slots, more)
    local top, last = #slots, slots[#slots] or 0
    local fig = {
        canonical_slots = slots, observed = #slots, forks = 0, max_reorg_depth = 0, best_height = top, common_height = top,
        nodes = { node(0, top, last), node(1, top, last), node(2, top, last) },
    }
    for key, value in pairs(more or {}) do
        fig[key] = value
    end
    return fig
end

local function expect(verdict, code, judgement)
    assert.equal(verdict .. " " .. code, judgement.verdict .. " " .. judgement.code, judgement.message)
    return judgement
end

describe("a chain that grows", function()
    it("passes, and says how much", function()
        local j = expect("pass", "ok", liveness.judge(plan_of(), agreed(every(2))))
        assert.equal("75 blocks (75 expected, ≥ 46 required), longest gap 200ms", j.message)
        assert.equal(75, j.figures.canonical)
        assert.equal(46, j.figures.required)
        assert.equal(28, j.figures.stall_slots)
    end)

    it("passes a simulated one for 300 seeds", function()
        math.randomseed(3)
        for _ = 1, 300 do
            local slots = {}
            for slot = S0, S0 + W - 1 do
                if math.random() < 0.5 then
                    slots[#slots + 1] = slot
                end
            end
            expect("pass", "ok", liveness.judge(plan_of(), agreed(slots)))
        end
    end)

    it("is judged by its blocks inside the window only", function()
        local slots = every(1, 0, S0 - 1)
        table.move(every(1, S0 + W, S0 + W + 100), 1, 101, #slots + 1, slots)
        local j = expect("fail", "stalled", liveness.judge(plan_of(), agreed(slots)))
        assert.equal(0, j.figures.canonical)
    end)

    it("is not counted twice for a slot that comes twice", function()
        local slots = every(4)
        table.move(slots, 1, #slots, #slots + 1, slots)
        expect("fail", "too_few_blocks", liveness.judge(plan_of(), agreed(slots)))
    end)
end)

describe("a chain that does not grow", function()
    it("is stalled when no block ever came", function()
        local j = expect("fail", "stalled", liveness.judge(plan_of(), agreed({})))
        assert.equal("stalled since 2.0s (slot 10): 150 slots without growth; chance 7e-46 with all stake online (f = 0.5)",
            j.message)
    end)

    it("is stalled since when it stopped, and the times count from the start of the run", function()
        local plan = plan_of()
        local j = expect("fail", "stalled", liveness.judge(plan, agreed(every(1, S0, S0 + 61))))
        assert.equal("stalled since 14.4s (slot 72): 88 slots without growth; chance 3e-27 with all stake online (f = 0.5)",
            j.message)
        assert.equal(72, j.figures.gap_from_slot)
        plan.genesis_s = 1.5
        assert.matches("stalled since 15.9s (slot 72)", liveness.judge(plan, agreed(every(1, S0, S0 + 61))).message, 1, true)
    end)

    it("is stalled from and to when it went on later", function()
        local slots = every(1, S0, S0 + 49)
        table.move(every(1, S0 + 100), 1, 50, 51, slots)
        local j = expect("fail", "stalled", liveness.judge(plan_of(), agreed(slots)))
        assert.matches("stalled from 12.0s to 22.0s (slots 60 to 109): 50 slots without growth", j.message, 1, true)
    end)

    -- Slots with growth, but for n of them.
    local function pause(n)
        local slots = every(1, S0, S0 + 59)
        return table.move(every(1, S0 + 60 + n), 1, W - 60 - n, 61, slots)
    end

    it("fails at the bound and not below it", function()
        local plan = plan_of()
        expect("fail", "stalled", liveness.judge(plan, agreed(pause(plan.stall_slots))))
        expect("pass", "ok", liveness.judge(plan, agreed(pause(plan.stall_slots - 1))))
    end)

    it("keeps the same bound with Δ, and gives 2Δ slots more", function()
        local plan = plan_of({ delta = 2 })
        assert.equal(plan_of().stall_slots + 4, plan.stall_slots)
        expect("fail", "stalled", liveness.judge(plan, agreed(pause(plan.stall_slots))))
        expect("pass", "ok", liveness.judge(plan, agreed(pause(plan.stall_slots - 1))))
    end)

    it("is stalled when only forks grow: observed blocks do not count", function()
        local fig = agreed({}, { observed = 120, common_height = 0, best_height = 60 })
        for i = 1, 3 do
            fig.nodes[i] = node(i - 1, 60, S0 + W - 1, { tip = ("%x"):format(i):rep(64) })
        end
        local j = expect("fail", "stalled", liveness.judge(plan_of(), fig))
        assert.matches("share no block above height 0", j.message)
        assert.matches("node-0 at h60 (1111)", j.message, 1, true)
    end)

    it("has too few blocks when it is slow throughout", function()
        local j = expect("fail", "too_few_blocks", liveness.judge(plan_of(), agreed(every(5), { observed = 70 })))
        assert.matches("30 blocks %(75 expected, ≥ 46 required%), 40 more only on forks; chance 3e%-14", j.message)
    end)

    it("is stalled when nobody is live at the end", function()
        local fig = agreed(every(2))
        for _, n in ipairs(fig.nodes) do
            n.stale = true
        end
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
        fig.canonical_slots = every(2, S0, S0 + 40)
        assert.matches("stalled since 10.2s (slot 51)", liveness.judge(plan_of(), fig).message, 1, true)
    end)

    it("had no sample when nothing was seen at all", function()
        expect("inconclusive", "no_sample", liveness.judge(plan_of(), nil))
        expect("inconclusive", "no_sample", liveness.judge(plan_of(), { canonical_slots = {}, nodes = {} }))
        expect("inconclusive", "no_sample", liveness.judge(plan_of(), { nodes = { node(0, 5, 10) } }))
    end)
end)

describe("a node that does not follow", function()
    --- Two nodes grow to the end, node-2 stops at height h: the common prefix ends there.
    local function stuck(h)
        return agreed(every(2, S0, S0 + 2 * (h - 1)), {
            observed = 75, best_height = 75, common_height = h,
            nodes = { node(0, 75, S0 + 148), node(1, 75, S0 + 148), node(2, h, S0 + 2 * (h - 1)) },
        })
    end

    it("is lagging though the common prefix stands still", function()
        local j = expect("fail", "lagging", liveness.judge(plan_of(), stuck(23)))
        assert.equal("node-2 is 52 blocks behind (height 23, its tip is of slot 54, 10.8s); "
            .. "the best is at height 75, 2 behind allowed", j.message)
        assert.equal(52, j.figures.worst_lag)
    end)

    it("is lagging at the very end too, and not within the lag", function()
        expect("fail", "lagging", liveness.judge(plan_of(), stuck(72)))
        expect("pass", "ok", liveness.judge(plan_of(), stuck(73)))
        expect("pass", "ok", liveness.judge(plan_of({ lag = 3 }), stuck(72)))
        expect("fail", "lagging", liveness.judge(plan_of({ lag = 0 }), stuck(74)))
    end)

    it("is not blamed when the others stand too", function()
        local fig = stuck(20)
        fig.best_height, fig.observed = 30, 30
        fig.nodes[1], fig.nodes[2] = node(0, 30, S0 + 58), node(1, 30, S0 + 58)
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
    end)

    it("does not count as lagging when the greater part of the stake stayed behind", function()
        local fig = stuck(20)
        fig.nodes[2] = node(1, 20, S0 + 38)
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
        fig = stuck(20)
        fig.nodes[3].stake, fig.nodes[1].stake, fig.nodes[2].stake = 500, 100, 100
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
    end)

    it("is blamed while the others may have paused by chance, with the stake they have", function()
        local function quiet(slots)
            local last = S0 + W - 1 - slots
            local fig = stuck(20)
            fig.nodes[1], fig.nodes[2] = node(0, 60, last), node(1, 60, last)
            fig.best_height = 60
            return liveness.judge(plan_of(), fig)
        end
        -- two thirds of the stake pause for 41 slots as rarely as all of it for 28
        expect("fail", "lagging", quiet(40))
        expect("fail", "stalled", quiet(41))
    end)

    it("is not blamed when the best chain stood in the middle, where the feed tells its blocks", function()
        local fig = stuck(20)
        fig.best_slots = every(1, S0, S0 + 40)
        table.move(every(1, S0 + 115), 1, 35, 42, fig.best_slots)
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
        fig.best_slots = every(2)
        expect("fail", "lagging", liveness.judge(plan_of(), fig))
        fig.best_slots = every(1, S0, S0 + 40)
        table.move(every(1, S0 + 41 + 40), 1, 69, 42, fig.best_slots) -- 40 slots: chance, for two thirds of the stake
        expect("fail", "lagging", liveness.judge(plan_of(), fig))
    end)

    it("is named when its tip was never heard of", function()
        local fig = stuck(0)
        fig.canonical_slots, fig.common_height = {}, nil
        fig.nodes[3] = { name = "node-2", stale = false }
        local j = expect("fail", "lagging", liveness.judge(plan_of(), fig))
        assert.matches("^node%-2 is 75 blocks behind", j.message)
        for i = 1, 3 do
            fig.nodes[i] = { name = "node-" .. i - 1, stale = false }
        end
        fig.best_height, fig.best_slots = nil, {}
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
    end)

    it("is not judged when it is stale", function()
        local fig = stuck(23)
        fig.canonical_slots, fig.nodes[3].stale = every(2), true
        expect("pass", "ok", liveness.judge(plan_of(), fig))
    end)

    it("is a stall when two halves hold chains of their own", function()
        local slots = every(2, S0, S0 + 60)
        local fig = agreed(slots, {
            observed = 100, best_height = 62, common_height = #slots,
            nodes = {
                node(0, 62, 158, { tip = "9f0c" .. ("0"):rep(60) }), node(1, 62, 158, { tip = "9f0c" .. ("0"):rep(60) }),
                node(2, 58, 157, { tip = "77aa" .. ("0"):rep(60) }), node(3, 58, 157, { tip = "77aa" .. ("0"):rep(60) }),
            },
        })
        local j = expect("fail", "stalled", liveness.judge(plan_of(), fig))
        assert.matches("node-0+node-1 at h62 (9f0c), node-2+node-3 at h58 (77aa)", j.message, 1, true)
    end)

    it("names five laggards and counts the rest", function()
        local fig = agreed(every(2, S0, S0 + 40), { observed = 75, best_height = 75, common_height = 21, nodes = {} })
        for i = 0, 19 do
            fig.nodes[i + 1] = i < 12 and node(i, 75, S0 + 148) or node(i, 21, S0 + 40)
        end
        local j = expect("fail", "lagging", liveness.judge(plan_of(), fig))
        assert.matches("3 more", j.message)
    end)
end)

describe("slots with another chance", function()
    it("are not counted where nothing was promised", function()
        local plan = plan_of()
        plan.p = { { from = S0 + 50, to = S0 + 100, p = 0 } }
        local slots = every(2, S0, S0 + 49)
        table.move(every(2, S0 + 100), 1, 25, #slots + 1, slots)
        local j = expect("pass", "ok", liveness.judge(plan, agreed(slots)))
        assert.equal(50, j.figures.expected)
        plan.p = nil
        expect("fail", "stalled", liveness.judge(plan, agreed(slots)))
    end)

    it("without a chance are not part of a pause", function()
        local plan = plan_of({ stall_slots = 10 })
        local slots = every(1, S0, S0 + 59)
        table.move(every(1, S0 + 72), 1, 78, 61, slots) -- 12 slots without growth
        expect("fail", "stalled", liveness.judge(plan, agreed(slots)))
        plan.p = { { from = S0 + 60, to = S0 + 63, p = 0 } }
        local j = expect("pass", "ok", liveness.judge(plan, agreed(slots)))
        assert.equal(9, j.figures.longest_gap_slots)
    end)

    it("are weighed by their chance: a long pause is no stall when little stake was online", function()
        local plan = plan_of()
        local slots = every(1, S0, S0 + 99)
        table.move(every(1, S0 + 140), 1, 10, 101, slots)
        expect("fail", "stalled", liveness.judge(plan, agreed(slots)))
        plan.p = { { from = S0 + 100, to = S0 + 140, p = 0.1 } }
        expect("pass", "ok", liveness.judge(plan, agreed(slots)))
        assert.matches("with the stake that was online",
            liveness.judge(plan, agreed(every(1, S0, S0 + 50))).message)
    end)
end)

describe("a starved host", function()
    local function late(first, last)
        return every(1, first, last)
    end

    it("makes a failure inconclusive when the bound holds without its slots", function()
        local slots = every(2, S0, S0 + 79)
        table.move(every(2, S0 + 120), 1, 15, #slots + 1, slots)
        local fig = agreed(slots)
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
        fig.late_slots = late(S0 + 80, S0 + 119)
        local j = expect("inconclusive", "host_starved", liveness.judge(plan_of(), fig))
        assert.matches("late for 40 of 150 slots", j.message)
        assert.matches("stalled from", j.message)
        assert.equal(40, j.figures.late_in_window)
        assert.is_true(j.figures.canonical_without_late >= j.figures.required_without_late)
    end)

    it("takes a set as well as a list", function()
        local set = {}
        for _, slot in ipairs(late(S0 + 80, S0 + 119)) do
            set[slot] = true
        end
        local slots = every(2, S0, S0 + 79)
        table.move(every(2, S0 + 120), 1, 15, #slots + 1, slots)
        expect("inconclusive", "host_starved", liveness.judge(plan_of(), agreed(slots, { late_slots = set })))
    end)

    it("does not excuse a chain that fails without its slots too", function()
        local fig = agreed(every(2, S0, S0 + 60), { late_slots = late(S0 + 70, S0 + 80) })
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
        fig = agreed({}, { late_slots = late(S0, S0 + 20) })
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
    end)

    it("does not touch a chain that passes", function()
        expect("pass", "ok", liveness.judge(plan_of(), agreed(every(2), { late_slots = late(S0, S0 + 140) })))
    end)

    it("does not count growth in late slots towards the excuse", function()
        -- all growth lies in late slots: the other slots saw none
        local fig = agreed(every(1, S0, S0 + 29), { late_slots = late(S0, S0 + 29) })
        expect("fail", "stalled", liveness.judge(plan_of(), fig))
    end)

    it("excuses a node only for the blocks of late slots", function()
        local function behind(h)
            return agreed(every(2, S0, S0 + 2 * (h - 1)), {
                observed = 75, best_height = 75, common_height = h,
                nodes = { node(0, 75, S0 + 148), node(1, 75, S0 + 148), node(2, h, S0 + 2 * (h - 1)) },
                late_slots = late(S0 + 140, S0 + 149),
            })
        end
        expect("inconclusive", "host_starved", liveness.judge(plan_of(), behind(71)))
        expect("fail", "lagging", liveness.judge(plan_of(), behind(40)))
        local after = behind(71) -- slots after the best tip brought nobody a block
        after.late_slots = late(S0 + 149, S0 + 170)
        expect("fail", "lagging", liveness.judge(plan_of(), after))
    end)

    it("excuses a node that was kept from running by itself to the end, and the chain that it holds back", function()
        local function starved(own)
            return agreed(every(2, S0, S0 + 78), {
                observed = 75, best_height = 75, common_height = 40, best_slots = every(2),
                nodes = { node(0, 75, S0 + 148), node(1, 75, S0 + 148), node(2, 40, S0 + 78, { late_slots = own }) },
            })
        end
        expect("fail", "lagging", liveness.judge(plan_of(), starved()))
        expect("fail", "lagging", liveness.judge(plan_of(), starved(late(S0 + 140, S0 + 149))))
        local half = {} -- of the slots, with the blocks of half of the rest missing all the same
        for _, slot in ipairs(late(S0 + 79, S0 + 120)) do half[slot] = true end
        expect("fail", "lagging", liveness.judge(plan_of(), starved(half)))
        local own = {}
        for _, slot in ipairs(late(S0 + 79, S0 + 200)) do own[slot] = true end
        local j = expect("inconclusive", "host_starved", liveness.judge(plan_of(), starved(own)))
        assert.matches("the host was late for 0 of 150 slots (node-2 for 71); without them the bound holds (75 blocks", j.message, 1, true)
        assert.matches("with them: node-2 is 35 blocks behind", j.message, 1, true)
    end)

    it("is inconclusive when every slot was late", function()
        expect("inconclusive", "host_starved",
            liveness.judge(plan_of(), agreed({}, { late_slots = late(S0, S0 + W - 1) })))
    end)
end)

describe("the bounds", function()
    it("are the scenario's own where it has some", function()
        local plan = plan_of({ min_blocks = 70, stall_slots = 5, lag = 0, confidence = 0.99 })
        expect("fail", "too_few_blocks", liveness.judge(plan, agreed(every(3))))
        expect("fail", "stalled", liveness.judge(plan_of({ stall_slots = 5 }), agreed(every(6))))
        expect("pass", "ok", liveness.judge(plan_of({ min_blocks = 25, stall_slots = 6 }), agreed(every(6))))
    end)
end)
