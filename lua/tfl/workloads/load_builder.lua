--- The builder `x` of scenario:transactions_with: what load a scenario wishes, checked only as far as one value goes.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

---@class tfl.LoadBuilder
local Builder = {}

local function amount(value, what)
    if not math.type(value) or value ~= value or value <= 0 or value == math.huge then
        errors.usage("%s(%s): a number above 0 was expected", what, errors.show(value))
    end
    return value
end

--- How much was said already?
local function set_arrivals(self, what, value)
    if self._arrivals then
        errors.usage("%s: the load has its arrivals already, from %s; use one of rate, per_second and stages", what,
            self._arrivals.form)
    end
    value.form = what
    self._arrivals = value
    return self
end

--- So many transactions for each block of a healthy chain: the block interval is slot ÷ f.
---@param n number
---@return tfl.LoadBuilder
function Builder:rate(n) return set_arrivals(self, "rate", { per_block = amount(n, "rate") }) end

--- So many transactions a second.
---@param n number
---@return tfl.LoadBuilder
function Builder:per_second(n) return set_arrivals(self, "per_second", { per_second = amount(n, "per_second") }) end

--- Stages {d, n}: over the duration d the rate goes in a straight line from that of the stage before (0 at first) to n
--- transactions a second. {d, n, from} begins at `from` instead: {d, n, n} is a step.
---@param list table[]
---@return tfl.LoadBuilder
function Builder:stages(list)
    if type(list) ~= "table" or #list == 0 then
        errors.usage("stages(%s): a list of stages {duration, transactions a second} was expected", errors.show(list))
    end
    local stages = {}
    for i, stage in ipairs(list) do
        if type(stage) ~= "table" then
            errors.usage('stages: stage %d is %s; {"10s", 50} was expected', i, errors.show(stage))
        end
        duration.to_seconds(stage[1], { slot_seconds = 1, f = 1 }, ("stages: the duration of stage %d"):format(i))
        local from = stage[3] == nil and (i > 1 and stages[i - 1][2] or 0) or stage[3]
        for _, n in ipairs { stage[2] or false, from } do
            if not math.type(n) or n ~= n or n < 0 or n == math.huge then
                errors.usage("stages: the rate of stage %d is %s; a number from 0 was expected", i, errors.show(n or nil))
            end
        end
        stages[i] = { stage[1], stage[2], from }
    end
    return set_arrivals(self, "stages", { stages = stages })
end

--- How many of the wallets send, one after the other (default: all).
---@param n integer
---@return tfl.LoadBuilder
function Builder:users(n)
    local whole = math.type(n) and math.tointeger(n)
    if not whole or whole < 1 then errors.usage("users(%s): a whole number from 1 was expected", errors.show(n)) end
    self._users = whole
    return self
end

local KINDS = { "transfer", "inscription" }

--- What is sent: "transfer" (1 from each wallet to the next; the default) or "inscription" (each in a fresh channel).
---@param kind "transfer"|"inscription"
---@return tfl.LoadBuilder
function Builder:kind(kind)
    if kind ~= "transfer" and kind ~= "inscription" then
        errors.usage('kind(%s): "transfer" or "inscription" was expected%s', errors.show(kind),
            suggest.hint(tostring(kind), KINDS))
    end
    self._kind = kind
    return self
end

--- Which node a transaction is sent to: "random" (drawn from the seed, the default), "round_robin", or a list of nodes (names, or
--- numbers from 0), taken in turn.
---@param targets "random"|"round_robin"|table
---@return tfl.LoadBuilder
function Builder:targets(targets)
    if type(targets) == "string" then
        if targets ~= "random" and targets ~= "round_robin" then
            errors.usage('targets(%s): "random", "round_robin" or a list of nodes was expected%s', errors.show(targets),
                suggest.hint(targets, { "random", "round_robin" }))
        end
    elseif type(targets) ~= "table" or #targets == 0 then
        errors.usage('targets(%s): "random", "round_robin" or a list of nodes was expected', errors.show(targets))
    end
    self._targets = targets
    return self
end

local METHODS = {}
for name in pairs(Builder) do METHODS[#METHODS + 1] = name end

local meta = {
    __index = function(_, key)
        if Builder[key] then return Builder[key] end
        if type(key) == "string" and key:sub(1, 1) ~= "_" then
            errors.usage("a load has no method %s%s", errors.show(key), suggest.hint(key, METHODS))
        end
        return nil
    end,
}

---@return tfl.LoadBuilder
return function() return setmetatable({ _kind = "transfer", _targets = "random" }, meta) end
