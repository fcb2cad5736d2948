-- Whether nodes were on one chain, and what follows for recovery and forks.
local agreement = require "tfl.verdict.agreement"
local forks = require "tfl.expectations.fork_resolution"
local recovery = require "tfl.expectations.recovery"

-- A chain g → 1 → 2 → 3 and a branch 2' → 3' from 1; slots are ten times the height.
local function world(...)
    local a = agreement.new()
    a:block("g", nil, 0, 0)
    for _, row in ipairs { { "1", "g" }, { "2", "1" }, { "3", "2" }, { "2'", "1" }, { "3'", "2'" }, { "4", "3" } } do
        local height = tonumber((row[1]:gsub("'", "")))
        a:block(row[1], row[2], 10 * height, height)
    end
    for _, node in ipairs { ... } do
        a:adopt(0, node, "g")
        a:set_up(0, node, true)
    end
    return a
end

local function fault(t0, t1, slot1, more)
    local made = {
        name = "restart#1", verb = "restart", by = "w", targets = { "a" }, t0 = t0, t1 = t1, ready_t = t1, slot0 = 0, slot1 = slot1,
    }
    for key, value in pairs(more or {}) do made[key] = value end
    return made
end

describe("agreement", function()
    it("blocks that are on their way are no fork", function()
        local w = world("a", "b")
        w:adopt(1, "a", "1") w:adopt(2, "b", "1") w:adopt(3, "a", "2") w:adopt(4, "a", "3") w:adopt(5, "b", "3")
        assert.same({}, w.forks)
        assert.equal(5, w:reached(0, 30))
        assert.is_nil(w:reached(0, 31))
    end)

    it("a fork is open from the first tip beside the chain until all are on one", function()
        local w = world("a", "b", "c")
        w:adopt(1, "a", "2") w:adopt(2, "b", "2'") w:adopt(3, "c", "2") w:adopt(4, "b", "3") w:adopt(5, "a", "3")
        assert.same({ { from = 2, to = 4 } }, w.forks)
    end)

    it("nodes that are down do not count", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(2, "b", "2'")
        w:set_up(3, "b", false)
        assert.same({ { from = 2, to = 3 } }, w.forks)
        assert.equal(3, w:reached(0, 20))
    end)

    it("a common block that is lost again does not count as reached later", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(1, "b", "2")
        w:adopt(2, "b", "3'") -- the common block is 1 again
        w:adopt(9, "b", "3")
        assert.equal(1, w:reached(0, 20))
        assert.equal(9, w:reached(3, 20))
    end)
end)

describe("recovery", function()
    local function judge(w, list, within, now)
        local verdict, code, message = recovery.judge(agreement.recoveries(w, list, within, now), within)
        return verdict, code, message
    end

    it("needs a block in common that was made after the end of the fault", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(1, "b", "2")
        w:adopt(7, "a", "3") w:adopt(8, "b", "3")
        assert.equal("pass", judge(w, { fault(3, 4, 25) }, 5, 20))
        local verdict, code, message = judge(w, { fault(3, 4, 25) }, 3, 20)
        assert.equal("fail", verdict) assert.equal("not_recovered", code)
        assert.truthy(message:find("4.0s after restart#1", 1, true), message)
    end)

    it("never: fails once the bound has passed, before that nothing can be said", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(1, "b", "2")
        assert.equal("fail", judge(w, { fault(3, 4, 25) }, 5, 20))
        assert.equal("inconclusive", judge(w, { fault(3, 4, 25) }, 5, 8))
        assert.equal("inconclusive", judge(w, {}, 5, 8))
    end)

    it("is not before the node is ready again, and never when it is not", function()
        local w = world("a", "b")
        w:set_up(3, "a", false)
        w:adopt(5, "b", "3")
        w:set_up(9, "a", true)
        w:adopt(12, "a", "3")
        local list = agreement.recoveries(w, { fault(3, 4, 25, { ready_t = 9 }) }, 20, 30)
        assert.equal(8, list[1].took)
        list = agreement.recoveries(w, { fault(3, 4, 25, { ready_t = false }) }, 20, 30)
        assert.is_nil(list[1].took or nil)
    end)

    it("a node that is struck again before it was ready counts from the last time", function()
        local w = world("a", "b")
        w:adopt(12, "a", "3") w:adopt(12, "b", "3")
        local list = agreement.recoveries(w, { fault(3, 4, 25, { ready_t = false }), fault(5, 6, 26, { ready_t = 7 }) }, 20, 30)
        assert.equal(1, #list)
        assert.equal(6, list[1].took)
    end)

    it("faults that overlap are one disturbance", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(1, "b", "2")
        w:adopt(30, "a", "3") w:adopt(30, "b", "3")
        local list = agreement.recoveries(w, { fault(3, 26, 22), fault(5, 28, 28, { name = "pause#2" }) }, 5, 40)
        assert.equal(1, #list)
        assert.equal(28, list[1].t)
        assert.equal(2, list[1].took)
    end)

    it("a node that is stopped for good disturbs when it goes; one that joins when it joins", function()
        local w = world("a", "b")
        w:adopt(5, "a", "3") w:adopt(5, "b", "3")
        local stopped = fault(3, nil, nil, { verb = "stop", name = "stop#1", slot0 = 20 })
        local joined = fault(0, 4, 21, { verb = "absent", name = "absent#2", by = "plan" })
        local list = agreement.disturbances { stopped, joined, fault(1, 2, 3, { error = "failed" }) }
        assert.equal(2, #list)
        assert.same({ 3, 4 }, { list[1].to, list[2].to })
        assert.equal("pass", judge(w, { stopped }, 5, 20))
    end)
end)

describe("fork resolution", function()
    it("stops the clock while a cut is in force", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(2, "b", "2'") w:adopt(40, "b", "3")
        local cut = fault(0, 35, 30, { cut = true, links = true })
        local list = agreement.fork_times(w, { cut }, 50)
        assert.equal(5, list[1].seconds)
        assert.equal("pass", (forks.judge(list, 6)))
        local verdict, code = forks.judge(agreement.fork_times(w, {}, 50), 6)
        assert.equal("fail", verdict) assert.equal("fork_unresolved", code)
    end)

    it("one that is still open fails when it has been open too long, none at all is no sample", function()
        local w = world("a", "b")
        w:adopt(1, "a", "2") w:adopt(2, "b", "2'")
        assert.equal("fail", (forks.judge(agreement.fork_times(w, {}, 50), 6)))
        assert.equal("inconclusive", (forks.judge(agreement.fork_times(w, {}, 5), 6)))
        assert.equal("inconclusive", (forks.judge({}, 6)))
    end)
end)
