--- The node kinds by name: how one node is configured, launched and spoken to.
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

local M = {}
local modules = { reference = "tfl.kinds.reference" }

---@return string[] names
function M.names()
    local names = {}
    for name in pairs(modules) do names[#names + 1] = name end
    table.sort(names)
    return names
end

---@param name string
---@return table kind
function M.get(name)
    if not modules[name] then
        errors.usage("kind %s: there is no such kind%s", errors.show(name), suggest.hint(tostring(name), M.names()))
    end
    return require(modules[name])
end

return M
