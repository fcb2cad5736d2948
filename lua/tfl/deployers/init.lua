--- The deployers by name: what `-d` takes.
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local suggest = require "tfl.suggest"

local M = {}
local modules = { ["local"] = "tfl.deployers.local", host = "tfl.deployers.local", compose = "tfl.deployers.compose",
    k8s = "tfl.deployers.k8s" }

--- The names of tfl's own deployers, in order.
---@return string[]
function M.names()
    local names = {}
    for name in pairs(modules) do names[#names + 1] = name end
    table.sort(names)
    return names
end

--- Is it the name of a deployer of tfl's own?
---@param name string
function M.built_in(name) return modules[name] ~= nil end

---@param name string
---@param context? table of the file, which may have deployers of its own (tfl.deployer)
---@return table deployer module {name, hop_ms, genesis_delay_ms, capabilities, why, new}
function M.get(name, context)
    if modules[name] then return require(modules[name]) end
    local own = context and context.deployers or {}
    if own[name] then return require("tfl.deployers.define").backend(own[name]) end
    local names = M.names()
    for known in pairs(own) do names[#names + 1] = known end
    errors.usage("-d %s: there is no such deployer%s", name, suggest.hint(name, names))
end

--- Why a deployer cannot do a verb of its capabilities, or nil.
---@param backend table
---@param verb string
---@return string|nil
function M.refusal(backend, verb)
    if backend.capabilities[verb] then return nil end
    local why = backend.why and backend.why[verb]
    return ("the deployer %s cannot do that%s"):format(backend.name, why and " (" .. why .. ")" or "")
end

--- Why links of these nodes cannot be faulty there, or nil.
---@param backend table
---@param nodes table[]
---@return string|nil
function M.links_refusal(backend, nodes)
    local refusal = M.refusal(backend, "link") or kinds.refusal(nodes, "link")
    for _, node in ipairs(nodes) do
        local said = not refusal and node.kind.relay == "inbound" and M.refusal(backend, "inbound")
        refusal = said and ("nodes of the kind %s: %s"):format(node.kind.name, said) or refusal
    end
    return refusal
end

--- Refuses what a plan needs beside links and chaos, and its deployer cannot do.
---@param plan table
function M.check(plan)
    local copies = plan.control and plan.control.snapshots
        and (M.refusal(plan.backend, "snapshot") or kinds.refusal(plan.nodes, "snapshot"))
    if copies then errors.usage("scenario %s: snapshots: %s", plan.name, copies) end
    for _, node in ipairs(plan.backend.refuses and plan.nodes or {}) do
        local why = plan.backend.refuses(node)
        if why then errors.usage("scenario %s, -d %s: %s: %s", plan.name, plan.backend.name, node.name, why) end
    end
    local refusal = M.refusal(plan.backend, "start_node")
    for _, node in ipairs(refusal and plan.nodes or {}) do
        if node.late then errors.usage("scenario %s: late_nodes: nodes that start later: %s", plan.name, refusal) end
    end
end

--- A row of what `tfl doctor` says: fn gives the words, or raises why not.
---@param name string
---@param fn fun(): string
---@return {name: string, ok: boolean, message: string}
function M.doctor_row(name, fn)
    local ok, said = pcall(fn)
    return { name = name, ok = ok, message = ok and said or type(said) == "table" and said.message or tostring(said) }
end

return M
