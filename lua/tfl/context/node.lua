--- A node as hooks see it: its client and the verbs on it.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local node_specs = require "tfl.node_specs"
local suggest = require "tfl.suggest"

local Node = {}

local M = {}

---@class tfl.Node
---@field name string "node-0"
---@field index integer

--- Questions to it; counts as a look when it answers.
---@return tfl.Client
function Node:client() return self.ctx:client_of(self.name) end

--- "not started", "running", "paused", "stopping", "stopped" or "exited".
---@return string
function Node:state() return self.ctx.run.deployer:state(self.name) end

--- Waits until the node is ready (HTTP 200, peers as many as its degree, less those that are down); raises not_ready after `within`.
---@param options? {within: any}
function Node:wait_ready(options)
    local run = self.ctx.run
    options = errors.options("node:wait_ready", options, "within")
    local within = duration.to_seconds(options.within or run.plan.ready_seconds, run.plan)
    local up, degree = run:live_degrees()[self.name], self.ctx:entry(self.name).degree
    run.deployer:wait_ready({ self.name }, within, { [self.name] = up and math.min(up, degree) or degree })
    self.ctx.owner.looked = true
end

local function verb(name, ...)
    local known = { ... }
    return function(self, options)
        options = errors.options("node:" .. name, options, table.unpack(known))
        if options.timeout ~= nil then
            options = setmetatable({ timeout = duration.to_seconds(options.timeout, nil, "node:" .. name .. ", timeout") },
                { __index = options })
        end
        self.ctx.check_settings("node:" .. name, options)
        if options.kind ~= nil then
            local plan, entry = self.ctx.run.plan, self.ctx:entry(self.name)
            local kind = kinds.resolve(options.kind, plan.context)
            node_specs.check_change(entry, kind)
            options = setmetatable({ kind = kind }, { __index = options })
        end
        if options.peers ~= nil then
            options = setmetatable({ peers = self.ctx:peers_of("node:" .. name .. ", peers", options.peers,
                self.ctx:entry(self.name)) }, { __index = options })
        end
        local fault = self.ctx.run.faults:verb(self.ctx:entry(self.name), name, options, self.ctx.owner.name)
        return fault and self.ctx:fault_of(fault)
    end
end

--- Starts a node that is not running; done when its program runs. Raises wrong_state, spawn. args, config, peers and kind hold from now on.
---@param options? {args: string[], config: table|function, peers: table|"default"|"none", kind: table|string}
---@return tfl.FaultHandle
Node.start = verb("start", "args", "config", "peers", "kind")
--- Ends it: its stop signal, SIGKILL after `timeout` (10 s). Done when it is gone.
---@param options? {how: string, timeout: any} how: "graceful", "kill" or a signal's name
---@return tfl.FaultHandle
Node.stop = verb("stop", "how", "timeout")
--- SIGKILL.
---@return tfl.FaultHandle
Node.kill = verb("kill")
--- Stops it if it runs, and starts it with the data it had; wipe = true: without. args, config, peers and kind hold from now on.
---@param options? {wipe: boolean, args: string[], config: table|function, peers: table, kind: table|string, how: string, timeout: any}
---@return tfl.FaultHandle
Node.restart = verb("restart", "wipe", "args", "config", "peers", "kind", "how", "timeout")
--- SIGSTOP: it lives and does nothing.
---@return tfl.FaultHandle
Node.pause = verb("pause")
--- SIGCONT: it goes on.
---@return tfl.FaultHandle
Node.resume = verb("resume")

--- Copies its data, when it is stopped or paused, to the run's folder: {name, path, node}, for start_node{snapshot =}.
---@param name string
function Node:snapshot(name)
    local run, entry = self.ctx.run, self.ctx:entry(self.name)
    return run.faults:alone(entry, "snapshot", function() return run:snapshot(entry, name) end)
end

---@return string[] of all methods, in any order
function M.names()
    local names = {}
    for name in pairs(Node) do names[#names + 1] = name end
    return names
end

local meta = {
    __name = "node",
    __tostring = function(node) return node.name end,
    __index = function(_, name)
        if Node[name] then return Node[name] end
        errors.usage("node:%s: there is no such method%s", tostring(name), suggest.hint(tostring(name), M.names()))
    end,
}

---@param ctx table
---@param entry table of run.nodes
---@return tfl.Node
function M.new(ctx, entry) return setmetatable({ name = entry.name, index = entry.index, ctx = ctx }, meta) end

return M
