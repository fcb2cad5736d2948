--- `--attach`: a cluster that somebody else has made is driven and controlled, and left as it is.
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"

local M = {}

--- What --attach names, by deployer.
local finders = { compose = "tfl.deployers.compose.attach", k8s = "tfl.deployers.k8s.attach" }

--- The cluster that --attach names, as its deployer finds it. Waits. Raises usage, and what the deployer says.
---@param deployer string
---@param named string
---@return table stack
function M.find(deployer, named)
    if not finders[deployer] then errors.usage("--attach %s: that is for -d compose and -d k8s", named) end
    return require(finders[deployer]).find(named)
end

local function folder() return proc.state_dir() .. "/attached" end

--- While this is held nobody else of this user drives or cleans away what a run has left. Raises io.
---@param run_id string
---@return table|nil lock nil: somebody has it
function M.lock(run_id) return proc.lock(("%s/%s.lock"):format(folder(), run_id)) end

--- Is the cluster that of the plan? Has the ledger know of its lock, whose file would stay when tfl is killed. Raises usage.
---@param stack table
---@param plan table
function M.join(stack, plan)
    for i, node in ipairs(plan.nodes) do
        if not stack.nodes[node.name] then errors.usage("--attach %s: it has no %s", stack.project, node.name) end
        local was = table.concat((stack.topology.nodes[i] or { dials = {} }).dials, ", ")
        if was ~= table.concat(node.dials, ", ") then
            errors.usage("--attach %s: there %s dials nodes {%s}, in this scenario {%s}: another topology", stack.project, node.name, was,
                table.concat(node.dials, ", "))
        end
    end
    proc.ledger_add { undo = "locks", path = folder() }
end

--- Refuses what a plan needs to know of a cluster that is attached to, and nobody can tell. Raises usage.
---@param plan table
---@param what string "genesis" or "wallets"
---@param who string that needs it
function M.demand(plan, what, who)
    local stack = plan.backend.attached
    if stack and stack.why[what] then errors.usage("%s: %s", who, stack.why[what]) end
end

--- The backend of a plan that drives it.
---@param backend table module of a deployer
---@param stack table
---@return table
function M.backend(backend, stack)
    local can = {}
    for verb in pairs(backend.capabilities) do can[verb] = stack.why[verb] == nil end
    return setmetatable({
        capabilities = can, why = setmetatable(stack.why, { __index = backend.why }), attached = stack, defaults = stack.defaults,
        genesis_delay_ms = function() return 0 end,
        new = function(options)
            local made = (stack.new or backend.new)(options)
            made.attached, made.can = stack, can
            return made
        end,
    }, { __index = backend })
end

return M
