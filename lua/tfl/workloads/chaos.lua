--- Chaos as a workload: makes the faults of the schedule at their slots. The state of the run may only turn an entry into "skipped".
local bounds = require "tfl.verdict.bounds"
local duration = require "tfl.duration"
local deployers = require "tfl.deployers"
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local journal = require "tfl.chaos.journal"
local new_builder = require "tfl.chaos.builder"
local schedule = require "tfl.chaos.schedule"
local suggest = require "tfl.suggest"
local topology = require "tfl.core.topology"

local Chaos = { name = "chaos", built_in = true }
Chaos.__index = Chaos
Chaos.__name = "workload"

local M = {}

--- The verbs of a deployer that a clause needs, and whether it needs relays in the links.
local needs = {
    restart = { "restart" }, kill = { "kill", "start" }, pause = { "pause", "resume" }, churn = { "stop", "start" },
    partition = { "partition", links = true }, latency = { "link", links = true },
}

---@param fn fun(c: tfl.ChaosBuilder)
---@return table workload
function M.new(fn)
    if type(fn) ~= "function" then errors.usage "chaos_with: a function of the chaos builder was expected" end
    local builder = new_builder()
    fn(builder)
    if #builder._clauses == 0 then errors.usage 'chaos_with: no fault is asked for; open one, as in c:restart():apply()' end
    return setmetatable({ wish = builder._clauses, final_heal = builder._final_heal }, Chaos)
end

--- Does it cut or shape links?
function Chaos:wants_links()
    for _, clause in ipairs(self.wish) do
        if needs[clause.verb].links then return true end
    end
    return false
end

--- Milliseconds that it adds to the way of a block over one link, for Δ.
function Chaos:latency_ms()
    local worst = 0
    for _, clause in ipairs(self.wish) do worst = math.max(worst, 1000 * (clause.latency or 0)) end
    return worst
end

local function seconds(clause, name, pace)
    return duration.to_seconds(clause[name], pace, ("chaos, %s, %s"):format(clause.verb, name))
end

local function name_of(which, nodes)
    local names = {}
    for i, node in ipairs(nodes) do
        if node.index == which or node.name == which then return node.name end
        names[i] = node.name
    end
    errors.usage("chaos: there is no node %s%s", errors.show(which), type(which) == "string" and suggest.hint(which, names) or "")
end

--- The groups of a partition by the names of their nodes; a node that stands alone is a group, too.
local function groups_of(shape, nodes)
    local groups, seen = {}, {}
    for g, group in ipairs(shape) do
        groups[g] = {}
        for j, which in ipairs(type(group) == "table" and group or { group }) do
            local name = name_of(which, nodes)
            if seen[name] then errors.usage("chaos, partition: %s is named twice", name) end
            groups[g][j], seen[name] = name, true
        end
        if #groups[g] == 0 then errors.usage("chaos, partition: an empty group of nodes") end
    end
    return groups
end

local function started(nodes)
    local list = {}
    for _, node in ipairs(nodes) do
        if not node.late then list[#list + 1] = node end
    end
    return list
end

--- Refuses a clause that could never do anything to these nodes.
local function check_nodes(clause, all)
    local nodes, free, what = started(all), {}, clause.verb .. (type(clause.shape) == "string" and " " .. errors.show(clause.shape) or "")
    for _, node in ipairs(schedule.free(clause, all)) do free[node.name] = true end
    for _, group in ipairs(clause.groups or {}) do
        for _, name in ipairs(group) do
            if not free[name] then errors.usage("chaos, %s: %s is in a group, and excluded", what, name) end
        end
    end
    if #schedule.free(clause, nodes) == 0 then errors.usage("chaos, %s: all nodes are excluded", what) end
    local least = clause.shape == "majority" and 3 or (clause.verb == "partition" or clause.verb == "latency") and 2 or 1
    if #nodes < least then
        errors.usage("chaos, %s: it takes %d nodes, and %d %s started", what, least, #nodes, #nodes == 1 and "is" or "are")
    end
end

--- The clauses with times in seconds and nodes by name.
---@param pace tfl.Pace
---@param nodes table[]
function Chaos:clauses(pace, nodes)
    local list = {}
    for i, wish in ipairs(self.wish) do
        local clause = {}
        for key, value in pairs(wish) do clause[key] = value end
        for _, name in ipairs { "min_delay", "max_delay", "cooldown", "lasts" } do clause[name] = seconds(wish, name, pace) end
        if clause.max_delay < clause.min_delay then
            errors.usage("chaos, %s: max_delay (%s) is below min_delay (%s)", clause.verb, duration.show(clause.max_delay),
                duration.show(clause.min_delay))
        end
        for _, which in ipairs(clause.exclude) do name_of(which, nodes) end
        if type(clause.shape) == "table" then clause.groups = groups_of(clause.shape, nodes) end
        check_nodes(clause, nodes)
        list[i] = clause
    end
    return list
end

--- The k that its partitions need, those too that come of a node's absence, and what refuses a smaller one. Called when k is chosen.
---@param o {pace: tfl.Pace, nodes: table[], f: number, delta: integer, epsilon: number, k_healthy: integer, k: integer|nil}
---@return integer k raises bad_config when o.k is too small
function Chaos:security(o)
    local k, nodes = o.k or o.k_healthy, started(o.nodes)
    local edges = schedule.edges(nodes)
    for _, clause in ipairs(self:clauses(o.pace, o.nodes)) do
        local need = schedule.need(clause, nodes, edges, o.pace.slot_seconds, o.delta)
        if need.share > 0 then
            local ok, message, needed = bounds.check_partition {
                f = o.f, share = need.share, slots = need.slots, heal_slots = need.heal_slots, k = k, k_healthy = o.k_healthy,
                epsilon = o.epsilon,
            }
            if not ok and o.k then
                errors.bad_config("chaos, %s%s: %s", clause.verb, clause.verb == "partition" and ""
                    or ": the others are apart without a node that it may take", message)
            end
            k = math.max(k, needed)
        end
    end
    return k
end

--- Fixes the schedule for a plan; refuses what cannot work. Called when the plan is made.
function Chaos:prepare(plan)
    if not plan.control then
        errors.usage "chaos_with: chaos needs the scenario to control its nodes; add :enable_node_control() to it"
    end
    for _, clause in ipairs(self.wish) do
        for _, verb in ipairs(needs[clause.verb]) do
            local refusal = deployers.refusal(plan.backend, verb) or kinds.refusal(plan.nodes, verb)
            if refusal then errors.usage("chaos_with: %s needs the verb %s: %s", clause.verb, verb, refusal) end
        end
    end
    local nodes, pace = started(plan.nodes), { slot_seconds = plan.slot_seconds, f = plan.f }
    local allowance = bounds.recovery_slots(plan.slot_seconds, plan.delta)
    self.allowance = allowance
    if plan.replay then
        self.entries = journal.read(plan.replay, {
            nodes = plan.nodes, verbs = needs, links = plan.links, slots = plan.window_slots, allowance = allowance,
        })
    else
        self.entries = schedule.make {
            seed = plan.seed, clauses = self:clauses(pace, plan.nodes), nodes = nodes, edges = schedule.edges(nodes),
            slot_seconds = plan.slot_seconds,
            slots = plan.window_slots, allowance = allowance, apart = allowance + plan.security_param,
            draw = function(name, n) return topology.draw { seed = plan.seed, name = name, below = n } end,
        }
        self:check_all_strike(plan, allowance)
    end
end

--- A clause that the schedule has no fault of would pass as if it had been borne.
function Chaos:check_all_strike(plan, allowance)
    local strikes = {}
    for _, entry in ipairs(self.entries) do strikes[entry.clause] = true end
    for i, wish in ipairs(self.wish) do
        if not strikes[i] then
            errors.bad_config("chaos_with: in a window of %s nothing would happen by %s (clause %d): each fault must be over %s before its "
                .. "end; run longer, or with shorter delays", duration.show(plan.window_slots * plan.slot_seconds), wish.verb, i,
                duration.show(allowance * plan.slot_seconds))
        end
    end
end

--- What `check` and plan.json tell of it.
function Chaos:data()
    local list = {}
    for i, e in ipairs(self.entries) do
        list[i] = { at = e.at, till = e.till, verb = e.verb, targets = e.targets, groups = e.groups }
    end
    return list
end

function Chaos:describe()
    local counts, order, first = {}, {}, {}
    for i, e in ipairs(self.entries) do
        if not counts[e.verb] then order[#order + 1] = e.verb end
        counts[e.verb] = (counts[e.verb] or 0) + 1
        if i <= 4 then
            first[i] = ("slot %d %s %s"):format(e.at, e.verb, e.groups and table.concat(e.groups[1], "+") or table.concat(e.targets, ","))
                :gsub(" $", "")
        end
    end
    for i, verb in ipairs(order) do order[i] = counts[verb] .. " " .. verb end
    return ("%s: %s%s"):format(table.concat(order, ", "), table.concat(first, "; "), #self.entries > 4 and "; …" or "")
end

-- ---- the run

--- Why no more node may go down, or nil: the schedule leaves most of the stake up, and so does the run when nodes take longer to come
--- back than was planned. Else chains that never meet are made one after the other.
local function crowd(run, entry, most)
    local away, up, all = {}, 0, 0
    for _, node in ipairs(started(run.plan.nodes)) do
        all = all + node.stake
        if not run:is_live(node.name) or run.faults:is_busy(node.name) then
            away[#away + 1] = node.name
        elseif node.name ~= entry.targets[1] then
            up = up + node.stake
        end
    end
    local fine = #away == 0 or most and #away < most or not most and up * 2 > all
    return not fine and table.concat(away, ", ") .. (#away > 1 and " are" or " is") .. " not back yet" or nil
end

--- Why the state of the run forbids an entry, or nil.
local function obstacle(run, entry, wish)
    if entry.verb ~= "partition" and entry.verb ~= "latency" then
        if not run:is_live(entry.targets[1]) then return ("%s is %s"):format(entry.targets[1], run.deployer:state(entry.targets[1])) end
        local crowded = crowd(run, entry, wish and wish.max_down)
        if crowded then return crowded end
    end
    if entry.verb == "partition" or entry.splits then
        for _, fault in ipairs(run.faults:list()) do
            if fault.cut and not fault.t1 then return fault.name .. " is still in force" end
        end
        local figures, high = run:figures(run.s0, run:current_slot()), 0
        for _, node in ipairs(figures.nodes) do
            if not node.stale then high = math.max(high, node.height) end
        end
        -- what k bears beyond the partition itself is a healthy fork; half of it is one that ends all but surely
        local healthy = math.min(run.plan.security_param, run.plan.topology:safe_security_param())
        if high - figures.common_height > 2 + run.plan.delta + healthy // 2 then
            return "the nodes have not converged since the last fault"
        end
    end
end

local function carry_out(run, entry)
    local faults, node, by = run.faults, run:entry(entry.targets[1]), "chaos"
    if entry.verb == "restart" then
        return faults:verb(node, "restart", nil, by)
    elseif entry.verb == "partition" or entry.verb == "latency" then
        local touched = #entry.targets > 0 and entry.targets or "all"
        local fault = entry.verb == "partition" and faults:cut(entry.groups, false, by)
            or faults:shape(touched, touched, { latency = entry.latency, jitter = 0, rate = 0, loss = 0 }, false, by)
        run:sleep_until_slot(run.s0 + entry.till)
        faults:heal(fault, by)
        return fault
    end
    local begin = ({ kill = "kill", pause = "pause", churn = "stop" })[entry.verb]
    local fault = faults:verb(node, begin, nil, by)
    run:sleep_until_slot(run.s0 + entry.till)
    faults:verb(node, entry.verb == "pause" and "resume" or "start", nil, by)
    return fault
end

function Chaos:make(run, entry)
    local reason = obstacle(run, entry, self.wish[entry.clause])
    if reason then
        entry.skipped = reason
        return run.faults:skipped(entry.verb, entry.targets, reason, "chaos", entry.at)
    end
    run.record:event("chaos", {
        at = entry.at, till = entry.till, verb = entry.verb, targets = entry.targets, groups = entry.groups, latency = entry.latency,
        splits = entry.splits, clause = entry.clause,
    })
    local ok, fault = pcall(carry_out, run, entry)
    if ok then
        entry.fault = fault
    else
        entry.failed = type(fault) == "table" and fault.message or tostring(fault)
        if type(fault) ~= "table" then error(fault, 0) end
        if fault.code ~= "wrong_state" then run:problem("infra", fault) else entry.skipped = fault.message end
    end
end

function Chaos:start(ctx)
    local run, tasks = ctx.run, {}
    for i, entry in ipairs(self.entries) do
        run:sleep_until_slot(run.s0 + entry.at)
        tasks[i] = ctx:spawn(self.make, self, run, entry)
    end
    for _, one in ipairs(tasks) do one:wait() end
    if self.final_heal then
        run:sleep_until_slot(run.s0 + run.plan.window_slots - self.allowance)
        run.faults:restore_all()
    end
end

return M
