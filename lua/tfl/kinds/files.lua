--- What kinds share to make the files of nodes.
local M = {}

--- Durations of the nodes' files: seconds, a dot, nine digits of nanoseconds (the real node reads '1.5' as 1 s and 5 ns).
---@param ms integer
---@return string
function M.duration(ms) return ("%d.%09d"):format(ms // 1000, ms % 1000 * 1000000) end

--- A map whose keys are written in the given order.
---@param map table
---@param ... string
---@return table map
function M.ordered(map, ...) return setmetatable(map, { __order = { ... }, __jsontype = "object" }) end

--- Members of `own` over those of `config`, in depth; lists are replaced whole.
---@param config table
---@param own table
---@return table config
function M.merge(config, own)
    for key, value in pairs(own) do
        if type(value) == "table" and type(config[key]) == "table" and #value == 0 and #config[key] == 0 then
            M.merge(config[key], value)
        else
            config[key] = value
        end
    end
    return config
end

--- A node's own configuration over the kind's.
---@param node tfl.KindNode
---@param config table
---@return table
function M.configured(node, config)
    if type(node.config) == "function" then return node.config(config) or config end
    return M.merge(config, node.config or {})
end

return M
