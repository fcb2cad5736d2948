-- Load and slots for clusters driven by hand: ctx:start_load, ctx:wait_for_slot, ctx:environment.
local support = require "spec.support"
support.guard()

local function script(body, options)
    return support.run { support.write("mine.lua", ([[
        tfl.script("mine", {nodes = 2, %s topology = function(t) t:slot_duration "50ms" end}, function(ctx)
            %s
        end)]]):format(options or "wallets = 4,", body)), "--quiet" }
end

describe("by hand", function()
    it("load begins when it is said, and is followed to its end", function()
        local result = script [[
            ctx:wait_for_slot(20)
            assert(ctx:node(1):pause().slot0 >= 20)
            ctx:node(1):resume()
            local one = ctx:start_load{per_second = 40, duration = "1s"}
            local two = ctx:start_load{per_second = 20, duration = "1s", kind = "inscription", targets = {1}}
            assert(one:wait("included", {within = "30s"}) and two:wait("included", {within = "30s"}))
            for load, n in pairs{[one] = 40, [two] = 20} do
                local c = load:counts()
                assert(c.sent == n and c.accepted == n and c.included == n, ("%d %d %d"):format(c.sent, c.accepted, c.included))
            end
            local three = ctx:start_load{per_second = 10, duration = "1h"}
            assert(not three:wait("sent", {within = "300ms"}))
            three:stop()
            assert(three:wait("sent", {within = "10s"}))
            ctx:start_load{per_second = 10, duration = "1h"} -- ends with the script
        ]]
        assert.equal(0, result.code, result.text)
    end)

    it("wrong loads are refused in their words", function()
        for call, message in pairs {
            ["ctx:start_load{}"] = "per_second(nil): a number above 0 was expected",
            ["ctx:start_load{per_second = 1, rate = 2}"] = 'there is no option "rate"',
            ["ctx:start_load{per_second = 1, kind = 'gift'}"] = 'kind("gift")',
            ["ctx:start_load{per_second = 1, targets = {7}}"] = "there is no such node",
            ["ctx:start_load{per_second = 1, duration = 'x'}"] = "is no duration",
            ["ctx:wait_for_slot('x')"] = "a slot was expected",
        } do
            local result = script(call)
            assert.equal(2, result.code, result.text)
            assert.truthy(result.text:find(message, 1, true), call .. "\n" .. result.text)
        end
        local result = script("ctx:start_load{per_second = 1}", "")
        assert.truthy(result.text:find("nobody could sign", 1, true), result.text)
    end)

    it("the methods of ctx are there by their names in its environment", function()
        local result = script [[
            local _ENV = ctx:environment(_ENV)
            wait_for_height(2)
            x = node(0)
            assert(x.name == "node-0" and ctx:node(0) == x and tfl.slots and no_such_name == nil)
        ]]
        assert.equal(0, result.code, result.text)
    end)
end)
