--- The schedule of chaos: a pure function of seed, clauses, nodes and slots (JUDGING, Schedules). What the run does with an entry is in
--- tfl.workloads.chaos.
local bounds = require "tfl.verdict.bounds"

local schedule = {}

--- One fault to be made. Slots count from the first of the window.
---@class tfl.ChaosEntry
---@field at integer slot in whose beginning it is made
---@field till integer slot in whose beginning it ends
---@field verb string of the clause
---@field targets string[] the node, or all that a partition names
---@field groups string[][]|nil of a partition
---@field latency number|nil seconds
---@field clause integer

---@class tfl.ChaosInput
---@field seed integer
---@field clauses table[] of the builder, times in seconds
---@field nodes {name:string, index:integer, stake:number}[] those that are started
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

local function groups_of(clause, nodes, draw)
    if type(clause.shape) == "table" then return clause.groups end
    local names = shuffled(nodes, draw)
    local n = schedule.smaller(clause.shape, #names)
    local a, b = { table.unpack(names, 1, n) }, { table.unpack(names, n + 1) }
    table.sort(a)
    table.sort(b)
    return { a, b }
end

local function excluded(clause, node)
    for _, which in ipairs(clause.exclude) do
        if which == node.name or which == node.index then return true end
    end
    return false
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

--- The node the clause takes at that slot, or nil when all are to be left alone.
local function target(o, clause, state, slot, draw)
    local names = {}
    for _, node in ipairs(o.nodes) do
        local free = not state.over[node.name] or slot >= state.over[node.name] + slots_of(o, clause.cooldown, 0)
        if free and not excluded(clause, node) and room(o, clause, state, node, slot) then names[#names + 1] = node.name end
    end
    return #names > 0 and names[draw(#names) + 1] or nil
end

--- The fault of a clause at a slot, or nil when nothing can be done then.
local function entry_at(o, i, clause, state, slot, draw)
    local till = slot + slots_of(o, clause.lasts, 1)
    if till + o.allowance > o.slots then return nil end
    local entry = { at = slot, till = till, verb = clause.verb, clause = i, latency = clause.latency }
    if clause.verb == "partition" then
        if slot < (state.partition_after or 0) then return nil end
        entry.groups = groups_of(clause, o.nodes, draw)
        entry.targets = {}
        for _, group in ipairs(entry.groups) do table.move(group, 1, #group, #entry.targets + 1, entry.targets) end
        state.partition_after = till + o.apart
    elseif clause.verb == "latency" then
        if slot < (state.latency_after or 0) then return nil end
        entry.targets, state.latency_after = {}, till
    else
        local name = target(o, clause, state, slot, draw)
        if not name then return nil end
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

--- What a partition asks of k: slots it lasts and heals in, and the smaller side's share of the stake.
---@param clause table
---@param nodes {name:string, stake:number}[]
---@param slot_seconds number
---@param delta integer
---@return {slots:integer, heal_slots:integer, share:number}
function schedule.partition_need(clause, nodes, slot_seconds, delta)
    local all, least, stakes = 0, math.huge, {}
    for i, node in ipairs(nodes) do
        all, stakes[i] = all + node.stake, node.stake
    end
    if clause.groups then
        for _, group in ipairs(clause.groups) do
            local held = 0
            for _, node in ipairs(nodes) do
                for _, name in ipairs(group) do held = held + (name == node.name and node.stake or 0) end
            end
            least = math.min(least, held)
        end
    else
        table.sort(stakes, function(a, b) return a > b end) -- the richest that may stand on the smaller side
        local n = schedule.smaller(clause.shape, #nodes)
        least = 0
        for i = 1, n do least = least + stakes[i] end
        least = math.min(least, all - least)
    end
    return {
        slots = math.max(1, math.ceil(clause.lasts / slot_seconds - 1e-9)), share = all > 0 and least / all or 0,
        heal_slots = bounds.recovery_slots(slot_seconds, delta),
    }
end

return schedule
