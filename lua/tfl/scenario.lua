--- The scenario builder, and workloads and expectations as scripts define them. A builder only describes; `tfl.plan`
--- turns it into a plan.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"
local topology = require "tfl.topology"
local wallets = require "tfl.wallets"

local M = {}
local usage = errors.usage

--- The names of a table's members, for suggestions.
local function keys(t)
    local names = {}
    for name in pairs(t) do names[#names + 1] = name end
    return names
end

--- A hook's name with one slip of the finger; other functions are the script's own.
local function slip(name, known)
    for hook in pairs(known) do
        if suggest.distance(name, hook) == 1 then return true end
    end
    return false
end

local function check_hooks(what, name, hooks, known)
    if hooks ~= nil and type(hooks) ~= "table" then usage("%s %q: a table of hooks was expected", what, name) end
    for key, value in pairs(hooks or {}) do
        if known[key] == "function" and type(value) ~= "function" then
            usage("%s %q: %s should be a function, not a %s", what, name, key, type(value))
        elseif known[key] == "table" and type(value) ~= "table" then
            usage("%s %q: %s should be a table, not a %s", what, name, key, type(value))
        elseif type(value) == "function" and type(key) == "string" and not known[key] and slip(key, known) then
            usage("%s %q: there is no hook %s%s", what, name, key, suggest.hint(key, keys(known)))
        end
    end
end

local workload_hooks = { init = "function", start = "function", expectations = "table" }
local expectation_hooks = {
    init = "function", start_capture = "function", check_during_capture = "function", evaluate = "function",
}

--- A workload: {init(self, topology, metrics), start(self, ctx), expectations = {…}}; `self` is the table given here.
---@param name string
---@param hooks? table hooks may also be set on the result: function w:start(ctx) … end
---@return table workload
function M.workload(name, hooks)
    errors.name("tfl.workload", name)
    check_hooks("workload", name, hooks, workload_hooks)
    local workload = hooks or {}
    workload.name = name
    return setmetatable(workload, { __name = "workload" })
end

--- An expectation: {init, start_capture(self, ctx), check_during_capture(self, ctx), evaluate(self, ctx)}. A hook that
--- returns passes; ctx:fail and ctx:inconclusive end it; any other error is a script error.
---@param name string
---@param hooks? table
---@return table expectation
function M.expectation(name, hooks)
    errors.name("tfl.expectation", name)
    check_hooks("expectation", name, hooks, expectation_hooks)
    local expectation = hooks or {}
    expectation.name = name
    return setmetatable(expectation, { __name = "expectation" })
end

--- Checks what was set on a workload or expectation after it was made; called when the plan is built.
function M.check(what, object)
    if type(object) ~= "table" then usage("%s: what tfl.%s makes was expected, got %s", what, what, errors.show(object)) end
    errors.name(what, object.name)
    check_hooks(what, object.name, object, what == "workload" and workload_hooks or expectation_hooks)
    if what == "workload" and not object.start then
        usage('workload %q has no start: function w:start(ctx) … end', object.name)
    end
end

local Scenario = {}

local meta = {
    __name = "scenario",
    __index = function(_, name)
        if Scenario[name] then return Scenario[name] end
        usage("scenario:%s: there is no such method%s", tostring(name), suggest.hint(tostring(name), keys(Scenario)))
    end,
}

---@param name string names the run folder and the report
---@param context? table of the file it is in (tfl.init)
---@return table scenario
function M.new(name, context)
    errors.name("tfl.scenario", name)
    return setmetatable({
        name = name, topology = topology.new(), workloads = {}, expectations = {}, duration = false, built = false,
        accounts = false, load = false, control = false, chaos = false, hand = false, context = context or false,
    }, meta)
end

--- Shapes the cluster: fn gets the topology builder.
---@param fn fun(t: tfl.TopologyBuilder)
function Scenario:topology_with(fn)
    if type(fn) ~= "function" then usage("scenario:topology_with: a function of the topology was expected") end
    fn(self.topology)
    return self
end

local function is(value, name)
    local mt = getmetatable(value)
    return type(value) == "table" and type(mt) == "table" and mt.__name == name
end

--- Something that is done to the cluster during the window.
---@param workload tfl.Workload
---@return tfl.Scenario
function Scenario:with_workload(workload)
    if not is(workload, "workload") then usage("scenario:with_workload: what tfl.workload makes was expected") end
    self.workloads[#self.workloads + 1] = workload
    return self
end

--- Something that must hold, of your own.
---@param expectation tfl.Expectation
---@return tfl.Scenario
function Scenario:with_expectation(expectation)
    if not is(expectation, "expectation") then
        usage("scenario:with_expectation: what tfl.expectation makes was expected")
    end
    for _, other in ipairs(self.expectations) do
        if other.name == expectation.name then usage("scenario %s has two expectations %q", self.name, other.name) end
    end
    self.expectations[#self.expectations + 1] = expectation
    return self
end

--- Lets workloads and chaos stop, kill, pause and restart nodes; with links = true also cut and shape the links between them (a
--- relay then stands in each), with snapshots = true it is refused where no node's data can be copied.
---@param options? {links: boolean, snapshots: boolean}
function Scenario:enable_node_control(options)
    options = errors.options("scenario:enable_node_control", options, "links", "snapshots")
    self.control = { links = options.links and true or false, snapshots = options.snapshots and true or false }
    return self
end

--- How long the window of the run is: "30s", tfl.slots(100), tfl.blocks(50), or a function that gives one for the name of the deployer
--- ("local", "compose", "k8s", that of a tfl.deployer), where things take longer on some.
---@param d tfl.Duration|fun(deployer: string): tfl.Duration
function Scenario:with_run_duration(d)
    if type(d) == "function" then
        local deployer = self.context.deployer
        d = d(deployer ~= "host" and deployer or "local")
    end
    duration.to_seconds(d, { slot_seconds = 1, f = 1 }, "with_run_duration") -- is it one at all?
    self.duration = d
    return self
end

--- The chain keeps growing on every node: enough blocks for the length of the window, no gap that is too long, no node that lags.
---@param options? {confidence: number, lag: integer, min_blocks: integer, stall_slots: integer}
function Scenario:expect_consensus_liveness(options)
    return self:with_expectation(require("tfl.expectations.consensus_liveness").new(options))
end

--- Accounts that sign: n keys from the run's seed, each with `balance` (1,000,000, or what the load needs) at genesis.
---@param n integer
---@param options? {balance: integer}
function Scenario:wallets(n, options)
    self.accounts = wallets.wish(n, options)
    return self
end

--- The load: fn gets its builder. It brings the expectation tx_inclusion.
---@param fn fun(x: tfl.LoadBuilder)
function Scenario:transactions_with(fn)
    if self.load then
        usage("scenario %s has two loads; give the first one stages, or write a workload with ctx:pace", self.name)
    end
    self.load = require("tfl.workloads.transactions").new(fn)
    return self:with_workload(self.load)
end

--- Faults by a schedule drawn from the seed: fn gets its builder. It brings the expectation chaos.
---@param fn fun(c: tfl.ChaosBuilder)
function Scenario:chaos_with(fn)
    if self.chaos then usage("scenario %s has chaos already; several faults go into one chaos_with", self.name) end
    self.chaos = require("tfl.workloads.chaos").new(fn)
    return self:with_workload(self.chaos)
end

--- Accepted transactions are on the canonical chain at the end. A scenario with a load has it anyway; here with other bounds.
---@param options? {min_ratio: number, within: any}
function Scenario:expect_tx_inclusion(options)
    return self:with_expectation(require("tfl.expectations.tx_inclusion").new(options))
end

--- Bounds of the time from when a transaction is meant to be sent until it is first on the canonical chain.
---@param options {p50: any, p95: any, p99: any} durations
function Scenario:expect_inclusion_latency(options)
    return self:with_expectation(require("tfl.expectations.tx_latency").new("included", options))
end

--- The same until it is final. The run waits for that.
---@param options {p50: any, p95: any, p99: any} durations
function Scenario:expect_finality_latency(options)
    return self:with_expectation(require("tfl.expectations.tx_latency").new("final", options))
end

--- The sum of all notes is that of genesis, and every transaction is valid: tfl replays the canonical chain.
function Scenario:expect_conservation()
    return self:with_expectation(require("tfl.expectations.tx_ledger").new("conservation"))
end

--- No note is spent twice on the canonical chain: tfl replays it.
function Scenario:expect_no_double_spend()
    return self:with_expectation(require("tfl.expectations.tx_ledger").new("no_double_spend"))
end

--- After each fault the nodes that are up have a new block in common within a bound.
---@param options {within: any}
function Scenario:expect_recovery(options)
    return self:with_expectation(require("tfl.expectations.recovery").new(options))
end

--- At the end the nodes that are up are at most `lag` blocks apart.
---@param options? {lag: integer}
function Scenario:expect_height_convergence(options)
    return self:with_expectation(require("tfl.expectations.height_convergence").new(options))
end

--- Every fork ends within a bound; cuts stop its clock.
---@param options {within: any}
function Scenario:expect_fork_resolution(options)
    return self:with_expectation(require("tfl.expectations.fork_resolution").new(options))
end

--- The name of an expectation of which there may be several: the second is NAME_2.
local function numbered(scenario, name)
    local taken, n = {}, 1
    for _, other in ipairs(scenario.expectations) do taken[other.name] = true end
    while taken[n == 1 and name or ("%s_%d"):format(name, n)] do n = n + 1 end
    return n == 1 and name or ("%s_%d"):format(name, n)
end

--- What a query of Prometheus gives at the end, all its series, compared with a value by op ("<", "<=", ">", ">=", "==", "~="). `$run`
--- in the query is the run.
---@param options {query: string, op: string, value: number, name: string|nil, within: any}
function Scenario:expect_metric(options)
    return self:with_expectation(require("tfl.expectations.metric").new(options, numbered(self, "metric")))
end

--- No node (none of options.nodes) logs a line that matches this Lua pattern, from its start to the end of the run.
---@param pattern string
---@param options? {nodes: any[]}
function Scenario:expect_no_log(pattern, options)
    return self:with_expectation(require("tfl.expectations.no_log").new(pattern, options, numbered(self, "no_log")))
end

--- Ends the description; loading a file does it for scenarios that were left open.
function Scenario:build()
    rawset(self, "built", true)
    return self
end

return M
