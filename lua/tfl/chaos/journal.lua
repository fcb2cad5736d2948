--- What chaos did in an earlier run, for --replay: read from its events.jsonl, and refused when this run could not do the same.
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local sys = require "tfl.core.sys"

local M = {}

--- All names of a list are those of nodes.
local function known(list, names)
    if type(list) ~= "table" then return false end
    for _, name in ipairs(list) do
        if not names[name] then return false, name end
    end
    return true
end

--- Why an entry cannot be made in this run, or nil.
local function fault_of(entry, o, names)
    if not o.verbs[entry.verb] then return ("there is no verb %s"):format(errors.show(entry.verb)) end
    if math.type(entry.till) ~= "integer" or entry.at < 0 or entry.till <= entry.at or math.type(entry.clause) ~= "integer" then
        return "its slots or its clause are missing"
    end
    local groups = entry.verb == "partition" and entry.groups or {}
    local lists = { entry.targets or 0, table.unpack(type(groups) == "table" and groups or { 0 }) }
    if entry.verb == "partition" and #lists < 2 then return "its groups are missing" end
    for i = 1, #lists do
        local fine, stranger = known(lists[i], names)
        if not fine then return stranger and ("there is no node %s here"):format(errors.show(stranger)) or "its nodes are missing" end
    end
    if not o.verbs[entry.verb].links and #entry.targets ~= 1 then return "one node was expected" end
    if entry.verb == "latency" and not math.type(entry.latency) then return "its latency is missing" end
    if o.verbs[entry.verb].links and not o.links then
        return "it is about links, and no relays stand between the nodes; say :enable_node_control{links = true}"
    elseif entry.till + o.allowance > o.slots then
        return ("it ends in slot %d, and a window of %d slots is over too soon after that; run as long as that run did (-t)"):format(
            entry.till, o.slots)
    end
end

--- The entries in the order they were made.
---@param dir string of the run
---@param o {nodes: {name:string}[], verbs: table<string, {links:boolean|nil}>, links: boolean, slots: integer, allowance: integer}
---@return tfl.ChaosEntry[]
function M.read(dir, o)
    local text, list, names, order = sys.read_file(dir .. "/events.jsonl"), {}, {}, {}
    if not text then errors.usage("--replay %s: there is no events.jsonl of a run in that folder", dir) end
    for _, node in ipairs(o.nodes) do names[node.name] = true end
    for line in text:gmatch "[^\n]+" do
        local entry = line:find('"type":"chaos"', 1, true) and json.decode(line)
        if type(entry) == "table" and math.type(entry.at) == "integer" then
            local why = fault_of(entry, o, names)
            if why then errors.usage("--replay %s: slot %d, %s: %s", dir, entry.at, errors.show(entry.verb), why) end
            list[#list + 1] = entry
            order[entry] = #list
        end
    end
    if #list == 0 then errors.usage("--replay %s: that run has no chaos in its events.jsonl", dir) end
    table.sort(list, function(a, b)
        if a.at ~= b.at then return a.at < b.at end
        return order[a] < order[b]
    end)
    return list
end

return M
