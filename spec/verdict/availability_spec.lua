-- Which slots could bring growth under faults: hand-computed cases, and simulated chains against the bounds.
local availability = require "tfl.verdict.availability"
local bounds = require "tfl.verdict.bounds"
local liveness = require "tfl.verdict.liveness"

local F, R = 0.5, 3

local function star(n)
    local nodes, edges = {}, {}
    for i = 0, n - 1 do
        nodes[i + 1] = { name = "node-" .. i, stake = 1 }
        if i > 0 then edges[i] = { "node-" .. i, "node-0" } end
    end
    return nodes, edges
end

local function chances(n, faults, change)
    local nodes, edges = star(n)
    local o = { f = F, delta = 0, allowance = R, from = 100, to = 200, nodes = nodes, edges = edges, faults = faults }
    for key, value in pairs(change or {}) do o[key] = value end
    return availability.chances(o)
end

local function node_fault(name, from, ready, verb)
    return { verb = verb or "restart", targets = { name }, slot0 = from, slot1 = ready, ready_slot = ready, by = "w" }
end

local function cut(rules, from, to)
    return { verb = "partition", links = true, cut = true, rules = rules, slot0 = from, slot1 = to, targets = {}, by = "w" }
end

local function p(share) return bounds.growth_chance(F, share) end

describe("availability", function()
    it("without faults the plan's own f holds", function() assert.same({}, chances(3, {})) end)

    it("a leaf that is down takes its stake along until the allowance is over", function()
        assert.same({ { from = 110, to = 111, p = 0 }, { from = 111, to = 124, p = p(2 / 3) } },
            chances(3, { node_fault("node-1", 110, 120) }))
    end)

    it("a hub that is down leaves each leaf alone", function()
        assert.same({ { from = 110, to = 111, p = 0 }, { from = 111, to = 200, p = p(1 / 3) } },
            chances(3, { node_fault("node-0", 110, nil, "kill") }))
    end)

    it("a node that was never started is down from the first", function()
        assert.same({ { from = 100, to = 154, p = p(2 / 3) } }, chances(3, { node_fault("node-2", 40, 150, "absent") }))
    end)

    it("a cut leaves the larger side; nodes in no group stand apart", function()
        local rest = { except = { "node-0", "node-1", "node-3" } }
        local a, b = { "node-0", "node-1" }, { "node-3" }
        local rules = { { from = a, to = b }, { from = b, to = a }, { from = a, to = rest }, { from = rest, to = a } }
        assert.same({ { from = 130, to = 131, p = 0 }, { from = 131, to = 144, p = p(2 / 4) } },
            chances(4, { cut(rules, 130, 140) }))
    end)

    it("a link counts in the slots that have it", function()
        local restarted = node_fault("node-2", 120, 122)
        local edges = { { "node-1", "node-0" }, { "node-2", "node-0", till = 120 }, { "node-2", "node-1", since = 150 } }
        assert.same({ { from = 120, to = 121, p = 0 }, { from = 121, to = 150, p = p(2 / 3) } },
            chances(3, { restarted }, { edges = edges }))
    end)

    it("one way is enough to part two nodes", function()
        assert.same({ { from = 130, to = 131, p = 0 }, { from = 131, to = 200, p = p(1 / 2) } },
            chances(2, { cut({ { from = { "node-1" }, to = { "node-0" } } }, 130, nil) }))
    end)

    it("faults that overlap add up", function()
        local spans = chances(3, { node_fault("node-1", 110, 150), node_fault("node-2", 130, 135) })
        assert.same({
            { from = 110, to = 111, p = 0 }, { from = 111, to = 130, p = p(2 / 3) }, { from = 130, to = 131, p = 0 },
            { from = 131, to = 139, p = p(1 / 3) }, { from = 139, to = 154, p = p(2 / 3) },
        }, spans)
    end)

    it("a shape counts when it is worse than what the plan knew; a verb that failed never", function()
        local shape = { verb = "link", links = true, shape = {}, slot0 = 120, slot1 = 130, targets = {}, by = "w" }
        assert.same({}, chances(2, { shape }))
        shape.beyond_plan = true
        assert.same({ { from = 120, to = 134, p = 0 } }, chances(2, { shape }))
        local failed = node_fault("node-1", 110, 120)
        failed.error = "it could not"
        assert.same({}, chances(2, { failed }))
    end)

    it("transitions last Δ slots longer", function()
        assert.same({ { from = 110, to = 113, p = 0 }, { from = 113, to = 200, p = p(2 / 3) } },
            chances(3, { node_fault("node-1", 110, nil, "kill") }, { delta = 2 }))
    end)
end)

-- A chain drawn slot by slot under a timeline of nodes that are down: the best leader set of the largest component grows it.
local function simulate(rng, plan, own, share_of)
    local slots = {}
    for slot = plan.s0, plan.s1 - 1 do
        if rng() < bounds.growth_chance(F, share_of(slot)) then slots[#slots + 1] = slot end
    end
    local nodes = {}
    for i = 0, 2 do
        nodes[i + 1] = { name = "node-" .. i, height = #slots, tip_slot = plan.s1 - 1, tip = "aa", stake = 1, stale = false }
    end
    plan.p = own
    return { canonical_slots = slots, nodes = nodes, observed = #slots, forks = 0, max_reorg_depth = 0 }
end

describe("liveness under faults", function()
    local faults = { node_fault("node-1", 110, 125), node_fault("node-2", 150, 160), node_fault("node-1", 170, 175) }
    local own = chances(3, faults, { to = 300 })
    local function plan()
        local window = require("tfl.verdict.window").plan { f = F, slot_seconds = 0.2, delta = 0, window_slots = 200 }
        window.s0, window.s1 = 100, 300
        return window
    end
    local function down(slot)
        for _, fault in ipairs(faults) do
            if slot >= fault.slot0 and slot <= fault.ready_slot then return 2 / 3 end
        end
        return 1
    end

    it("never fails a healthy chain, and always a dead one or one that dies", function()
        local state = 12345
        local function rng()
            state = (state * 6364136223846793005 + 1442695040888963407)
            return (state >> 11) / 2.0 ^ 53
        end
        for _ = 1, 300 do
            local window = plan()
            assert.equal("pass", liveness.judge(window, simulate(rng, window, own, down)).verdict)
            window = plan()
            assert.equal("fail", liveness.judge(window, simulate(rng, window, own, function() return 0 end)).verdict)
            window = plan()
            local judged = liveness.judge(window, simulate(rng, window, own, function(s) return s < 200 and down(s) or 0 end))
            assert.equal("stalled", judged.code)
        end
    end)

    it("is inconclusive when the faults leave nothing that could fail", function()
        local window = plan()
        window.p = { { from = 100, to = 290, p = 0 } }
        local fig = simulate(function() return 0 end, window, window.p, down)
        local judged = liveness.judge(window, fig)
        assert.equal("inconclusive", judged.verdict)
        assert.equal("no_sample", judged.code)
        assert.truthy(judged.message:find "faults left so little")
    end)

    it("growth in slots nobody could count on does not make up for the rest", function()
        local window = plan()
        window.p = { { from = 100, to = 180, p = 0 } }
        local slots = {}
        for slot = 100, 179 do slots[#slots + 1] = slot end
        local fig = simulate(function() return 1 end, window, window.p, down)
        fig.canonical_slots = slots
        assert.equal("stalled", liveness.judge(window, fig).code)
    end)
end)
