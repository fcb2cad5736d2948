--- Runs Lua inside the built tfl, for specs of modules that need its C side (tfl.core.*).
--
--     local inside = require "spec.topology.inside"
--     local result = inside [[ return require("tfl.core.yaml").emit(...) ]] (value)
--
-- The chunk gets the arguments (plain data), and what it returns comes back through JSON. An error comes back as a table
-- {error = message, code = code}. It runs as file-level code of a scenario under `tfl check`, which starts nothing.
local dkjson = require "dkjson"
local support = require "spec.support"

local FILE = [==[
local json = tfl.json
local arguments = json.decode(%q)
local chunk = assert(load(%q, "=inside", "t"))
local results = table.pack(pcall(chunk, table.unpack(arguments, 1, arguments.n or #arguments)))
local out
if results[1] then
    out = { value = results[2] }
else
    local e = results[2]
    out = type(e) == "table" and { error = e.message, code = e.code } or { error = tostring(e), code = "lua" }
end
local file <close> = assert(io.open(%q, "wb")) -- what is printed has its secrets taken out
file:write(json.encode(out))
]==]

return function(code)
    return function(...)
        local result_file = support.path "inside.json"
        os.remove(result_file)
        local file = support.write("inside.lua", FILE:format(dkjson.encode({ ... }), code, result_file))
        local result = support.run({ "check", file })
        local text = support.read(result_file)
        assert(text, "the code inside tfl gave no result: " .. result.text)
        local out = assert(dkjson.decode(text, 1, nil))
        if out.error then
            return out
        end
        return out.value
    end
end
