--- A cluster that has been checked and can be deployed: the getters of a plan. Immutable; made by tfl.topology.
local kinds = require "tfl.kinds"

---@class tfl.TopologyPlan
local Plan = {}
Plan.__index = Plan

--- Nodes in the order of their index: {index, name, node_key, leader_key, leader_pub, peer_id, stake, dials,
-- degree}.
---@return table[]
function Plan:nodes()
    return self._graph.nodes
end

---@return integer
function Plan:node_count()
    return #self._graph.nodes
end

--- Nodes that are started with the cluster.
---@return integer
function Plan:started_count()
    local n = 0
    for _, node in ipairs(self:nodes()) do
        n = n + (node.late and 0 or 1)
    end
    return n
end

--- "star", "chain", "ring", "full", "k_regular" or "custom".
---@return string
function Plan:shape()
    return self._shape
end

--- {dialer, listener} of each link, zero-based.
---@return integer[][]
function Plan:edges()
    return self._graph.edges
end

--- Hops between the two farthest nodes.
---@return integer
function Plan:diameter()
    return self._graph.diameter
end

--- The lottery's nonce, hex.
---@return string
function Plan:nonce()
    return self._graph.nonce
end

---@return integer
function Plan:seed()
    return self._seed
end

--- The kind of the nodes for which none is said.
---@return table
function Plan:kind()
    return self._kind
end

--- Seconds.
---@return number
function Plan:slot_duration()
    return self._slot_ms / 1000
end

---@return integer
function Plan:slot_ms()
    return self._slot_ms
end

---@return number
function Plan:active_slot_coeff()
    return self._ratio.numerator / self._ratio.denominator
end

--- f as the ratio that nodes are given.
---@return {numerator:integer, denominator:integer}
function Plan:active_slot_ratio()
    return self._ratio
end

---@return integer
function Plan:security_param()
    return self._security
end

--- The least k that is safe here.
---@return integer
function Plan:safe_security_param()
    return self._safe
end

--- What all links are shaped to for the whole run, or nil.
---@return tfl.LinkShape|nil
function Plan:links()
    return self._links
end

--- Δ, slots.
---@return integer
function Plan:delta()
    return self._delta
end

--- Mean seconds between blocks, τ ÷ f.
---@return number
function Plan:block_interval()
    return self:slot_duration() / self:active_slot_coeff()
end

--- Slots of the window, or nil for a cluster driven by hand.
---@return integer|nil
function Plan:window_slots()
    return self._window
end

--- What turns slots and blocks into seconds (see tfl.duration).
---@return tfl.Pace
function Plan:pace()
    return { slot_seconds = self:slot_duration(), f = self:active_slot_coeff() }
end

--- "3 nodes, star".
---@return string
function Plan:describe()
    local n = self:node_count()
    local late = n - self:started_count()
    n = n - late
    return ("%d node%s%s, %s"):format(n, n == 1 and "" or "s", late > 0 and (" + %d late"):format(late) or "",
        self._shape == "k_regular" and ("k_regular(%d)"):format(self._k) or self._shape)
end

--- The plan as plain data for plan.json, without secrets.
---@return table
function Plan:data()
    local nodes = {}
    for i, node in ipairs(self:nodes()) do
        local own = kinds.identity(node, self._seed)
        nodes[i] = {
            name = node.name,
            peer_id = own.peer_id,
            leader_pub = own.leader_pub,
            stake = node.stake,
            dials = node.dials,
            degree = node.degree,
            late = node.late,
            kind = node.kind ~= self._kind and node.kind.name or nil,
        }
    end
    return {
        shape = self._shape,
        k_regular = self._shape == "k_regular" and self._k or nil,
        seed = self._seed,
        kind = self._kind.name,
        slot_duration_ms = self._slot_ms,
        active_slot_coeff = self:active_slot_coeff(),
        security_param = self._security,
        safe_security_param = self._safe,
        delta = self._delta,
        diameter = self:diameter(),
        window_slots = self._window,
        nonce = self:nonce(),
        nodes = nodes,
    }
end

return Plan
