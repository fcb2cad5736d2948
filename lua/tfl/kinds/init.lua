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

--- Who a node is to others: what its kind makes of the seed, else what tfl gives every node ({peer_id, leader_pub}).
---@param node table
---@param seed integer
---@return {peer_id: string, leader_pub: string|nil}
function M.identity(node, seed) return node.kind.identity and node.kind.identity(seed, node.index) or node end

--- "kind reference", or "kinds reference (2 nodes), next (1)".
---@param nodes table[]
function M.describe(nodes)
    local counts, order = {}, {}
    for _, node in ipairs(nodes) do
        local name = node.kind.name
        if not counts[name] then order[#order + 1] = name end
        counts[name] = (counts[name] or 0) + 1
    end
    if #order == 1 then return "kind " .. order[1] end
    for i, name in ipairs(order) do order[i] = ("%s (%d)"):format(name, counts[name]) end
    return "kinds " .. table.concat(order, ", ")
end

--- What a verb on links is, to a kind.
local LINKS = { partition = "link", isolate = "link" }

--- Why nodes cannot do something, by what their kinds say; nil when they can.
---@param nodes table[]
---@param ability string a verb, or another member of capabilities
---@return string|nil
function M.refusal(nodes, ability)
    for _, node in ipairs(nodes) do
        local kind = node.kind
        local said = kind.capabilities and kind.capabilities[LINKS[ability] or ability]
        if said == false or type(said) == "string" then
            return ("not with the kind %s%s"):format(kind.name, said and ": " .. said or ", which cannot do that")
        end
    end
end

--- Raises usage, with the reason, when the kind of one of the nodes has something among what it cannot do.
---@param what string who asks for it
function M.demand(nodes, ability, what)
    local refusal = M.refusal(nodes, ability)
    if refusal then errors.usage("%s: %s", what, refusal) end
end

return M
