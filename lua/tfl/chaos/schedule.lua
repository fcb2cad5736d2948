--- The schedule of chaos: a pure function of seed, clauses, nodes and slots (JUDGING, Schedules). What the run does with an entry is in
--- tfl.workloads.chaos.
local bounds = require "tfl.verdict.bounds"

local schedule = {}

--- Nodes that may be down already when one more is taken out of a graph that is not full.
local MOST_DOWN = 6

--- One fault to be made. Slots count from the first of the window.
---@class tfl.ChaosEntry
---@field at integer slot in whose beginning it is made
---@field till integer slot in whose beginning it ends
---@field verb string of the clause
---@field targets string[] the node, or all that a partition names
---@field groups string[][]|nil of a partition
---@field latency number|nil seconds
---@field splits boolean|nil without the node the others are apart: as good as a partition
---@field clause integer

---@class tfl.ChaosInput
---@field seed integer
---@field clauses table[] of the builder, times in seconds
---@field nodes {name:string, index:integer, stake:number}[] those that are started
---@field edges integer[][]|nil of schedule.edges
---@field slot_seconds number
---@field slots integer of the window
---@field allowance integer slots that a fault must end before the window does
---@field apart integer slots between two partitions, so that the nodes can have converged
---@field draw fun(name:string, n:integer):integer a whole number of [0, n) from the stream `name`

--- Draws of one clause: each from a stream of its own, so that one more in one place changes nothing elsewhere.
local function drawer(o, i)
    local count = 0
    return function(n)
        count = count + 1
        return n > 1 and o.draw(("chaos/%d/%d"):format(i, count), n) or 0
    end
end

local function slots_of(o, seconds, least)
    return math.max(least, math.ceil(seconds / o.slot_seconds - 1e-9))
end

--- A random order of the nodes' names.
local function shuffled(nodes, draw)
    local names = {}
    for i, node in ipairs(nodes) do names[i] = node.name end
    for i = #names, 2, -1 do
        local j = draw(i) + 1
        names[i], names[j] = names[j], names[i]
    end
    return names
end

--- How many nodes the smaller group of a partition has.
---@param shape string|table
---@param n integer
---@return integer
function schedule.smaller(shape, n)
    return shape == "one" and 1 or shape == "halves" and n // 2 or (n - 1) // 2
end

local function excluded(clause, node)
    for _, which in ipairs(clause.exclude) do
        if which == node.name or which == node.index then return true end
    end
    return false
end

--- The nodes that a clause may touch.
---@param clause table
---@param nodes table[]
---@return table[]
function schedule.free(clause, nodes)
    local list = {}
    for _, node in ipairs(nodes) do
        if not excluded(clause, node) then list[#list + 1] = node end
    end
    return list
end

--- The smaller group is drawn, from nodes that are not excluded; the other one are all the rest.
local function groups_of(clause, nodes, draw)
    if type(clause.shape) == "table" then return clause.groups end
    local names, drawn, a, b = shuffled(schedule.free(clause, nodes), draw), {}, {}, {}
    for i = 1, math.min(#names, schedule.smaller(clause.shape, #nodes)) do drawn[names[i]] = true end
    for _, node in ipairs(nodes) do table.insert(drawn[node.name] and a or b, node.name) end
    table.sort(a)
    table.sort(b)
    return { a, b }
end

--- The links among nodes by their places, from 0; nil when each has one to each other, so that no node's absence parts the rest.
---@param nodes {index:integer, dials:integer[]}[]
---@return integer[][]|nil
function schedule.edges(nodes)
    local places, edges, seen = {}, {}, {}
    for i, node in ipairs(nodes) do places[node.index] = i - 1 end
    for i, node in ipairs(nodes) do
        for _, dialled in ipairs(node.dials) do
            local a, b = i - 1, places[dialled]
            local key = b and math.min(a, b) * #nodes + math.max(a, b)
            if b and a ~= b and not seen[key] then edges[#edges + 1], seen[key] = { a, b }, true end
        end
    end
    return #edges < #nodes * (#nodes - 1) // 2 and edges or nil
end

local function complete(n)
    local edges = {}
    for a = 0, n - 1 do
        for b = a + 1, n - 1 do edges[#edges + 1] = { a, b } end
    end
    return edges
end

--- The share of the stake on the second of the sides into which nodes fall when some are down or groups are cut off from each other and
--- from the rest: as soon as its branch is longer than k, two sides have finalised apart. 0: they stay together.
---@param nodes {name:string, stake:number}[]
---@param edges integer[][]|nil of schedule.edges
---@param down table<integer, boolean> places from 0
---@param groups? string[][]
---@return number
function schedule.second_share(nodes, edges, down, groups)
    local side, stakes = {}, {}
    for g, group in ipairs(groups or {}) do
        for _, name in ipairs(group) do side[name] = g end
    end
    for i, node in ipairs(nodes) do stakes[i] = node.stake end
    return bounds.component_shares(stakes, edges or complete(#nodes), {
        down = down, cut = function(a, b) return side[nodes[a + 1].name] ~= side[nodes[b + 1].name] end,
    })[2] or 0
end

--- May one more node go down at that slot?
local function room(o, clause, state, node, slot)
    local down, up, all = 0, 0, 0
    for _, other in ipairs(o.nodes) do
        local is_down = (state.down_until[other.name] or 0) > slot
        down = down + (is_down and 1 or 0)
        all = all + other.stake
        if not is_down and other ~= node then up = up + other.stake end
    end
    if clause.max_down then return down < clause.max_down end
    return down == 0 or up * 2 > all
end

--- Is the node's absence one that k is made for? One that parts the others is a partition like any other: alone, and some time after the
--- last. Gives also whether it is such a one.
local function bearable(o, state, place, slot)
    if not o.edges then return true, false end
    if slot < (state.cut_until or 0) then return false, false end
    local others = {}
    for i, other in ipairs(o.nodes) do
        if (state.down_until[other.name] or 0) > slot then others[#others + 1] = i - 1 end
    end
    if #others > MOST_DOWN then return false, false end
    for set = 0, (1 << #others) - 1 do -- the others come back in any order
        local down = { [place] = true }
        for i, other in ipairs(others) do down[other] = set >> (i - 1) & 1 == 1 or nil end
        if schedule.second_share(o.nodes, o.edges, down) > 0 then
            return #others == 0 and slot >= (state.partition_after or 0), true
        end
    end
    return true, false
end

--- The node the clause takes at that slot, or nil when all are to be left alone, and whether the others are apart without it.
local function target(o, clause, state, slot, draw)
    local names, splitting = {}, {}
    for i, node in ipairs(o.nodes) do
        local free = not state.over[node.name] or slot >= state.over[node.name] + slots_of(o, clause.cooldown, 0)
        if free and not excluded(clause, node) and room(o, clause, state, node, slot) then
            local fine, splits = bearable(o, state, i - 1, slot)
            if fine then names[#names + 1], splitting[node.name] = node.name, splits end
        end
    end
    local name = #names > 0 and names[draw(#names) + 1] or nil
    return name, name and splitting[name]
end

--- May the nodes be cut apart at that slot? With nodes down, a graph that is not full might fall into more parts than k is made for.
local function may_cut(o, state, slot)
    if slot < (state.partition_after or 0) then return false end
    for _, till in pairs(o.edges and state.down_until or {}) do
        if till > slot then return false end
    end
    return true
end

--- The fault of a clause at a slot, or nil when nothing can be done then.
local function entry_at(o, i, clause, state, slot, draw)
    local till = slot + slots_of(o, clause.lasts, 1)
    if till + o.allowance > o.slots then return nil end
    local entry = { at = slot, till = till, verb = clause.verb, clause = i, latency = clause.latency }
    if clause.verb == "partition" then
        if not may_cut(o, state, slot) then return nil end
        entry.groups = groups_of(clause, o.nodes, draw)
        entry.targets = {}
        for _, group in ipairs(entry.groups) do table.move(group, 1, #group, #entry.targets + 1, entry.targets) end
        state.partition_after, state.cut_until = till + o.apart, till
    elseif clause.verb == "latency" then
        if slot < (state.latency_after or 0) then return nil end
        entry.targets, state.latency_after = {}, till
        for _, node in ipairs(#clause.exclude > 0 and schedule.free(clause, o.nodes) or {}) do table.insert(entry.targets, node.name) end
    else
        local name, splits = target(o, clause, state, slot, draw)
        if not name then return nil end
        if splits then entry.splits, state.partition_after = true, till + o.apart end
        entry.targets, state.over[name], state.down_until[name] = { name }, till, till
    end
    return entry
end

--- All entries in the order of their slots.
---@param o tfl.ChaosInput
---@return tfl.ChaosEntry[]
function schedule.make(o)
    local state, list, heads = { over = {}, down_until = {} }, {}, {}
    for i, clause in ipairs(o.clauses) do
        local draw = drawer(o, i)
        local least, most = slots_of(o, clause.min_delay, 1), slots_of(o, clause.max_delay, 1)
        local function after(slot) return slot + least + draw(most - least + 1) end
        heads[i] = { clause = clause, draw = draw, after = after, at = after(0) }
    end
    while true do
        local first
        for i, head in ipairs(heads) do
            if head.at < o.slots and (not first or head.at < heads[first].at) then first = i end
        end
        if not first then return list end
        local head = heads[first]
        local entry = entry_at(o, first, head.clause, state, head.at, head.draw)
        list[#list + 1] = entry
        head.at = head.after(entry and entry.till or head.at)
    end
end

--- The share of the stake on the second side, at worst, when a clause takes one node: a full graph is left in one piece.
local function worst_of_one(clause, nodes, edges)
    local cut, worst, all = clause.verb == "partition", 0, 0
    for _, node in ipairs(nodes) do all = all + node.stake end
    for i, node in ipairs(nodes) do
        if not excluded(clause, node) then
            local share = cut and all > 0 and math.min(node.stake, all - node.stake) / all or 0
            if edges then share = schedule.second_share(nodes, edges, { [i - 1] = not cut }, cut and { { node.name } } or nil) end
            worst = math.max(worst, share)
        end
    end
    return worst
end

--- The same for any clause.
local function worst_share(clause, nodes, edges)
    if clause.verb == "latency" then return 0 end
    if clause.groups then return schedule.second_share(nodes, edges, {}, clause.groups) end
    if clause.verb ~= "partition" or clause.shape == "one" then return worst_of_one(clause, nodes, edges) end
    if edges then return 0.5 end -- the larger group may fall apart, too
    local all, worst, stakes = 0, 0, {}
    for _, node in ipairs(nodes) do all = all + node.stake end
    for i, node in ipairs(schedule.free(clause, nodes)) do stakes[i] = node.stake end
    table.sort(stakes, function(a, b) return a > b end) -- the richest may all be drawn, or just enough of them for a half
    for i = 1, math.min(#stakes, schedule.smaller(clause.shape, #nodes)) do worst = worst + stakes[i] end
    return all > 0 and math.min(worst, all / 2) / all or 0
end

--- What a clause asks of k: slots in which the nodes are apart and then heal, and the second side's share of the stake (0: they stay
--- together).
---@param clause table
---@param nodes {name:string, index:integer, stake:number}[]
---@param edges integer[][]|nil of schedule.edges
---@param slot_seconds number
---@param delta integer
---@return {slots:integer, heal_slots:integer, share:number}
function schedule.need(clause, nodes, edges, slot_seconds, delta)
    return {
        slots = slots_of({ slot_seconds = slot_seconds }, clause.lasts, 1), share = worst_share(clause, nodes, edges),
        heal_slots = bounds.recovery_slots(slot_seconds, delta),
    }
end

return schedule
