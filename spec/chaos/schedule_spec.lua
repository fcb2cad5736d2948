-- The schedule of chaos as a pure function.
local builder = require "tfl.chaos.builder"
local judge = require("tfl.expectations.chaos").judge
local schedule = require "tfl.chaos.schedule"

-- Draws that only depend on their stream's name.
local function draws(seed)
    return function(name, n)
        local h = seed * 2654435761 + 97
        for i = 1, #name do h = (h * 31 + name:byte(i)) & 0x7fffffffffff end
        h = (h ~ (h >> 17)) * 0x5bd1e995 & 0x7fffffffffff
        return (h ~ (h >> 15)) % n
    end
end

local function make(fn, change)
    local c = builder()
    fn(c)
    local clauses = {}
    for i, clause in ipairs(c._clauses) do
        clauses[i] = {}
        for key, value in pairs(clause) do clauses[i][key] = value end
        for _, name in ipairs { "min_delay", "max_delay", "cooldown", "lasts" } do
            clauses[i][name] = require("tfl.duration").to_seconds(clause[name], { slot_seconds = 0.2, f = 0.5 })
        end
    end
    local nodes = {}
    for i = 0, 4 do nodes[i + 1] = { name = "node-" .. i, index = i, stake = 1 } end
    local o = { seed = 1, clauses = clauses, nodes = nodes, slot_seconds = 0.2, slots = 1000, allowance = 15, apart = 25, draw = draws(1) }
    for key, value in pairs(change or {}) do o[key] = value end
    return schedule.make(o), o
end

local function restarts(c) c:restart():min_delay "1s":max_delay "3s":target_cooldown "8s":apply() end

describe("the schedule", function()
    it("is the same for the same seed, another for another", function()
        assert.same(make(restarts), (make(restarts)))
        assert.not_same(make(restarts), (make(restarts, { draw = draws(2) })))
    end)

    it("keeps delays, and each node's own cooldown, not a global one", function()
        local list = make(restarts)
        assert.is_true(#list > 40)
        local last, gaps = {}, {}
        for i, e in ipairs(list) do
            local name = e.targets[1]
            if last[name] then assert.is_true(e.at - last[name] >= 40, ("%s at %d after %d"):format(name, e.at, last[name])) end
            last[name] = e.till
            if i > 1 then gaps[#gaps + 1] = e.at - list[i - 1].till end
        end
        local least, quick = math.huge, 0
        for _, gap in ipairs(gaps) do
            least = math.min(least, gap)
            quick = quick + (gap < 40 and 1 or 0)
        end
        assert.is_true(least >= 5)
        assert.is_true(quick > #gaps // 2, "other nodes are struck while one cools down")
    end)

    it("ends every fault an allowance before the window does", function()
        for _, e in ipairs((make(function(c) c:pause():duration "4s":min_delay "1s":max_delay "2s":apply() end))) do
            assert.is_true(e.till + 15 <= 1000)
            assert.equal(20, e.till - e.at)
        end
        assert.same({}, (make(restarts, { slots = 12 })))
    end)

    it("leaves excluded nodes alone, and more than half of the stake up", function()
        local list, o = make(function(c)
            c:kill():min_delay "0.2s":max_delay "0.4s":target_cooldown "1s":duration "20s":exclude(0, "node-1"):apply()
            c:churn():min_delay "0.2s":max_delay "0.4s":target_cooldown "1s":duration "15s":exclude(0):apply()
        end)
        for slot = 0, 999 do
            local down = 0
            for _, e in ipairs(list) do
                assert.not_equal("node-0", e.targets[1])
                if e.verb == "kill" then assert.not_equal("node-1", e.targets[1]) end
                down = down + ((slot >= e.at and slot < e.till) and 1 or 0)
            end
            assert.is_true(down <= 2, "slot " .. slot)
        end
        assert.equal(5, #o.nodes)
    end)

    it("of two nodes, or one, one may go down", function()
        for n = 1, 2 do
            local nodes = {}
            for i = 0, n - 1 do nodes[i + 1] = { name = "node-" .. i, index = i, stake = 1 } end
            assert.is_true(#make(restarts, { nodes = nodes }) > 10)
        end
    end)

    it("max_down is the clause's own bound", function()
        local function most(n)
            local list, worst = make(function(c)
                c:pause():min_delay "0.2s":max_delay "0.4s":target_cooldown "0s":duration "10s":max_down(n):apply()
            end), 0
            for slot = 0, 999 do
                local down = 0
                for _, e in ipairs(list) do down = down + ((slot >= e.at and slot < e.till) and 1 or 0) end
                worst = math.max(worst, down)
            end
            return worst
        end
        assert.equal(1, most(1))
        assert.is_true(most(4) <= 4)
    end)

    it("partitions: their shapes, one at a time, apart from each other", function()
        for shape, small in pairs { halves = 2, one = 1, majority = 2 } do
            local list = make(function(c) c:partition(shape):min_delay "0.2s":max_delay "1s":duration "3s":apply() end)
            assert.is_true(#list > 5)
            for i, e in ipairs(list) do
                assert.equal(small, #e.groups[1])
                assert.equal(5 - small, #e.groups[2])
                if i > 1 then assert.is_true(e.at >= list[i - 1].till + 25) end
            end
        end
    end)

    it("exclusions hold for partitions and latencies, too", function()
        for _, shape in ipairs { "one", "majority", "halves" } do
            for _, e in ipairs((make(function(c) c:partition(shape):min_delay "0.2s":max_delay "1s":exclude(0, "node-3") end))) do
                for _, name in ipairs(e.groups[1]) do assert.is_true(name ~= "node-0" and name ~= "node-3") end
                assert.equal(5, #e.targets)
            end
        end
        local list = make(function(c) c:latency "20ms":exclude(0, 3) end)
        assert.same({ "node-1", "node-2", "node-4" }, list[1].targets)
        assert.same({}, make(function(c) c:latency "20ms" end)[1].targets)
    end)

    -- Nodes of these stakes, each of which dials what `dials` says.
    local function graph(stakes, dials)
        local nodes = {}
        for i, stake in ipairs(stakes) do
            nodes[i] = { name = "n" .. i - 1, index = i - 1, stake = stake, dials = dials(i - 1) }
        end
        return nodes, schedule.edges(nodes)
    end
    local function full(i)
        local all = {}
        for j = 0, i - 1 do all[#all + 1] = j end
        return all
    end
    local function star(i) return i > 0 and { 0 } or {} end
    local function chain(i) return i > 0 and { i - 1 } or {} end

    local function share(clause, stakes, dials)
        clause.exclude, clause.lasts, clause.verb = clause.exclude or {}, 2, clause.verb or "partition"
        local nodes, edges = graph(stakes, dials or full)
        local need = schedule.need(clause, nodes, edges, 0.2, 0)
        assert.equal(10, need.slots)
        return need.share
    end

    it("what a partition asks of k counts the worst second side", function()
        assert.equal(3 / 8, share({ shape = "one" }, { 5, 1, 1, 1 })) -- the rich one alone: the others are the smaller side
        assert.equal(1 / 8, share({ shape = "one", exclude = { 0 } }, { 5, 1, 1, 1 }))
        assert.equal(0.5, share({ shape = "halves" }, { 1, 1 }))
        assert.is_true(share({ shape = "halves" }, { 8, 5, 1, 1 }) >= 6 / 15) -- {8, 1} | {5, 1}, not {8, 5} | {1, 1}
        assert.equal(2 / 5, share({ shape = "majority" }, { 1, 1, 1, 1, 1 }))
        local ten = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }
        assert.equal(0.3, share({ groups = { { "n0", "n1", "n2" }, { "n9" } } }, ten)) -- the six in no group are a side
        assert.near(4 / 9, share({ groups = { { "n0" }, { "n1" }, { "n2" } } }, { 4, 4, 1 }), 1e-12)
        assert.equal(0, share({ verb = "latency" }, ten))
    end)

    it("it counts the sides into which a graph falls that is not full", function()
        assert.is_nil(select(2, graph({ 1, 1, 1 }, full)))
        assert.near(5 / 11, share({ shape = "one" }, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, chain), 1e-12)
        assert.near(1 / 5, share({ verb = "churn" }, { 1, 1, 1, 1, 1 }, star), 1e-12) -- without the hub each leaf is alone
        assert.equal(0, share({ verb = "churn", exclude = { 0 } }, { 1, 1, 1, 1, 1 }, star))
        assert.equal(0, share({ verb = "kill" }, { 1, 1, 1, 1, 1 }))
        assert.equal(0.5, share({ shape = "majority" }, { 1, 1, 1, 1, 1 }, chain))
    end)

    it("a node without which the others are apart is taken alone, and some time after the last partition", function()
        local nodes, edges = graph({ 1, 1, 1, 1, 1 }, chain)
        local list = make(function(c)
            c:kill():min_delay "0.2s":max_delay "0.6s":duration "1s":target_cooldown "0s":max_down(3):apply()
            c:pause():min_delay "0.2s":max_delay "0.6s":duration "1s":target_cooldown "0s":max_down(3):apply()
            c:partition "one":min_delay "0.2s":max_delay "1s":duration "1s":apply()
        end, { nodes = nodes, edges = edges })
        local splits, cuts = 0, 0
        for i, e in ipairs(list) do
            local inner = not e.groups and e.targets[1] ~= "n0" and e.targets[1] ~= "n4"
            assert.equal(inner, e.splits == true)
            splits, cuts = splits + (inner and 1 or 0), cuts + (e.groups and 1 or 0)
            for j = 1, i - 1 do
                local before = list[j]
                if e.splits or e.groups then
                    assert.is_true(before.till <= e.at, "nobody else is down")
                    if before.splits or before.groups then assert.is_true(e.at >= before.till + 25) end
                elseif before.groups then
                    assert.is_true(before.till <= e.at)
                end
            end
        end
        assert.is_true(splits > 3 and cuts > 3 and #list > splits + cuts)
    end)
end)

describe("the builder", function()
    it("names what is wrong", function()
        for call, pattern in pairs {
            [function(c) c:min_delay "1s" end] = "open one first",
            [function(c) c:restrat() end] = "did you mean \"restart\"",
            [function(c) c:partition "halfs" end] = "known are: halves",
            [function(c) c:restart():max_down(0) end] = "from 1",
            [function(c) c:restart():min_delay "soon" end] = "no duration",
            [function(c) c:restart():exclude {} end] = "a node was expected",
        } do
            local ok, err = pcall(call, builder())
            assert.is_false(ok)
            assert.truthy(tostring(err):find(pattern), tostring(err))
        end
    end)
end)

describe("what chaos came to", function()
    local function entry(clause, verb, bit, skipped)
        return { clause = clause, verb = verb, fault = not skipped and { bit = bit } or nil, skipped = skipped }
    end

    it("passes when each clause bit at least once", function()
        local verdict, _, message, figures = judge {
            entry(1, "restart", true), entry(1, "restart", false, "it was down"), entry(2, "pause", true),
        }
        assert.equal("pass", verdict)
        assert.equal("2 of 3 faults made, 1 skipped (it was down)", message)
        assert.same({ planned = 3, done = 2, bit = 2, skipped = 1 }, figures)
    end)

    it("is inconclusive when one never did anything", function()
        for _, list in ipairs {
            { entry(1, "restart", true), entry(2, "partition", false) }, { entry(1, "restart", false, "it was down") },
            { { clause = 1, verb = "kill" } },
        } do
            local verdict, code = judge(list)
            assert.equal("inconclusive", verdict)
            assert.equal("fault_never_bit", code)
        end
    end)
end)
