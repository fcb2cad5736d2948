--- Scenarios that have a twin: the scenario passes, and the twin fails with its code.
local assert = require "luassert"
local support = require "spec.support"

local twins = {}

--- Runs both at once.
---@param name string of the file in scenarios/
---@param expectation string that fails the twin
---@param code string with which it does
---@param spec table what support.start takes: more words for tfl, env; timeout: seconds that each may take (100)
function twins.check(name, expectation, code, spec)
    local function start(twin)
        local words = { "scenarios/" .. name .. ".lua", "--json", "--quiet", "-p", "twin=" .. tostring(twin), env = spec.env }
        table.move(spec, 1, #spec, #words + 1, words)
        return support.start(words)
    end
    local result, twin
    for _ = 1, 2 do
        local good, bad = start(false), start(true)
        result, twin = good:wait(spec.timeout or 100), bad:wait(spec.timeout or 100) -- both have cleaned up before anything fails
        if not support.too_slow(result) and not support.too_slow(twin) then break end
    end
    assert.equal(0, result.code, result.text)
    assert.equal(1, twin.code, twin.text)
    local seen
    for _, e in ipairs(twin.summary.expectations) do
        if e.name == expectation and e.verdict == "fail" and e.code == code then seen = true end
    end
    assert.is_true(seen, ("%s: %s was expected of the twin\n%s"):format(expectation, code, twin.text))
    return result.summary
end

return twins
