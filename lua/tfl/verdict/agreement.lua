--- Whether the nodes were on one chain, through time: what recovery and the resolution of forks are judged by. Pure: fed with what the
--- block feed and the journal of faults tell, in the order of time.
---
--- Two tips are on one chain when one is an ancestor of the other. A fork is open while the tips of the nodes that are up are not all on
--- one chain. The common block is the last one that the chains of all nodes that are up have.
local agreement = {}

---@class tfl.Agreement
local Agreement = {}
Agreement.__index = Agreement

---@return tfl.Agreement
function agreement.new()
    return setmetatable({ blocks = {}, tips = {}, up = {}, forks = {}, commons = {} }, Agreement)
end

--- A block that some node has.
function Agreement:block(id, parent, slot, height)
    self.blocks[id] = { id = id, parent = parent, slot = slot, height = height }
end

--- The last block that all of `tips` descend from, and whether they are all on one chain; nil when a block is not known.
local function common(blocks, tips)
    local list, one_chain = {}, true
    for i, id in ipairs(tips) do
        list[i] = blocks[id]
        if not list[i] or not list[i].height then
            return nil, false
        end
    end
    table.sort(list, function(a, b) return a.height > b.height end)
    local block = list[1]
    local function down(from, height)
        while from and from.height > height do
            from = blocks[from.parent]
        end
        return from
    end
    for _, tip in ipairs(list) do
        block = down(block, tip.height)
        one_chain = one_chain and block == tip
        while block ~= tip do
            if not block or not tip then
                return nil, false
            end
            tip = down(tip, block.height - 1)
            block = down(block, block.height - 1)
        end
    end
    return block, one_chain
end

local function look(self, t)
    local tips = {}
    for node in pairs(self.up) do
        if not self.tips[node] then
            return
        end
        tips[#tips + 1] = self.tips[node]
    end
    if #tips == 0 then
        return
    end
    local block, one_chain = common(self.blocks, tips)
    if not block then
        return -- an ancestor is still to be told of
    end
    local fork = self.forks[#self.forks]
    local open = fork and not fork.to
    if open and one_chain then
        fork.to = t
    elseif not open and not one_chain then
        self.forks[#self.forks + 1] = { from = t }
    end
    local last = self.commons[#self.commons]
    if not last or last.slot ~= block.slot then
        self.commons[#self.commons + 1] = { t = t, slot = block.slot, height = block.height }
    end
end

--- A node has a new tip.
function Agreement:adopt(t, node, id)
    self.tips[node] = id
    look(self, t)
end

--- A node is up (ready), or is not.
function Agreement:set_up(t, node, up)
    self.up[node] = up or nil
    look(self, t)
end

--- The first time from t on at which all nodes that were up had a block of at least that slot in common; nil: never.
---@param t number
---@param slot integer
---@return number|nil
function Agreement:reached(t, slot)
    for i, step in ipairs(self.commons) do
        local after = self.commons[i + 1]
        if step.slot >= slot and (not after or after.t > t) then
            return math.max(t, step.t)
        end
    end
end

--- The disturbances of a run, from its journal: faults that overlap, or follow each other before the cluster had recovered, are one.
--- A node that was stopped for good disturbs only when it goes.
---@param faults tfl.Fault[]
---@return {from:number, to:number|nil, node:string, ready:number|nil, slot:integer, names:string[]}[] to: when it ended; ready: when
--- the node was ready again; nil when it never did or was
function agreement.disturbances(faults)
    local list = {}
    for _, fault in ipairs(faults) do
        if not fault.error and fault.by ~= "plan" or fault.verb == "absent" and fault.t1 then
            local absent = fault.verb == "absent"
            local gone = not fault.links and not fault.t1
            local one = {
                from = absent and fault.t1 or fault.t0, to = gone and fault.t0 or fault.t1,
                node = fault.links and fault.name or fault.targets[1],
                ready = gone and fault.t0 or fault.links and fault.t1 or fault.ready_t,
                slot = gone and fault.slot0 or fault.slot1, names = { absent and "join of " .. fault.targets[1] or fault.name },
            }
            list[#list + 1] = one
        end
    end
    table.sort(list, function(a, b) return a.from < b.from end)
    return list
end

---@class tfl.Recovery
---@field names string[]
---@field t number when the disturbance ended
---@field took number|nil seconds; nil: not while it was watched
---@field watched number seconds

--- How long the cluster took after each disturbance until all nodes that were up had a block in common that was made after it. One that
--- begins before that, and within `within`, is part of the same.
---@param self tfl.Agreement
---@param faults tfl.Fault[]
---@param within number seconds
---@param until_t number how far it was watched
---@return tfl.Recovery[]
function agreement.recoveries(self, faults, within, until_t)
    local out, list = {}, agreement.disturbances(faults)
    local i = 1
    while i <= #list do
        local one = list[i]
        local to, slot, names = one.to, one.slot, table.move(one.names, 1, #one.names, 1, {})
        local ready = { [one.node] = one.ready or false }
        local function recovered() -- not before all nodes it was done to are back, from what was done to each last
            local from = to
            for _, t in pairs(ready) do from = from and t and math.max(from, t) end
            return from and self:reached(from, (slot or 0) + 1)
        end
        local reached = recovered()
        while list[i + 1] and (not to or list[i + 1].from < math.min(reached or math.huge, to + within)) do
            i = i + 1
            local after = list[i]
            table.move(after.names, 1, #after.names, #names + 1, names)
            if to and (not after.to or after.to > to) then
                to, slot = after.to, after.slot
            end
            ready[after.node] = after.ready or false
            reached = recovered()
        end
        if to then
            out[#out + 1] = { names = names, t = to, took = reached and reached - to, watched = until_t - to }
        end
        i = i + 1
    end
    return out
end

--- Forks with how long they were open, not counting the time before the last cut within them was healed.
---@param self tfl.Agreement
---@param faults tfl.Fault[]
---@param until_t number
---@return {from:number, seconds:number, open:boolean}[]
function agreement.fork_times(self, faults, until_t)
    local out = {}
    for _, fork in ipairs(self.forks) do
        local from, to = fork.from, fork.to or until_t
        for _, fault in ipairs(faults) do
            if fault.cut and fault.t0 < to and (fault.t1 or math.huge) > fork.from then
                from = math.max(from, math.min(to, fault.t1 or to))
            end
        end
        out[#out + 1] = { from = fork.from, seconds = to - from, open = not fork.to }
    end
    return out
end

return agreement
