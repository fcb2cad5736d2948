--- The builder `c` of scenario:chaos_with: each verb opens a clause, the other methods shape it.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

---@class tfl.ChaosBuilder
local Builder = {}

--- How long what a clause does lasts, when it does not say.
local DURATIONS = { restart = 0, kill = 1, pause = 2, churn = 3, partition = 5, latency = 5 }

local function open(self, verb, fields)
    self._open = { verb = verb, lasts = DURATIONS[verb], min_delay = 5, max_delay = 10, cooldown = 15, exclude = {} }
    for key, value in pairs(fields or {}) do self._open[key] = value end
    self._clauses[#self._clauses + 1] = self._open
    return self
end

local function clause(self, what)
    if not self._open then
        errors.usage("%s: it shapes a fault; open one first, as in c:restart():%s(…)", what, what)
    end
    return self._open
end

--- A node is stopped gracefully and started at once.
---@return tfl.ChaosBuilder
function Builder:restart() return open(self, "restart") end

--- A node gets SIGKILL and is started again after :duration (1 s).
---@return tfl.ChaosBuilder
function Builder:kill() return open(self, "kill") end

--- A node does nothing for :duration (2 s).
---@return tfl.ChaosBuilder
function Builder:pause() return open(self, "pause") end

--- A node leaves gracefully and joins again after :duration (3 s).
---@return tfl.ChaosBuilder
function Builder:churn() return open(self, "churn") end

--- The nodes are cut apart for :duration (5 s): "halves", "one" (a random node from all others), "majority" (a random minority, as
--- large as can be, from the rest), or groups of nodes {{0, 1}, {2, 3}}.
---@param shape string|table
---@return tfl.ChaosBuilder
function Builder:partition(shape)
    local shapes = { halves = true, one = true, majority = true }
    if type(shape) == "string" and not shapes[shape] then
        errors.usage("partition(%s): there is no such shape%s", errors.show(shape), suggest.hint(shape, { "halves", "one", "majority" }))
    elseif type(shape) ~= "string" and (type(shape) ~= "table" or #shape < 2) then
        errors.usage('partition(%s): "halves", "one", "majority" or groups {{0, 1}, {2, 3}} were expected', errors.show(shape))
    end
    return open(self, "partition", { shape = shape })
end

--- All links are slower by d, one way, for :duration (5 s).
---@param d any
---@return tfl.ChaosBuilder
function Builder:latency(d)
    return open(self, "latency", { latency = duration.to_seconds(d, nil, "latency") })
end

local function time(name, field)
    return function(self, d)
        duration.to_seconds(d, { slot_seconds = 1, f = 1 }, name) -- is it one at all?
        clause(self, name)[field] = d
        return self
    end
end

--- The pause before each fault of the clause is drawn evenly from min_delay to max_delay (5 s, 10 s).
---@param d tfl.Duration
---@return tfl.ChaosBuilder
Builder.min_delay = time("min_delay", "min_delay")
--- See min_delay.
---@param d tfl.Duration
---@return tfl.ChaosBuilder
Builder.max_delay = time("max_delay", "max_delay")
--- How long a node is left alone after a fault of it, by this clause (15 s).
---@param d tfl.Duration
---@return tfl.ChaosBuilder
Builder.target_cooldown = time("target_cooldown", "cooldown")
--- How long the fault lasts.
---@param d tfl.Duration
---@return tfl.ChaosBuilder
Builder.duration = time("duration", "lasts")

--- Nodes that are never touched, by index or name. Those of a drawn partition are never in its smaller group.
---@return tfl.ChaosBuilder
function Builder:exclude(...)
    local own = clause(self, "exclude").exclude
    for _, which in ipairs { ... } do
        if math.type(which) ~= "integer" and type(which) ~= "string" then
            errors.usage("exclude(%s): a node was expected, by index or name", errors.show(which))
        end
        own[#own + 1] = which
    end
    return self
end

--- The clause leaves its target alone while so many nodes are down or paused by the schedule (default: as many as leave more than
--- half of the stake up, and one in any case).
---@param n integer
---@return tfl.ChaosBuilder
function Builder:max_down(n)
    if math.type(n) ~= "integer" or n < 1 then errors.usage("max_down(%s): a number of nodes from 1 was expected", errors.show(n)) end
    clause(self, "max_down").max_down = n
    return self
end

--- When the schedule is over, a recovery allowance before the window ends, everything else that is in force is ended, too: links
--- are healed, paused nodes resumed, stopped ones started.
---@return tfl.ChaosBuilder
function Builder:final_heal()
    self._final_heal = true
    return self
end

--- Ends the clause.
---@return tfl.ChaosBuilder
function Builder:apply()
    clause(self, "apply")
    self._open = nil
    return self
end

local METHODS = {}
for name in pairs(Builder) do METHODS[#METHODS + 1] = name end

local meta = {
    __index = function(_, name)
        if Builder[name] then return Builder[name] end
        if type(name) == "string" and name:sub(1, 1) == "_" then return nil end
        errors.usage("chaos has no method %s%s", errors.show(name), suggest.hint(tostring(name), METHODS))
    end,
}

---@return tfl.ChaosBuilder
return function() return setmetatable({ _clauses = {} }, meta) end
