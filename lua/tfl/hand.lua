--- Clusters driven by hand: `tfl.script` of a scenario file, and `tfl.cluster` of a spec run by `tfl test`. Both are runs like any
--- other (same ledger, record, clean-up); what would be phases is left to the function. Safety is judged, liveness is not.
local describe = require "tfl.scenario"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local plans = require "tfl.plan"
local runner = require "tfl.runner"
local task = require "tfl.core.task"
local verdict = require "tfl.verdict"
local wait = require "tfl.core.wait"

local M = {}

local SHAPE = { "nodes", "start", "topology", "wallets", "snapshot", "duration", "genesis", "snapshots" }

--- Gives a scenario its one workload, fn(ctx).
local function driven(made, how, fn)
    rawset(made, "hand", how)
    local workload = describe.workload("script", { start = function(_, ctx) fn(ctx) end })
    workload.expectations = { describe.expectation "script" }
    return made:with_workload(workload):build()
end

--- The description of a run whose one workload is fn(ctx).
---@param context table of the file
---@param what string names the call in messages
---@param name string
---@param options {nodes: integer, start: "all"|"none", topology: fun(t), wallets: integer, snapshot: table|string, duration: any,
--- genesis: any, snapshots: boolean}
---@param fn fun(ctx: table)
local function scenario_of(context, what, name, options, fn)
    local made = describe.new(name, context)
    if options.start ~= nil and options.start ~= "all" and options.start ~= "none" then
        errors.usage('%s: start = %s; "all" or "none" was expected', what, errors.show(options.start))
    end
    if options.topology then made:topology_with(options.topology) end
    if options.nodes ~= nil then made:topology_with(function(t) t:nodes(options.nodes) end) end
    if options.wallets ~= nil then made:wallets(options.wallets) end
    if options.duration ~= nil then made:with_run_duration(options.duration) end
    made:enable_node_control { links = true, snapshots = options.snapshots }
    local genesis = options.genesis and duration.to_seconds(options.genesis, nil, what .. ", genesis")
    if genesis and options.snapshot then errors.usage("%s: the genesis of a snapshot is over; leave genesis out", what) end
    return driven(made, { none = options.start == "none", snapshot = options.snapshot, genesis = genesis }, fn)
end

--- The cluster of a scenario with fn(ctx) instead of all that the scenario does and expects. Its k may be too small for so long a run:
--- whoever drives it by hand wants this chain.
---@param made table scenario
---@param options {wallets: integer, duration: any} wallets: when it has none, and its nodes know them
---@param fn fun(ctx: table)
function M.on(made, options, fn)
    for _, name in ipairs { "workloads", "expectations" } do rawset(made, name, {}) end
    for _, name in ipairs { "load", "chaos" } do rawset(made, name, false) end
    made:with_run_duration(options.duration):enable_node_control { links = true }
    made.topology.unsafe_k = true
    if not made.accounts and made.topology._kind == "reference" and not made.topology._kinds then made:wallets(options.wallets) end
    return driven(made, {}, fn)
end

--- tfl.script(name[, options], fn): a scenario that is a function of ctx. It passes when fn returns, saw something, and safety holds.
---@param context table
---@return table scenario
function M.script(context, name, options, fn)
    if fn == nil then options, fn = {}, options end
    if type(fn) ~= "function" then errors.usage("tfl.script: a function of ctx was expected, got %s", errors.show(fn)) end
    options = errors.options("tfl.script", options, table.unpack(SHAPE))
    return scenario_of(context, "tfl.script", name, options, fn)
end

-- ---- tfl.cluster

local Cluster = {}
local open = {} -- clusters that are not closed, the newest last; there is one at most
local unsafe = false -- has safety failed in any of them?

--- Ends the cluster and cleans up; raises when safety or a node failed. Closing a closed one does nothing.
function Cluster:close()
    if self.ended then return end
    self.closed = true
    self.closing:notify()
    self.run:wait() -- the task that waits here may be cancelled; the next one that closes waits on
    if self.ended then return end
    self.ended, open[1] = true, nil
    local ok, summary = self.run:result()
    if ok == false then error(summary, 0) end
    unsafe = unsafe or ok and verdict.unsafe(summary.expectations) or false
    if self.plan.by_hand_failed then error(self.plan.by_hand_failed, 0) end
    if ok and summary.verdict ~= "pass" and summary.verdict ~= "interrupted" then
        local problem = summary.error
        for _, e in ipairs(summary.expectations) do
            if e.verdict == "fail" then problem = { code = e.code, message = e.name .. ": " .. e.message } end
        end
        if type(problem) == "table" and problem.message then
            error(errors.new(problem.code, "the cluster: %s (evidence: %s)", problem.message, summary.dir), 0)
        end
    end
end

local meta = {
    __name = "cluster",
    __index = function(cluster, name)
        if Cluster[name] then return Cluster[name] end
        local ctx = cluster.ctx
        local method = ctx[name] -- raises when there is none
        return function(_, ...) return method(ctx, ...) end
    end,
}

local quiet = { phase = function() end, line = function() end, tick = function() end }

--- tfl.cluster{nodes =, start = "all" | "none", topology = fn(t), wallets =, seed =, snapshot =, duration =, genesis =}: a cluster for a
--- spec run by `tfl test`, with the methods of ctx; `duration` bounds its life (10 minutes); with `genesis` (from now) it is there before
--- its chain begins. Returns when it is there: all nodes ready and genesis
--- over, or (none) nothing started. One at a time.
---@param context table
---@param options table
---@return table cluster raises usage, infra errors
function M.cluster(context, options)
    options = errors.options("tfl.cluster", options, "seed", "name", table.unpack(SHAPE))
    if not context.testing then errors.usage "tfl.cluster: it is for specs run by `tfl test`; in a scenario file use tfl.script" end
    if options.seed ~= nil and (math.type(options.seed) ~= "integer" or options.seed < 0) then
        errors.usage("tfl.cluster: seed = %s; a whole number from 0 was expected", errors.show(options.seed))
    end
    if #open > 0 then errors.usage "tfl.cluster: another cluster is still open; close it first (cluster:close())" end
    local cluster = {
        closing = wait.signal(), there = wait.signal(), closed = false, ended = false, ctx = false,
        block = M.current_block and M.current_block() or false,
    }
    local made = scenario_of(context, "tfl.cluster", options.name or "cluster", options, function(ctx)
        cluster.ctx = ctx
        cluster.there:notify()
        while not cluster.closed do cluster.closing:wait() end
    end)
    local plan = plans.build(made, { file = context.file, deployer = context.deployer, seed = options.seed or context.seed })
    plan.by_hand, cluster.plan = 'tfl.cluster{duration = "30m"}', plan -- what gives it more time
    cluster.run = task.spawn("cluster", function()
        return runner.run(plan, quiet)
    end)
    open[1] = cluster
    local ended = task.spawn("cluster-end", function()
        cluster.run:wait()
        cluster.there:notify()
    end)
    cluster.there:wait()
    ended:cancel()
    setmetatable(cluster, meta)
    if not cluster.ctx then
        cluster:close()
        error(errors.new("infra", "the cluster did not come to be"), 0)
    end
    return cluster
end

--- Closes what a spec left open. Gives the error of that, or nil.
function M.close_all()
    local first
    while #open > 0 do
        local ok, err = pcall(Cluster.close, open[#open])
        if not ok then first = first or err end
    end
    return first
end

--- Has safety failed in a cluster that is closed? That stands whatever else happens.
---@return boolean
function M.unsafe() return unsafe end

--- The test that uses the open cluster has failed: its evidence is kept whatever the cluster itself comes to. Gives its folder.
---@return string|nil
function M.keep()
    local cluster = open[1]
    if not cluster then return nil end
    cluster.plan.keep = true
    return cluster.ctx and cluster.ctx.run.dir or nil
end

--- The block of specs (describe, file) whose setup made the cluster that is open; nil when a test made it, or none is open.
function M.kept() return open[1] and open[1].block or nil end

return M
