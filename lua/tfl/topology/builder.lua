--- The builder `t` of scenario:topology_with: what a scenario wishes, checked only as far as one value goes.
local duration = require("tfl.duration")
local errors = require("tfl.errors")
local links = require("tfl.links")
local suggest = require("tfl.suggest")

---@class tfl.TopologyBuilder
local Builder = {}

local function number_of(value, what, fmt)
    if not math.type(value) or value ~= value then
        errors.usage("%s(%s): expected %s", what, errors.show(value), fmt)
    end
    return value
end

local function whole(value, what)
    local n = math.type(value) and math.tointeger(value)
    if not n then
        errors.usage("%s(%s): expected a whole number", what, errors.show(value))
    end
    return n
end

local function kind_of(k)
    if type(k) ~= "string" and type(k) ~= "table" then
        errors.usage("kind(%s): expected the name of a kind or what tfl.kind returned", errors.show(k))
    end
    return k
end

--- Number of nodes; -n and LOGOS_BLOCKCHAIN_DEMO_NODES win over it.
---@param n integer
---@return tfl.TopologyBuilder
function Builder:nodes(n)
    self._nodes = whole(n, "nodes")
    return self
end

--- Every node dials node 0.
---@return tfl.TopologyBuilder
function Builder:network_star()
    self._shape = "star"
    return self
end

--- Node i dials node i − 1.
---@return tfl.TopologyBuilder
function Builder:chain()
    self._shape = "chain"
    return self
end

--- A chain whose ends are joined.
---@return tfl.TopologyBuilder
function Builder:ring()
    self._shape = "ring"
    return self
end

--- Every pair of nodes.
---@return tfl.TopologyBuilder
function Builder:full()
    self._shape = "full"
    return self
end

--- A random connected graph, drawn from the seed, in which every node has k links.
---@param k integer
---@return tfl.TopologyBuilder
function Builder:k_regular(k)
    self._shape, self._k = "k_regular", whole(k, "k_regular")
    if self._k < 0 then
        errors.usage("k_regular(%d): expected 0 or more", k)
    end
    return self
end

--- A graph of the scenario's own: fn(n) returns a list of edges {{a, b}, …} between nodes 0 to n − 1; the
-- higher dials.
---@param fn fun(n:integer):integer[][]
---@return tfl.TopologyBuilder
function Builder:layout(fn)
    if type(fn) ~= "function" then
        errors.usage("layout(%s): expected a function(n) that returns edges {{0, 1}, {1, 2}}", errors.show(fn))
    end
    self._shape, self._layout = "custom", fn
    return self
end

--- Nodes that are planned, have keys, and are not started with the others: ctx:start_node("node-4") starts one. Their names go on
-- after those of the others. Without options they hold no stake.
---@param n integer
---@param options? {stake:integer} of each; the others hold 100,000
---@return tfl.TopologyBuilder
function Builder:late_nodes(n, options)
    self._late = whole(n, "late_nodes")
    options = errors.options("late_nodes", options, "stake")
    self._late_stake = options.stake and whole(options.stake, "late_nodes, stake") or 0
    if self._late < 0 or self._late_stake < 0 then
        errors.usage("late_nodes(%d): expected 0 or more", n)
    end
    return self
end

--- Shapes all links for the whole run: "wan", "lossy", or {latency = "40ms", jitter = "10ms", rate = bytes a second, loss = 0.02}.
---@param shape string|table
---@return tfl.TopologyBuilder
function Builder:links(shape)
    self._links = links.shape("links", shape)
    return self
end

--- How the nodes are run: the name of a kind ("reference") or what tfl.kind gave.
---@param k string|table
---@return tfl.TopologyBuilder
function Builder:kind(k)
    self._kind = kind_of(k)
    return self
end

--- One node by its index, to say its kind: t:node(2):kind("other"). It goes on with the topology.
---@param index integer from 0
---@return {kind: fun(self: table, k: string|table): tfl.TopologyBuilder}
function Builder:node(index)
    local i = whole(index, "node")
    if i < 0 then
        errors.usage("node(%d): nodes are counted from 0", i)
    end
    self._node_asked = { index = i, where = errors.where() }
    return {
        kind = function(_, k)
            self._kinds, self._node_asked = self._kinds or {}, nil
            self._kinds[i] = kind_of(k)
            return self
        end,
    }
end

--- Length of a slot, 50 ms to 1 h, whole milliseconds (default 200 ms; CONSENSUS_SLOT_TIME wins over it).
---@param d tfl.Duration
---@return tfl.TopologyBuilder
function Builder:slot_duration(d)
    self._slot = duration.to_seconds(d, nil, "slot_duration")
    return self
end

--- Chance that a slot has a leader, in (0, 1] (default 0.5; CONSENSUS_ACTIVE_SLOT_COEFF wins over it).
---@param f number
---@return tfl.TopologyBuilder
function Builder:active_slot_coeff(f)
    self._coeff = number_of(f, "active_slot_coeff", "a number above 0, at most 1")
    return self
end

--- How deep a block must lie to be final (default: derived, so that a healthy run never breaks safety).
-- Smaller values are refused unless options.unsafe_k is true.
---@param k integer
---@param options? {unsafe_k?:boolean}
---@return tfl.TopologyBuilder
function Builder:security_param(k, options)
    self._security = whole(k, "security_param")
    if self._security < 1 then
        errors.usage("security_param(%d): expected 1 or more", k)
    end
    if options and options.unsafe_k then
        self._unsafe_k = true
    end
    return self
end

local METHODS = {}
for name in pairs(Builder) do
    METHODS[#METHODS + 1] = name
end

local builder_meta = {
    __index = function(_, key)
        if Builder[key] then
            return Builder[key]
        elseif type(key) == "string" and key:sub(1, 1) ~= "_" and key ~= "unsafe_k" then
            errors.usage("a topology has no method %s%s", errors.show(key), suggest.hint(key, METHODS))
        end
        return nil
    end,
    __newindex = function(t, key, value)
        if key == "unsafe_k" then
            rawset(t, "_unsafe_k", value and true or nil)
        elseif type(key) == "string" and key:sub(1, 1) == "_" then
            rawset(t, key, value)
        else
            errors.usage("a topology has no field %s; only unsafe_k can be set, the rest are methods", errors.show(key))
        end
    end,
}

--- A new builder with the defaults: 1 node, star, 200 ms slots, f = 0.5, k derived, kind "reference".
---@return tfl.TopologyBuilder
return function()
    return setmetatable({ _nodes = 1, _shape = "star", _kind = "reference" }, builder_meta)
end
