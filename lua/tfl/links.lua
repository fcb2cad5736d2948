--- Shapes of links: presets, and what a shape adds to the worst way of a block.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

local M = {}

--- What a link is shaped to: seconds, bytes a second, a share.
---@class tfl.LinkShape
---@field latency number one way
---@field jitter number up to so much more or less
---@field rate number bytes a second; 0: any
---@field loss number chance of a segment of 1,448 bytes, in [0, 1)

---@type table<string, tfl.LinkShape>
M.presets = {
    wan = { latency = 0.040, jitter = 0.010, rate = 12500000, loss = 0 }, -- two regions of one continent, 100 Mbit/s
    lossy = { latency = 0.005, jitter = 0.005, rate = 0, loss = 0.02 },
}

--- Retransmissions beyond which a block counts as an accident of the lottery's kind, not as planned.
local LOST_CHANCE = 1e-3
local LOST_SECONDS = 0.2

---@param what string names the call in messages
---@param given string|table a preset, or {latency =, jitter =, rate =, loss =}; one_way is the caller's
---@return tfl.LinkShape
function M.shape(what, given)
    if type(given) == "string" then
        local preset = M.presets[given]
        if not preset then
            errors.usage("%s: there is no preset %s%s", what, errors.show(given), suggest.hint(given, { "wan", "lossy" }))
        end
        return preset
    end
    local o = errors.options(what, given, "latency", "jitter", "rate", "loss", "one_way")
    local shape = {
        latency = duration.to_seconds(o.latency or 0, nil, what .. ", latency"),
        jitter = duration.to_seconds(o.jitter or 0, nil, what .. ", jitter"), rate = o.rate or 0, loss = o.loss or 0,
    }
    if not math.type(shape.rate) or shape.rate < 0 then
        errors.usage("%s: rate = %s; bytes a second were expected, 0 or nil for any", what, errors.show(o.rate))
    elseif not math.type(shape.loss) or not (shape.loss >= 0 and shape.loss <= 0.9) then
        errors.usage("%s: loss = %s; a share from 0 to 0.9 was expected, as 0.02", what, errors.show(o.loss))
    elseif shape.latency == 0 and shape.jitter == 0 and shape.rate == 0 and shape.loss == 0 then
        errors.usage("%s: nothing to do; say latency, jitter, rate or loss, or a preset (\"wan\", \"lossy\")", what)
    end
    return shape
end

--- Milliseconds that the shape adds to the worst way of a small block over one link: latency, jitter, and the retransmissions that
--- all but one in a thousand segments make do with.
---@param shape tfl.LinkShape
---@return number
function M.worst_ms(shape)
    local lost, wait = 1, 0
    for i = 0, 5 do
        lost = lost * shape.loss
        if lost <= LOST_CHANCE then break end
        wait = wait + LOST_SECONDS * 2 ^ i
    end
    local block = shape.rate > 0 and 2000 / shape.rate or 0
    return 1000 * (shape.latency + shape.jitter + wait + block)
end

--- "40ms ± 10ms, 12500 kB/s, loss 2%".
---@param shape tfl.LinkShape
---@return string
function M.show(shape)
    local parts = {}
    if shape.latency > 0 or shape.jitter > 0 then
        parts[1] = duration.show(shape.latency) .. (shape.jitter > 0 and " ± " .. duration.show(shape.jitter) or "")
    end
    if shape.rate > 0 then parts[#parts + 1] = ("%.6g kB/s"):format(shape.rate / 1000) end
    if shape.loss > 0 then parts[#parts + 1] = ("loss %.3g%%"):format(100 * shape.loss) end
    return table.concat(parts, ", ")
end

return M
