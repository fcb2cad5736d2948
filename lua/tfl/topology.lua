--- What cluster a scenario wants: the builder `t` of scenario:topology_with, and the plan made of it before
-- anything starts.
local Plan = require("tfl.topology.plan")
local bounds = require("tfl.verdict.bounds")
local duration = require("tfl.duration")
local errors = require("tfl.errors")
local kinds = require("tfl.kinds")
local links = require("tfl.links")
local new_builder = require("tfl.topology.builder")

local topology = { new = new_builder }

local DEFAULT_SLOT = 0.2
local DEFAULT_COEFF = 0.5
local MIN_SLOT_MS, MAX_SLOT_MS = 50, 3600000
local MAX_DENOMINATOR = 1000000000 -- what nodes accept
local EPSILON = 1e-6
--- Slots that k is derived for when nobody knows how long the cluster will run (scripts, the REPL).
local OPEN_END_SLOTS = 100000
--- The worst a block takes over one link of this host, for Δ; deployers of slower networks bring their own.
local HOP_MS = 10

local function gcd(a, b)
    while b ~= 0 do
        a, b = b, a % b
    end
    return a
end

--- f as a ratio that nodes accept: exactly what was written when that has up to nine decimals, else the simplest that
-- agrees to twelve digits (or the nearest with nine digits), by continued fractions.
---@param f number in (0, 1]
---@return {numerator:integer, denominator:integer}
function topology.ratio(f)
    local digits = math.floor(f * MAX_DENOMINATOR + 0.5)
    if digits / MAX_DENOMINATOR == f then
        local shared = gcd(digits, MAX_DENOMINATOR)
        return { numerator = digits // shared, denominator = MAX_DENOMINATOR // shared }
    end
    local x, n0, d0, n1, d1 = f, 0, 1, 1, 0
    repeat
        local whole = math.floor(x)
        if whole * d1 + d0 > MAX_DENOMINATOR then
            break
        end
        n0, d0, n1, d1 = n1, d1, whole * n1 + n0, whole * d1 + d0
        x = 1 / (x - whole)
    until math.abs(n1 / d1 - f) <= 1e-12 * f
    return { numerator = math.tointeger(n1), denominator = math.tointeger(d1) }
end

--- A setting of consensus: the flag, else the environment, else the script's, else the default; and where it
-- is from.
local function pick(flag, variable, parse, own, default, name)
    if flag ~= nil then
        return flag, name
    end
    local text = variable.get(variable.name)
    if text and text ~= "" then
        return parse(text), variable.name
    end
    return own or default, name
end

local function slot_ms(self, o, getenv)
    local seconds, origin = pick(o.slot_duration, { get = getenv, name = "CONSENSUS_SLOT_TIME" }, function(text)
        return duration.to_seconds(tonumber(text) or text, nil, "CONSENSUS_SLOT_TIME")
    end, self._slot, DEFAULT_SLOT, "slot_duration")
    local ms = duration.to_seconds(seconds, nil, origin) * 1000
    local rounded = math.floor(ms + 0.5)
    if rounded < MIN_SLOT_MS or rounded > MAX_SLOT_MS then
        errors.bad_config("%s: slots of %s; they must be from 50ms to 1h%s", origin, duration.show(ms / 1000),
            rounded < MIN_SLOT_MS and ", shorter ones would measure the host and not the chain" or "")
    elseif math.abs(ms - rounded) > 1e-6 then
        errors.bad_config("%s: slots of %gms; they must be whole milliseconds", origin, ms)
    end
    return rounded
end

local function coeff(self, o, getenv)
    local f, origin = pick(o.active_slot_coeff, { get = getenv, name = "CONSENSUS_ACTIVE_SLOT_COEFF" }, function(text)
        return tonumber(text) or errors.usage("CONSENSUS_ACTIVE_SLOT_COEFF=%s: expected a number above 0, at most 1",
            errors.show(text))
    end, self._coeff or o.defaults and o.defaults.active_slot_coeff, DEFAULT_COEFF, "active_slot_coeff")
    if not (f > 0 and f <= 1) then
        errors.bad_config("%s: %s is no chance of a leader; it must be above 0 and at most 1, as 0.5", origin,
            errors.show(f))
    elseif f < 1e-6 then
        errors.bad_config("%s: %g would bring a block in a million slots; use 0.05 or more", origin, f)
    end
    return f
end

local function draw(self, n, seed, core)
    local request = { n = n, shape = self._shape, k = self._k, seed = seed }
    if self._shape == "custom" then
        request.edges = self._layout(n)
        if type(request.edges) ~= "table" then
            errors.usage("layout: the function returned %s; expected edges {{0, 1}, {1, 2}}",
                errors.show(request.edges))
        end
        for _, edge in ipairs(request.edges) do
            if type(edge) ~= "table" then
                errors.usage("layout: an edge is two node numbers as {0, 1}, got %s", errors.show(edge))
            end
        end
    end
    local graph = core.build(request)
    if not graph.connected and not self._unconnected then
        errors.bad_config("layout: the %d nodes are not connected by its %d edges, so they would finalise apart; add "
            .. "edges until every node can be reached", n, #graph.edges)
    end
    return graph
end

--- Whom a late node dials when nobody says otherwise: as the shape would have it.
local function late_dials(shape, index, k)
    local dials = {}
    local first = ({ star = 0, custom = 0, full = 0, k_regular = math.max(0, index - (k or 1)) })[shape] or index - 1
    local last = (shape == "star" or shape == "custom") and 0 or index - 1
    for i = first, last do
        dials[#dials + 1] = i
    end
    return dials
end

--- Adds the planned nodes that are not started with the others.
local function add_late(self, graph, seed, core)
    local n = #graph.nodes
    local all = core.build({ n = n + self._late, shape = "chain", seed = seed }).nodes
    for i = n + 1, #all do
        local node = all[i]
        node.late, node.stake, node.dials = true, self._late_stake, late_dials(self._shape, i - 1, self._k)
        node.degree = #node.dials
        graph.nodes[i] = node
    end
end

--- Each node's kind. One that has no chain has no part in the lottery of the others.
local function add_kinds(self, plan, resolve)
    local nodes = plan._graph.nodes
    plan._kind = resolve(self._kind)
    if self._node_asked then
        local i = self._node_asked.index
        local err = errors.new("usage", 'node(%d): nothing is said of that node; t:node(%d):kind("…") gives it a kind, t:nodes(%d) makes '
            .. "so many nodes", i, i, i)
        err.where = self._node_asked.where
        error(err, 0)
    end
    for index in pairs(self._kinds or {}) do
        if index >= #nodes then
            errors.usage("node(%d): the cluster has the nodes 0 to %d", index, #nodes - 1)
        end
    end
    local any = false
    for i, node in ipairs(nodes) do
        node.kind = self._kinds and self._kinds[i - 1] and resolve(self._kinds[i - 1]) or plan._kind
        any = any or node.kind.dialect
    end
    for _, node in ipairs(nodes) do
        node.stake = (node.kind.dialect or not any) and node.stake or 0
    end
end

local function stakers(graph)
    local count = 0
    for _, node in ipairs(graph.nodes) do
        count = count + (node.stake > 0 and 1 or 0)
    end
    return count
end

local function security(self, plan, f, o)
    local W = plan._window or OPEN_END_SLOTS
    local safe = bounds.security_param(f, plan._delta, math.max(W, 1), EPSILON)
    local wanted = self._security or o.defaults and o.defaults.security_param
    plan._safe, plan._security = safe, wanted or safe
    local chain = false
    for _, node in ipairs(plan:nodes()) do
        chain = chain or node.kind.slots
    end
    if o.chaos and chain and not self._unsafe_k then
        plan._security = o.chaos:security({ pace = plan:pace(), nodes = plan:nodes(), f = f, delta = plan._delta, epsilon = EPSILON,
            k_healthy = safe, k = wanted })
    end
    if plan._security < safe and not self._unsafe_k then
        local what, remedy = "security_param(%d)", "use %d or more, or leave it out"
        if not self._security then -- of a cluster that is there already
            what, remedy = "the cluster's k = %d", "run for a shorter time (-t), or on a cluster made with t:security_param(%d)"
        end
        errors.bad_config(what .. " is unsafe: with f = %g, Δ = %d and %d slots a healthy run breaks safety more often than once in "
            .. "a million; " .. remedy .. " (a scenario that must fail says t.unsafe_k = true)", plan._security, f, plan._delta, W, safe)
    end
end

---@class tfl.PlanOptions
---@field seed integer
---@field window? tfl.Duration the run's duration; nil when the cluster is driven by hand
---@field nodes? integer a flag, which wins over the script; so do the next two, over the environment too
---@field slot_duration? tfl.Duration
---@field active_slot_coeff? number
---@field defaults? {security_param: integer|nil, active_slot_coeff: number|nil} the deployer's, when nobody else says
---@field hop_ms? number the deployer's worst delay of one hop
---@field kind? fun(k: any): table the kind that a script's word means; raises usage
---@field chaos? table the chaos of the scenario, whose partitions k must bear
---@field getenv? fun(name:string):string|nil os.getenv

--- Checks the wish and makes the plan, or raises an error that names the remedy; starts nothing.
---@param self tfl.TopologyBuilder
---@param o tfl.PlanOptions
---@return tfl.TopologyPlan
function topology.plan(self, o)
    local getenv = o.getenv or os.getenv
    local n = o.nodes or self._nodes
    if not math.tointeger(n) or n < 1 then
        errors.bad_config("a cluster of %s nodes; it needs at least 1: t:nodes(3) in the scenario, or -n 3", n)
    end
    local plan = setmetatable({ _shape = self._shape, _k = self._k, _seed = o.seed }, Plan)
    plan._slot_ms = slot_ms(self, o, getenv)
    plan._ratio = topology.ratio(coeff(self, o, getenv))
    local f = plan:active_slot_coeff()
    plan._graph = draw(self, math.tointeger(n), o.seed, require("tfl.core.topology"))
    if (self._late or 0) > 0 then
        add_late(self, plan._graph, o.seed, require("tfl.core.topology"))
    end
    add_kinds(self, plan, o.kind or kinds.resolve)
    if f >= 1 and stakers(plan._graph) > 1 then
        errors.bad_config("active_slot_coeff(1) with %d stakers: all of them would lead in every slot; use 0.9 or "
            .. "less, or one node", stakers(plan._graph))
    end
    plan._links = self._links
    local hop_ms = (o.hop_ms or HOP_MS) + (self._links and links.worst_ms(self._links) or 0)
    plan._delta = bounds.planned_delta(plan:diameter() + ((self._late or 0) > 0 and 1 or 0), hop_ms, plan._slot_ms)
    plan._window = o.window and duration.to_slots(o.window, plan:pace(), "run duration") or nil
    security(self, plan, f, o)
    return plan
end

return topology
