--- Durations as scripts write them: "500ms", "90s", "2m", "1h", a number of seconds, tfl.seconds(n),
-- tfl.slots(n), tfl.blocks(n).
local errors = require("tfl.errors")

local duration = {}

--- What turns slots and blocks into seconds.
---@class tfl.Pace
---@field slot_seconds number τ
---@field f number active slot coefficient

---@alias tfl.Duration string|number|{seconds:number}|{slots:integer}|{blocks:integer}

local UNITS = { ms = 0.001, s = 1, m = 60, h = 3600 }
local FORMS = 'a number of seconds, "500ms", "90s", "2m", "1h", tfl.slots(n) or tfl.blocks(n)'
local MAX_SECONDS = 366 * 24 * 3600

local function bad(value, what, why)
    errors.usage("%s: %s is no duration%s; expected %s", what or "duration", errors.show(value), why or "", FORMS)
end

local function checked(seconds, value, what)
    if seconds ~= seconds or seconds < 0 then
        bad(value, what, " (it must not be negative)")
    elseif seconds > MAX_SECONDS then
        bad(value, what, " (longer than a year)")
    end
    return seconds
end

local function count(n, name)
    local whole = math.type(n) and math.tointeger(n)
    if not whole or whole < 0 then
        errors.usage("tfl.%s(%s): expected a whole number, 0 or more", name, errors.show(n))
    end
    return whole
end

--- tfl.seconds(n)
---@param n number
---@return {seconds:number}
function duration.seconds(n)
    if not math.type(n) then
        errors.usage("tfl.seconds(%s): expected a number", errors.show(n))
    end
    return { seconds = checked(n, n, "tfl.seconds") }
end

--- tfl.slots(n)
---@param n integer
---@return {slots:integer}
function duration.slots(n)
    return { slots = count(n, "slots") }
end

--- tfl.blocks(n): as many slots as n blocks take on average, ⌈n ÷ f⌉, fixed when the plan is made.
---@param n integer
---@return {blocks:integer}
function duration.blocks(n)
    return { blocks = count(n, "blocks") }
end

local function read(text, what)
    local number, unit = text:match("^%s*([%d%.]+)%s*(%a*)%s*$")
    local n = number and number:match("^%d+%.?%d*$") and tonumber(number)
    if not n then
        return bad(text, what)
    end
    local factor = unit == "" and 1 or UNITS[unit] -- "90": flags and the environment cannot give a number
    if not factor then
        return bad(text, what, (" (unknown unit %q)"):format(unit))
    end
    return checked(n * factor, text, what)
end

local function of_table(d, what)
    local key, n = next(d)
    if next(d, key) == nil and (key == "slots" or key == "blocks" or key == "seconds") and math.type(n) then
        return key, n
    end
    return bad(d, what)
end

--- The slots of `d` when it is counted in slots or blocks, else nil.
local function counted_slots(d, pace, what)
    if type(d) ~= "table" then
        return nil
    end
    local key, n = of_table(d, what)
    if key == "seconds" then
        return nil
    elseif not pace then
        errors.usage("%s: tfl.%s(%s) has no meaning here, no plan is known yet; use seconds", what or "duration", key, n)
    end
    n = count(n, key)
    return key == "slots" and n or math.ceil(n / pace.f - 1e-9)
end

--- Seconds of a duration; raises a usage error that names the value and the accepted forms.
---@param d tfl.Duration
---@param pace? tfl.Pace needed for slots and blocks
---@param what? string what the duration is for, for the message
---@return number
function duration.to_seconds(d, pace, what)
    if math.type(d) then
        return checked(d, d, what)
    elseif type(d) == "string" then
        return read(d, what)
    elseif type(d) ~= "table" then
        return bad(d, what)
    end
    local slots = counted_slots(d, pace, what)
    if slots then
        return checked(slots * pace.slot_seconds, d, what)
    end
    local _, n = of_table(d, what)
    return checked(n, n, what)
end

--- Slots of a duration, rounded up.
---@param d tfl.Duration
---@param pace tfl.Pace
---@param what? string
---@return integer
function duration.to_slots(d, pace, what)
    local slots = counted_slots(d, pace, what)
    if not slots then
        slots = math.ceil(duration.to_seconds(d, pace, what) / pace.slot_seconds - 1e-9)
    else
        checked(slots * pace.slot_seconds, d, what)
    end
    return slots
end

--- Any form of a duration, checked, in the one form that needs no more parsing.
---@param d tfl.Duration
---@param what? string
---@return {seconds:number}|{slots:integer}|{blocks:integer}
function duration.parse(d, what)
    if type(d) == "table" then
        local key, n = of_table(d, what)
        return { [key] = key == "seconds" and checked(n, n, what) or count(n, key) }
    end
    return { seconds = duration.to_seconds(d, nil, what) }
end

--- A duration as people read it: "200ms", "1.4s", "90s".
---@param seconds number
---@return string
function duration.show(seconds)
    if seconds > 0 and seconds < 1 then
        return ("%.0fms"):format(seconds * 1000)
    end
    local text = ("%.1f"):format(seconds):gsub("%.0$", "")
    return text .. "s"
end

return duration
