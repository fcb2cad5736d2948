--- `-d compose --attach PROJECT`: a stack of an earlier run that is up (COMPOSE_RUNNER_PRESERVE) is driven and controlled, and left as
--- it is. Here is what a run must know of it: its chain is that of the run which made it.
local attach = require "tfl.deployers.attach"
local engines = require "tfl.deployers.compose.engine"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"

local M = {}

local PROJECT = "com.docker.compose.project"
local NO_LINKS = "relays stand between nodes from the start or not at all"
local WHY = {
    start_node = "a stack that is attached to has the nodes it has", link = NO_LINKS, partition = NO_LINKS, isolate = NO_LINKS,
}

--- A stack that runs.
---@class tfl.Stack
---@field project string
---@field label string of its containers
---@field dir string the folder of the run that made it
---@field seed integer
---@field run_id string the chain's id, too
---@field genesis_time_ms integer
---@field topology table as plan.json has it
---@field nodes table<string, {id: string, folder: string, ports: table<string, integer>}>
---@field started integer nodes that were there from the start
---@field lock table held as long as it is driven
---@field why table<string, string> why verbs cannot be had there
---@field defaults fun(): table cluster settings that hold when nobody else says them

local function projects(engine)
    local names, seen = {}, {}
    for _, row in ipairs(engine:containers "tfl.run") do
        local name = row.Labels[PROJECT]
        if name and not seen[name] then names[#names + 1], seen[name] = name, true end
    end
    table.sort(names)
    return #names > 0 and "there are " .. table.concat(names, ", ") or "there is none"
end

local function refuse(project, fmt, ...) errors.usage("--attach %s: %s", project, fmt:format(...)) end

--- One container of it, as far as its labels tell.
local function node_of(project, row)
    local name, folder, ports = row.Labels["tfl.node"], nil, {}
    for _, mount in ipairs(row.Mounts or {}) do folder = mount.Destination == "/node" and mount.Source or folder end
    for port, number in (row.Labels["tfl.ports"] or ""):gmatch "([%w_%-]+):(%d+)" do ports[port] = math.tointeger(tonumber(number)) end
    if not name or not folder or not next(ports) then
        refuse(project, "its container %s was not made by tfl", (row.Names or {})[1] or row.Id)
    end
    if row.Labels["tfl.links"] then
        refuse(project, "its nodes dialled relays of the tfl that made it, which are gone with that; make it without link faults")
    end
    return name, { id = row.Id, folder = folder, ports = ports }
end

--- Looks at a stack. Waits. Raises usage, and what the engine says.
---@param project string
---@return tfl.Stack
function M.find(project)
    local engine = engines.new()
    local label, nodes, dir = PROJECT .. "=" .. project, {}, nil
    for _, row in ipairs(engine:containers(label)) do
        local name, node = node_of(project, row)
        nodes[name], dir = node, node.folder:match "^(.*)/nodes/[^/]+$"
    end
    if not next(nodes) then refuse(project, "there is no such stack of tfl; %s (COMPOSE_RUNNER_PRESERVE=1 keeps one)", projects(engine)) end
    local plan = json.decode(sys.read_file((dir or "") .. "/plan.json") or "")
    if type(plan) ~= "table" or type(plan.topology) ~= "table" then
        refuse(project, "the folder of its run is gone, or has no plan.json: %s", tostring(dir))
    elseif sys.stat(("%s/ledgers/%s.jsonl"):format(proc.state_dir(), plan.run_id)) then
        refuse(project, "the run that made it is not over")
    end
    local lock = attach.lock(plan.run_id)
    if not lock then refuse(project, "another tfl drives it") end
    local started = 0
    for _, node in ipairs(plan.topology.nodes) do started = started + (node.late and 0 or 1) end
    return {
        project = project, label = label, dir = dir, seed = plan.seed, run_id = plan.run_id, genesis_time_ms = plan.genesis_time_ms,
        topology = plan.topology, nodes = nodes, started = started, lock = lock, why = WHY,
        defaults = function() return { security_param = plan.topology.security_param } end,
    }
end

return M
