--- Follows a run's feed and journal into tfl.verdict.agreement, while an expectation wants that.
local agreement = require "tfl.verdict.agreement"

local M = {}

local Watch = {}
Watch.__index = Watch

---@param run table whose feed is there
function M.follow(run)
    local offset = run:now() - run.feed:now()
    local watch = setmetatable({ run = run, offset = offset, pure = agreement.new(), sub = run.feed:subscribe { from = "genesis" },
        changes = {} }, Watch)
    for _, name in ipairs(run:live_nodes()) do watch.pure:set_up(0, name, true) end
    run:watch("agreement", function()
        while true do
            local event = watch.sub()
            if not event then return end
            watch:take(event)
        end
    end)
    return watch
end

--- Nodes went down or came back at t, before what the feed tells next.
local function follow_faults(self, t)
    for _, fault in ipairs(self.run.faults:list()) do
        if not fault.links and not fault.error then
            local seen = self.changes[fault.id] or {}
            self.changes[fault.id] = seen
            local node = fault.targets[1]
            if not seen.down and fault.t0 <= t then
                seen.down = true
                self.pure:set_up(fault.t0, node, false)
            end
            if not seen.up and fault.ready_t and fault.ready_t <= t and not self.run.faults:is_down(node) then
                seen.up = true
                self.pure:set_up(fault.ready_t, node, true)
            end
        end
    end
end

--- When a block was made, as a slot: where blocks have none, that of the time at which it was first told of.
local function slot_of(self, event, t)
    local run = self.run
    if run.plan.slots then return event.slot end
    return math.max(0, math.floor((t - run.genesis_s) / run.plan.slot_seconds))
end

function Watch:take(event)
    local t = event.t + self.offset
    follow_faults(self, t)
    if event.type == "block" then
        self.pure:block(event.id, event.parent, slot_of(self, event, t), event.height)
    elseif event.type == "adopt" and event.height then
        if not self.pure.blocks[event.id] then self.pure:block(event.id, nil, slot_of(self, event, t), event.height) end
        self.pure:adopt(t, event.node, event.id)
    elseif event.type == "lost" then
        self.lost = true
    end
end

--- All that is known until now.
---@return tfl.Agreement|nil nil when events were lost
---@return number t now
function Watch:look()
    local event = self.sub:poll()
    while event do
        self:take(event)
        event = self.sub:poll()
    end
    local now = self.run:now()
    follow_faults(self, now)
    return not self.lost and self.pure or nil, now
end

return M
