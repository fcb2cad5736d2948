--- How likely each slot was to bring growth, under the faults that were in force (JUDGING, Liveness): p_s = 1 − (1 − f)^(a_s), a_s the
--- share of stake of the largest connected component of nodes that were up for the whole slot. Pure.
---
--- A node counts as down from the slot in which it was stopped, killed or paused until it was ready again, and links as cut until they
--- were healed, both for a recovery allowance longer: then the nodes that were apart may be counted on together. (JUDGING has a_s = 0 in
--- the allowance; but whoever was up meanwhile goes on building, and the longest branch wins, so the least that holds then is what held
--- before. Zero would leave runs with many short faults next to nothing that could fail.) In the slots of a transition itself a_s = 0.
local bounds = require("tfl.verdict.bounds")

local availability = {}

---@class tfl.AvailabilityInput
---@field f number
---@field delta integer Δ of the plan
---@field allowance integer slots, bounds.recovery_slots
---@field from integer first slot
---@field to integer slot after the last
---@field nodes {name:string, stake:number}[]
---@field edges table[] {a, b, since =, till =}: names of nodes that have a link, and the slots in which they have it (nil: always)
---@field faults tfl.Fault[] the run's journal

local FOREVER = math.maxinteger

--- Does a rule of a cut hold between two nodes, in one way at least? Without both ways there is no handshake and no ping.
local function in_set(set, name)
    local names = set.except or set
    for _, one in ipairs(names) do
        if one == name then
            return not set.except
        end
    end
    return set.except ~= nil
end

---@param rules {from:table, to:table}[] of tfl.core.links
---@param a string
---@param b string
---@return boolean
function availability.cuts(rules, a, b)
    for _, rule in ipairs(rules) do
        if in_set(rule.from, a) and in_set(rule.to, b) or in_set(rule.from, b) and in_set(rule.to, a) then
            return true
        end
    end
    return false
end

--- When a fault is felt: in [from, to), and as a transition in [from, settled).
local function span_of(o, fault)
    local over = fault.links and fault.slot1 or fault.ready_slot
    return {
        fault = fault,
        from = fault.verb == "absent" and math.mininteger or fault.slot0 or math.mininteger,
        settled = (fault.slot0 or 0) + 1 + o.delta,
        to = over and over + 1 + o.allowance or FOREVER,
    }
end

--- Spans of the faults that change who can build on whom; shapes do so when they are worse than what the plan knew.
local function spans_of(o)
    local spans = {}
    for _, fault in ipairs(o.faults) do
        if not fault.error and (not fault.shape or fault.beyond_plan) then
            spans[#spans + 1] = span_of(o, fault)
        end
    end
    return spans
end

--- a_s of a slot.
local function share_at(o, spans, slot, indices, stakes)
    local down, cuts = {}, {}
    for _, span in ipairs(spans) do
        if slot >= span.from and slot < span.to then
            local fault = span.fault
            if fault.beyond_plan or fault.verb ~= "absent" and slot < span.settled then
                return 0.0
            elseif fault.cut then
                cuts[#cuts + 1] = fault.rules
            elseif not fault.links then
                down[indices[fault.targets[1]] or -1] = true
            end
        end
    end
    local edges = {}
    for _, edge in ipairs(o.edges) do
        if slot >= (edge.since or math.mininteger) and slot < (edge.till or FOREVER) then
            edges[#edges + 1] = { indices[edge[1]], indices[edge[2]] }
        end
    end
    return bounds.component_share(stakes, edges, {
        down = down,
        cut = function(a, b)
            for _, rules in ipairs(cuts) do
                if availability.cuts(rules, o.nodes[a + 1].name, o.nodes[b + 1].name) then
                    return true
                end
            end
            return false
        end,
    })
end

--- The chances of growth of the slots from `from` to before `to`, as runs of slots with one chance; the plan's own f is left out.
---@param o tfl.AvailabilityInput
---@return {from:integer, to:integer, p:number}[]
function availability.chances(o)
    local spans, marks, seen = spans_of(o), { o.from }, { [o.from] = true }
    if #spans == 0 then
        return {}
    end
    local function mark(slot)
        if slot > o.from and slot < o.to and not seen[slot] then
            marks[#marks + 1], seen[slot] = slot, true
        end
    end
    for _, span in ipairs(spans) do
        mark(span.from)
        mark(span.settled)
        mark(span.to)
    end
    for _, edge in ipairs(o.edges) do
        mark(edge.since or o.from)
        mark(edge.till or o.to)
    end
    table.sort(marks)
    local indices, stakes, out = {}, {}, {}
    for i, node in ipairs(o.nodes) do
        indices[node.name], stakes[i] = i - 1, node.stake
    end
    for i, from in ipairs(marks) do
        local p = bounds.growth_chance(o.f, share_at(o, spans, from, indices, stakes))
        local to = marks[i + 1] or o.to
        local last = out[#out]
        if last and last.p == p and last.to == from then
            last.to = to
        elseif p ~= o.f and to > from then
            out[#out + 1] = { from = from, to = to, p = p }
        end
    end
    return out
end

return availability
