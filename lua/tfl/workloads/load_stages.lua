--- What became of each stage of a load: counts and quantiles of a sample, so that a ramp can be read.
local bounds = require "tfl.workloads.load_bounds"
local wait = require "tfl.core.wait"

--- Transactions of one stage that are looked at, evenly spread.
local SAMPLE = 2000

--- The q-quantile of latencies of which `missing` more never came: nil when it is one of those.
local function quantile(sorted, missing, q)
    local rank = math.max(1, math.ceil(q * (#sorted + missing) - 1e-9))
    return sorted[rank]
end

---@param load userdata
---@param from integer first and last arrival of the stage, from 1
---@param to integer
---@return integer looked, number[] latencies sorted
local function sample(load, from, to)
    local latencies, looked = {}, 0
    local step = math.max(1, (to - from + 1) / SAMPLE)
    local at = from
    while math.floor(at) <= to do
        local one = load:transaction(math.floor(at))
        if not one then break end
        looked = looked + 1
        if one.block then latencies[#latencies + 1] = one.included - one.intended end
        if looked % 500 == 0 then wait.sleep(0) end
        at = at + step
    end
    table.sort(latencies)
    return looked, latencies
end

---@param load userdata
---@param stages number[][]
---@return table[] {seconds, rate, from, planned, looked, missing, p50, p95, p99}: rates a second, latencies of inclusion in
--- seconds; one that is nil is of transactions that were never included
return function(load, stages)
    local list, before, prefix = {}, 0, {}
    for i, stage in ipairs(stages) do
        prefix[i] = stage
        local counted, upto = pcall(bounds.arrivals, prefix)
        if not counted then upto = before end -- none yet: the pacer refuses that
        local looked, latencies = sample(load, before + 1, upto)
        local missing = looked - #latencies
        list[i] = {
            seconds = stage[1], rate = stage[2], from = stage[3], planned = upto - before, looked = looked, missing = missing,
            p50 = quantile(latencies, missing, 0.5), p95 = quantile(latencies, missing, 0.95),
            p99 = quantile(latencies, missing, 0.99),
        }
        before = upto
    end
    return list
end
