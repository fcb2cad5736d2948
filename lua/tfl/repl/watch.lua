--- What happens while nobody asks: blocks, reorganisations, finality, crashes. Keeps the latest blocks for :blocks and :tree, and says
--- what is worth saying, seldom enough that a person can type.
local task = require "tfl.core.task"

local Watch = {}
Watch.__index = Watch

local M = {}

--- Blocks that are kept; seconds in which news of one sort is told once.
local KEPT, QUIET = 4000, { reorg = 10, final = 30, gap = 10 }
M.LEVELS = { off = true, few = true, all = true }

---@param run table
---@param say fun(line: string)
---@param level "off"|"few"|"all"
function M.new(run, say, level)
    return setmetatable({ run = run, say = say, level = level, blocks = {}, order = {}, first = 1, told = {}, more = {} }, Watch)
end

function Watch:keep(event)
    local block = {
        id = event.id, parent = event.parent, height = event.height, slot = event.slot, n_transactions = event.n_transactions,
    }
    if not block.id or not block.height or self.blocks[block.id] then return end
    self.blocks[block.id] = block
    self.order[#self.order + 1] = block.id
    if #self.order - self.first >= KEPT then
        self.blocks[self.order[self.first]], self.order[self.first] = nil, false
        self.first = self.first + 1
    end
end

--- News of a sort: told at once, and then not again for a while, but counted.
function Watch:news(sort, line)
    local quiet = self.level == "all" and 0 or QUIET[sort] or 0
    local now = task.now()
    if self.old then return end
    if self.level == "off" or self.told[sort] and now - self.told[sort] < quiet then
        self.more[sort] = (self.more[sort] or 0) + 1
        return
    end
    local more = self.more[sort] or 0
    self.told[sort], self.more[sort] = now, 0
    self.say(("%6.1fs %s%s"):format(self.run:now(), line, more > 0 and sort ~= "final" and ("  (and %d more)"):format(more) or ""))
end

local handlers = {
    block = function(self, event) self:keep(event) end,
    reorg = function(self, event)
        self:news("reorg", ("reorg   %s changed its chain, %d block%s deep, now at height %s"):format(event.node, event.depth,
            event.depth == 1 and "" or "s", event.height or "?"))
    end,
    final = function(self, event)
        if self.final and event.height and event.height <= self.final then return end
        self.final = event.height
        self:news("final", ("final   height %s (slot %s)"):format(event.height or "?", event.slot or "?"))
    end,
    conflict = function(self, event) self:news("conflict", "CONFLICT  " .. tostring(event.message)) end,
    gap = function(self, event) -- of a node that was taken down it is no news
        local faults = self.run.faults
        if event.node and (faults:is_down(event.node) or faults.busy[event.node]) then return end
        self:news("gap", ("gap     %s: %s"):format(event.node or "?", tostring(event.message)))
    end,
    lost = function(self, event) self:news("lost", ("lost    %d events of the feed were not seen here"):format(event.count)) end,
}

--- Follows the feed until it is closed.
function Watch:follow()
    if not self.run.feed then return end
    local from, next_event = self.run.feed:now(), self.run.feed:subscribe { from = "genesis" }
    while true do
        local event = next_event()
        if not event then return end
        local handler = handlers[event.type]
        self.old = event.t < from -- no news: it was before the session
        if handler then handler(self, event) end
    end
end

--- The blocks of the last so many heights, oldest first.
---@return table[] blocks, integer top
function Watch:latest(heights)
    local top, list = -1, {}
    for i = self.first, #self.order do top = math.max(top, self.blocks[self.order[i]].height) end
    for i = self.first, #self.order do
        local block = self.blocks[self.order[i]]
        if block.height > top - heights then list[#list + 1] = block end
    end
    table.sort(list, function(a, b) return a.height < b.height or a.height == b.height and a.slot < b.slot end)
    return list, top
end

return M
