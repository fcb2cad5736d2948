-- What is read of the host: figures out of the kernel's texts, and clocks that jump; and that a run has them.
local figures = require "tfl.host_figures"
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

describe("the host's figures", function()
    it("steal is a share of all processor time, in which guests are not counted twice", function()
        local first = figures.processor "cpu  100 0 100 700 50 0 50 0 40 0\ncpu0 1 2 3\n"
        local last = figures.processor "cpu  200 0 200 1300 50 0 50 200 90 0\ncpu0 1 2 3\n"
        assert.same({ all = 1000, steal = 0 }, first)
        assert.equal(0.2, figures.stolen(first, last))
        assert.equal(0, figures.stolen(last, { all = 3000, steal = 100 }), "a counter that went back")
        assert.is_nil(figures.stolen(first, first))
        assert.is_nil(figures.processor "cpu  1 2 3\n")
        assert.is_nil(figures.processor(nil))
    end)

    it("kills for lack of memory are counted where the kernel counts them", function()
        assert.equal(3, figures.oom_kills "nr_free_pages 1\noom_kill 3\nxoom_kill 9\n")
        assert.equal(4, figures.oom_kills "oom_kill 4\n")
        assert.is_nil(figures.oom_kills "pgfault 3\n")
        assert.is_nil(figures.oom_kills(nil))
    end)

    it("a clock jumps when it stays away, not when one look was late", function()
        local clock = figures.clock()
        assert.is_nil(clock:look(1000000, 1000))
        assert.is_nil(clock:look(1001050, 2000), "50 ms are none")
        assert.is_nil(clock:look(1003000, 3000), "a second late")
        assert.is_nil(clock:look(1003050, 4000), "and back")
        assert.is_nil(clock:look(1009050, 5000))
        assert.equal(5000, clock:look(1010050, 6000))
        assert.is_nil(clock:look(1011050, 7000), "told once")
        assert.is_nil(clock:look(1002050, 8000))
        assert.equal(-10000, clock:look(1003050, 9000))
    end)
end)

describe("a process", function()
    local starvation = require "tfl.starvation"

    it("was kept from running when it waited, or is ready and does not run; not when it sleeps, hangs or works", function()
        local one = starvation.process()
        local function look(...) return one:look(...) end
        assert.is_nil(look(10, 7, 1.0, 0.5, false))
        assert.is_nil(look(11, 7, 1.1, 0.6, false), "a tenth of the time is nothing")
        assert.same({ 1, false }, { look(12, 7, 1.2, 1.0, false) })
        assert.is_nil(look(13, 7, 1.2, 1.0, false), "it sleeps, or hangs")
        assert.is_nil(look(14, 7, 1.2, 1.0, true))
        assert.same({ 1, true }, { look(15, 7, 1.2, 1.0, true) }, "a wait that goes on is not counted yet")
        assert.same({ 3, true }, { look(16, 7, 1.2, 4.0, false) }, "and this long it was")
        assert.is_nil(look(17, 7, 1.2, 4.0, true))
        assert.is_nil(look(18, 7, 2.2, 4.0, true), "it works all the time")
        assert.is_nil(look(19, 8, 0.0, 9.0, false), "another one")
        assert.is_nil(look(20, 8))
        assert.is_nil(look(21, 8, 0.0, 99.0, true), "nothing to compare with")
    end)
end)

it("a run has them in its summary, and tells them when it does not pass", function()
    local result = nodes.run(nodes.scenario(
        ":topology_with(function(t) t:nodes(1):slot_duration '50ms' end):with_run_duration '30s':with_workload(w)",
        nodes.WORKLOAD .. "function w:start(ctx) ctx:wait_for_height(1) ctx:sleep '1500ms' ctx:fail 'as it is meant to' end"))
    assert.equal(1, result.code, result.text)
    local host = result.summary.host
    assert.is_number(host.loop_lag_ms)
    assert.is_true(host.disk_free_bytes > 0)
    assert.is_true(host.steal >= 0 and host.steal <= 1)
    assert.is_true(host.oom_kills >= 0)
    assert.equal(0, host.clock_jump_ms)
    assert.matches("    host +loop late by up to %d", result.out)
end)
