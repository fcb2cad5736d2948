--- What is done to a running cluster, by whomever: the verbs on its nodes. Everything goes through here, so that the record, the
--- feed and the judgement know of it. Each thing done is a record of the run's journal; verbs on one node queue.
local bounds = require "tfl.verdict.bounds"
local deployers = require "tfl.deployers"
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local task = require "tfl.core.task"
local telemetry = require "tfl.telemetry"
local wait = require "tfl.core.wait"

--- One thing that was done, or is in force. Times are seconds since the start of the run, slots those of the wall clock.
---@class tfl.Fault
---@field id integer
---@field name string "restart#3": verb and id
---@field verb string "restart" | "stop" | "kill" | "pause" | "absent" (not started yet) | "partition" | "isolate" | "link"
---@field targets string[] names of nodes
---@field by string "chaos", "plan", or the name of the workload or expectation
---@field t0 number when it began
---@field slot0 integer
---@field t1 number|nil when it ended: the node was started or resumed, the link healed; nil while in force
---@field slot1 integer|nil
---@field ready_t number|nil when the node was ready again (node verbs)
---@field ready_slot integer|nil
---@field bit boolean|nil whether it did something measurable
---@field links boolean|nil it is about links: then cut, groups or shape, rules (of tfl.core.links) and, once over, counts
---@field text string|nil what it is, for people: "{0,1}|{2,3}"
---@field error string|nil why the verb failed

---@class tfl.Faults
local Faults = {}
Faults.__index = Faults
for name, method in pairs(require "tfl.link_faults") do Faults[name] = method end

local M = {}

--- What a verb does to the state of a node: `open` leaves it down until it is started, `close` brings it back.
local verbs = {
    start = { close = true }, stop = { open = true }, kill = { open = true }, restart = { open = true, close = true },
    pause = { open = true }, resume = { close = true },
}

---@param run table
---@return tfl.Faults
function M.new(run)
    return setmetatable({ run = run, records = {}, down = {}, busy = {}, running = 0, idle = wait.signal() }, Faults)
end

---@return tfl.Fault[] in the order they began
function Faults:list() return self.records end

--- A new record, begun now, or when it says.
---@return tfl.Fault
function Faults:open(fault)
    local run = self.run
    fault.id = #self.records + 1
    fault.name = ("%s#%d"):format(fault.verb, fault.id)
    fault.t0, fault.slot0 = fault.t0 or run:now(), fault.slot0 or run:slot_now()
    self.records[fault.id] = fault
    run.record:event("fault", {
        id = fault.id, name = fault.name, verb = fault.verb, targets = fault.targets, by = fault.by, slot = fault.slot0,
        params = fault.params,
    })
    return fault
end

--- A record is over now.
---@param by? string who ended it
function Faults:close(fault, by)
    local run = self.run
    fault.t1, fault.slot1 = run:now(), run:slot_now()
    run.record:event("fault_end", {
        id = fault.id, name = fault.name, slot = fault.slot1, counts = fault.counts, bit = fault.bit, error = fault.error,
        by = by,
    })
end

--- An entry of a schedule that the state of the run forbids.
---@param at? integer its slot, from the first of the window
function Faults:skipped(verb, targets, reason, by, at)
    self.run.record:event("fault_skipped", {
        verb = verb, targets = targets, reason = reason, by = by, at = at, slot = self.run:slot_now(),
    })
end

--- Nodes that are planned but not started: absent until they are.
function Faults:absent(node)
    self.down[node.name] = self:open { verb = "absent", targets = { node.name }, by = "plan" }
end

--- Why the cluster cannot do a verb, or nil.
---@param verb string
---@param node? table the one it is done to; nil: links, all of them
---@return string|nil
function Faults:refusal(verb, node)
    local plan = self.run.plan
    if not plan.control and not plan.chaos then
        return ("%s: the scenario does not control its nodes; add :enable_node_control() to it"):format(verb)
    end
    local said = deployers.refusal(plan.backend, verb) or kinds.refusal(node and { node } or self.run.nodes, verb)
    return said and ("%s: %s"):format(verb, said)
end

local function is_ready(run, node)
    local client, degree = run.clients[node.name], node.degree
    if node.kind.relay == "inbound" then -- of the user's own: by what it says of readiness
        return (pcall(run.deployer.wait_ready, run.deployer, { node.name }, 1))
    end
    local ok, info = pcall(client.consensus_info, client, { timeout = 1 })
    if not ok or not info.online then return false end
    if degree == 0 then return true end
    local told, network = pcall(client.network_info, client, { timeout = 1 })
    return told and network.n_peers >= 1
end

--- Follows a node that came back until it is ready: online, with a peer if it has any to have.
function Faults:watch_ready(fault, node)
    local run = self.run
    run:watch("ready", function()
        while self.records[fault.id] == fault and not run.tearing_down do
            if run.exits[node.name] or self.down[node.name] then return end
            if is_ready(run, node) then
                fault.ready_t, fault.ready_slot = run:now(), run:slot_now()
                run.record:event("fault_ready", { id = fault.id, name = fault.name, slot = fault.ready_slot })
                return
            end
            wait.sleep(0.02)
        end
    end)
end

local function carry_out(self, node, verb, options)
    local run, deployer = self.run, self.run.deployer
    if verb == "stop" or verb == "kill" or verb == "restart" then run.stopped_by[node.name] = verb == "kill" and verb or options.how end
    if verb == "start" or verb == "restart" then
        if verb == "restart" then run:unfollow(node.name) end
        if options.snapshot then run:restore(node, options.snapshot) end
        if options.peers then run:dials(node, options.peers) end
        node.kind = options.kind or node.kind
        deployer[verb](deployer, node, options)
        run.exits[node.name], run.paused[node.name], run.started[node.name] = nil, nil, true
        run.clients[node.name], run.pids[node.name] = deployer:client(node), deployer:pid(node.name)
        run:follow(node)
        telemetry.announce(run)
    elseif verb == "stop" or verb == "kill" then
        deployer[verb](deployer, node.name, options)
        run.paused[node.name] = nil
        run:unfollow(node.name)
    else
        deployer[verb](deployer, node.name)
        run.paused[node.name] = verb == "pause" or nil
    end
end

--- The verb itself, once the node is free.
function Faults:work(node, verb, options, by)
    local kind, before = verbs[verb], self.down[node.name]
    local pid, fault = self.run.deployer:pid(node.name), nil
    if kind.open then fault = self:open { verb = verb, targets = { node.name }, by = by, params = options.params } end
    local ok, err = pcall(carry_out, self, node, verb, options)
    if not ok then
        if fault then
            fault.error, fault.bit = type(err) == "table" and err.message or tostring(err), false
            self:close(fault, by)
        end
        error(err, 0)
    end
    if verb ~= "resume" then
        self.run:break_dialled(function(link) return link[1] == node.name or link[2] == node.name end)
    end
    if before and (kind.close or verb ~= "pause") then -- what kept it down is over; it may be down for another reason now
        if before.bit == nil then before.bit = true end
        self:close(before, by)
    end
    self.down[node.name] = nil
    local now = self.run.deployer:pid(node.name) -- nil: of a deployer that knows no pids
    if fault then fault.bit = verb ~= "restart" or not now or pid ~= now end
    if not kind.close then
        self.down[node.name] = fault
        return fault
    end
    if fault then self:close(fault, by) else fault = before end
    if fault then self:watch_ready(fault, node) end
    return fault
end

--- Calls fn once all that was asked of the node before is done; waits for it, and goes on with it when the asker is cancelled.
---@param node table of run.nodes
---@param what string a verb of the deployer's capabilities
---@param fn function
---@return any what fn gave; raises its error
function Faults:alone(node, what, fn)
    local refusal = self:refusal(what, node)
    if refusal then errors.usage("%s", refusal) end
    return self:after(node.name, node.name .. "." .. what, fn)
end

--- The same for anything that verbs queue for.
---@param key any
---@param what string name of the task
---@param fn function
function Faults:after(key, what, fn)
    local ahead = self.busy[key]
    local work = task.spawn(what, function()
        if ahead then ahead:wait() end
        return fn()
    end)
    table.insert(self.run.watchers, work)
    self.busy[key], self.running = work, self.running + 1
    self.run:watch("verb", function()
        work:wait()
        self.running = self.running - 1
        if self.busy[key] == work then self.busy[key] = nil end
        self.idle:notify()
    end)
    work:wait()
    local ok, value = work:result()
    if ok == false then error(value, 0) end
    return ok and value or nil
end

--- Does a verb to a node, after those that were asked for before. Raises usage, wrong_state, spawn, timeout.
---@param node table of run.nodes
---@param verb "start"|"stop"|"kill"|"restart"|"pause"|"resume"
---@param options table|nil {how, timeout, wipe, args, config} of the deployer; of a start or restart also peers: indices of nodes to dial
--- from now on, kind: what it is from now on, and snapshot: whose data to start with
---@param by string
---@return tfl.Fault|nil the record; nil for a start or resume that ended none
function Faults:verb(node, verb, options, by)
    return self:alone(node, verb, function() return self:work(node, verb, options or {}, by) end)
end

--- Heals links, resumes paused nodes and starts stopped ones: all of them, or only those that chaos stopped.
---@param only_chaos? boolean
function Faults:restore_all(only_chaos)
    while self.running > 0 do self.idle:wait() end
    self:heal_all "final_heal"
    for _, node in ipairs(self.run.nodes) do
        local fault = self.down[node.name]
        local verb = fault and (fault.verb == "pause" and "resume" or (fault.verb == "stop" or fault.verb == "kill") and "start")
        if verb and (verb == "resume" or not only_chaos or fault.by == "chaos") then
            local ok, err = pcall(self.verb, self, node, verb, nil, "final_heal")
            if not ok then self.run:problem("infra", err) end
        end
    end
end

--- At the end of the window: waits for verbs that have begun and ends what is in force. Nodes that a script stopped stay stopped.
function Faults:finish()
    self:restore_all(true)
    if self.run.plan.links then self.run.deployer:link_look() end
end

--- Has the node, or a link of the cluster, come back so lately that the node may still be behind?
---@param name string
---@return boolean
function Faults:recovering(name)
    local plan = self.run.plan
    local allowance = bounds.recovery_slots(plan.slot_seconds, plan.delta) * plan.slot_seconds
    for i = #self.records, 1, -1 do
        local fault = self.records[i]
        local concerns = fault.links
        for _, target in ipairs(fault.targets) do concerns = concerns or target == name end
        if concerns and fault.t1 and self.run:now() - (fault.ready_t or fault.t1) < allowance then return true end
    end
    return false
end

--- Is something being done to the node that is not over?
function Faults:is_busy(name) return self.busy[name] ~= nil end

--- Is the node up, by what was done to it?
function Faults:is_down(name) return self.down[name] ~= nil end

return M
