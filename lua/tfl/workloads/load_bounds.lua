--- What a load comes to on a given chain: arrivals, peaks, how long to wait for it; and what can never work. Pure but for the
--- engine's pacer, which counts the arrivals.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local pacer = require "tfl.core.pacer"
local settle = require "tfl.settle"

local M = {}

--- Transactions that one block holds.
M.BLOCK = 1024
--- An arrival is late when it goes out later than this, or than a twentieth of the block interval: that matters to latencies.
local LATE_SECONDS = 0.01
--- A share of arrivals that may be late.
M.LATE_SHARE = 0.05

--- Share of the arrivals that were late by the generator's own doing: not those that had to wait because so many before them had no
--- answer yet, which the nodes must answer for (their latency counts from the intended time).
---@param account table
---@return number
function M.own_late_share(account)
    if account.planned == 0 then return 0 end
    return math.max(0, account.lag.late - account.lag.held) / account.planned
end

--- Stages {seconds, rate, from} of the wish, in transactions a second.
local function stages(plan, arrivals, interval, window)
    if not arrivals then
        errors.bad_config "transactions_with: nothing says how many; use x:rate(5) (for each block), x:per_second(10) or x:stages"
    end
    if not arrivals.stages then
        local rate = arrivals.per_second or arrivals.per_block / interval
        return { { window, rate, rate } }
    end
    local list, total = {}, 0
    for i, stage in ipairs(arrivals.stages) do
        local seconds = duration.to_seconds(stage[1], plan, "stages")
        if seconds == 0 then errors.bad_config("stages: stage %d lasts no time; remove it", i) end
        list[i] = { seconds, stage[2], stage[3] }
        total = total + seconds
    end
    if total > window * (1 + 1e-9) then
        errors.bad_config("stages: they last %s and the run only %s; use -t %ds, or shorter stages", duration.show(total),
            duration.show(window), math.ceil(total))
    end
    return list
end

--- Arrivals of stages, as the engine counts them.
---@param list number[][]
---@return integer
function M.arrivals(list)
    local ok, made = pcall(pacer.new, { stages = list })
    if not ok then errors.bad_config("transactions_with: %s", type(made) == "table" and made.message or made) end
    return made:total()
end

---@param plan table of the run
---@param wish table of the builder
---@return table {stages, seconds, planned, peak_per_block, late_seconds, interval_seconds, recover_seconds, settle_seconds}
function M.plan(plan, wish)
    local interval, window = plan.slot_seconds / plan.f, plan.window_slots * plan.slot_seconds
    local list, peak = stages(plan, wish._arrivals, interval, window), 0
    for _, stage in ipairs(list) do peak = math.max(peak, stage[2], stage[3]) end
    local per_block = peak * interval
    if per_block > M.BLOCK then
        errors.bad_config("%s: %.6g transactions a second are %.6g for each block (%s), and a block holds %d, so they would only "
            .. "queue; use at most %d a second, or shorter slots", wish._arrivals.form, peak, per_block, duration.show(interval),
            M.BLOCK, math.floor(M.BLOCK / interval))
    end
    local planned, seconds = M.arrivals(list), 0
    for _, stage in ipairs(list) do seconds = seconds + stage[1] end
    return {
        recover_seconds = settle.growth_seconds(plan, plan.security_param + 1), -- by then it would have been final
        stages = list, seconds = seconds, planned = planned, peak_per_block = per_block,
        late_seconds = math.max(LATE_SECONDS, interval / 20), interval_seconds = interval,
        settle_seconds = settle.growth_seconds(plan, plan.security_param + 1 + math.ceil(planned / M.BLOCK)),
    }
end

return M
