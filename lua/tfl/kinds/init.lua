--- The node kinds by name: how one node is configured, launched and spoken to. Those of tfl, and those a file makes by tfl.kind.
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

local M = {}
local modules = { reference = "tfl.kinds.reference", logos = "tfl.kinds.logos" }

--- Names of the kinds there are.
---@param context? table of the file
---@return string[] names
function M.names(context)
    local names = {}
    for name in pairs(modules) do names[#names + 1] = name end
    for name in pairs(context and context.kinds or {}) do names[#names + 1] = name end
    table.sort(names)
    return names
end

---@param name string
---@return table|nil kind of tfl's own
function M.built_in(name) return modules[name] and require(modules[name]) end

--- The kind that a script's word means: a name, or what tfl.kind gave. Raises usage.
---@param k string|table
---@param context? table of the file
---@return table kind
function M.resolve(k, context)
    local meta = type(k) == "table" and getmetatable(k)
    if type(meta) == "table" and meta.__name == "kind" then return k end
    local kind = context and context.kinds and context.kinds[k] or M.built_in(k)
    if not kind then
        errors.usage("kind: there is no kind %s%s", errors.show(k), suggest.hint(tostring(k), M.names(context)))
    end
    return kind
end

--- Raises usage, with the reason, when the kind of one of the nodes has something among what it cannot do.
---@param nodes table[]
---@param ability string a member of capabilities
---@param what string who asks for it
function M.demand(nodes, ability, what)
    for _, node in ipairs(nodes) do
        local why = node.kind and node.kind.capabilities and node.kind.capabilities[ability]
        if type(why) == "string" then errors.usage("%s: not with the kind %s: %s", what, node.kind.name, why) end
    end
end

return M
