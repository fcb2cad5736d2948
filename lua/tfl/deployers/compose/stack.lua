--- The compose file of a run: assets/stack/docker-compose.yml.in with its ${names} replaced and its service block once for each node.
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local sys = require "tfl.core.sys"

local M = {}

--- The folder assets/ that belongs to this tfl.
---@return string
function M.assets() return (sys.exe():match "^(.*)/[^/]*/[^/]*$" or ".") .. "/share/tfl/assets" end

--- One line of JSON. A dollar is two: compose replaces names of its own.
local function value_of(value) return (json.encode(value):gsub("%$", "$$")) end

--- Fills in the names of a text. Raises bad_config for one that is not known.
local function fill(text, values)
    return (text:gsub("%${([%w_]+)}", function(name)
        if values[name] == nil then
            errors.bad_config("docker-compose.yml.in: there is no ${%s}; the template is of another version of tfl", name)
        end
        return value_of(values[name])
    end))
end

--- {name = value} as "name=value" texts in their order, which is the same each time.
local function pairs_of(t)
    local list = {}
    for name, value in pairs(t) do list[#list + 1] = name .. "=" .. tostring(value) end
    table.sort(list)
    return list
end

--- What the service block says of one node.
---@class tfl.Service
---@field service string name, by which the other nodes find it
---@field image string
---@field program string[]
---@field arguments string[]
---@field environment table<string, string>
---@field user string "1000:1000"
---@field folder string absolute
---@field ports string[] "127.0.0.1:20040:20040"
---@field extra_hosts string[]
---@field labels table<string, string>
---@field stop_signal string "SIGTERM"

---@return string head, string block, string tail of the template; raises bad_config
local function template()
    local path = M.assets() .. "/stack/docker-compose.yml.in"
    local text, why = sys.read_file(path)
    if not text then errors.bad_config("%s", why) end
    local head, block, tail = text:match "^(.-\n) *# each node\n(.-\n) *# end\n(.*)$"
    if not head then errors.bad_config('%s: it has no lines "# each node" and "# end"', path) end
    return (head:gsub("^#[^\n]*\n", ""):gsub("^#[^\n]*\n", "")), block, tail
end

--- The block of one node, as text: two that are equal make equal containers.
---@param service tfl.Service
---@return string
function M.service(service)
    local _, block = template()
    local values = { environment = pairs_of(service.environment), labels = pairs_of(service.labels) }
    return fill(block, setmetatable(values, { __index = service }))
end

--- The whole file.
---@param services string[] blocks
---@param labels table<string, string> of the network
---@return string
function M.file(services, labels)
    local head, _, tail = template()
    return head .. table.concat(services) .. fill(tail, { network_labels = pairs_of(labels) })
end

return M
