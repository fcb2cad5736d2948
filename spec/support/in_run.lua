--- Runs Lua inside a run of the built tfl, where it may wait: as the init hook of an expectation, before anything is deployed.
--
--     local in_run = require "spec.support.in_run"
--     local value, result = in_run([[ return tfl.exec{"echo", "hi"}.stdout ]], argument…)
--     in_run({ [[ … ]], env = { NAME = "value" } }, argument…)      the same with these variables
--
-- The chunk gets `tfl` and the arguments (plain data) as `...`, and what it returns comes back through JSON; an error comes back as a
-- table {error = message, code = code}. The run ends with a script error after it; `result` is what support.run gives.
local dkjson = require "dkjson"
local support = require "spec.support"

local FILE = [==[
local chunk = assert(load(%q, "=inside", "t", setmetatable({ tfl = tfl }, { __index = _G })))
local arguments = tfl.json.decode(%q)
local function init()
    local results = table.pack(pcall(chunk, table.unpack(arguments)))
    local e, out = results[2], { value = results[2] }
    if not results[1] then
        out = type(e) == "table" and { error = e.message, code = e.code, node = e.node } or { error = tostring(e), code = "lua" }
    end
    local file = assert(io.open(%q, "wb"))
    file:write(tfl.json.encode(out))
    file:close()
    error("that was all")
end
tfl.scenario("inside"):topology_with(function(t) t:nodes(2) end):with_run_duration(tfl.slots(60))
    :with_expectation(tfl.expectation("inside", { init = init })):build()
]==]

return function(code, ...)
    local env = type(code) == "table" and code.env or nil
    if env then code = code[1] end
    local out = support.path("inside.json")
    os.remove(out)
    local file = support.write("inside.lua", FILE:format(code, dkjson.encode({ ... }), out))
    local result = support.run { file, "--quiet", env = env }
    local text = support.read(out)
    assert(text, "the code inside tfl gave no result: " .. result.text)
    local decoded = assert(dkjson.decode(text, 1, nil))
    if decoded.error then
        return decoded, result
    end
    return decoded.value, result
end
