--- How long transactions take from the moment they were meant to be sent until they are first on the canonical chain, or final.
local bounds = require "tfl.workloads.load_bounds"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local inclusion = require "tfl.expectations.tx_inclusion"

local M = {}

local Latency = { built_in = true, needs = "mantle" }
Latency.__index = Latency
Latency.__name = "expectation"

local QUANTILES = { { "p50", 0.5 }, { "p95", 0.95 }, { "p99", 0.99 } }

---@param stage "included"|"final"
---@param options {p50: tfl.Duration, p95: tfl.Duration, p99: tfl.Duration}
---@return table expectation
function M.new(stage, options)
    local name = stage == "final" and "finality_latency" or "inclusion_latency"
    options = errors.options("expect_" .. name, options, "p50", "p95", "p99")
    if next(options) == nil then
        errors.usage('expect_%s: no bound given; expected some of p50, p95, p99, as in {p95 = "3s"}', name)
    end
    for key, value in pairs(options) do
        duration.to_seconds(value, { slot_seconds = 1, f = 1 }, ("expect_%s, %s"):format(name, key))
    end
    return setmetatable({ name = name, stage = stage, wish = options }, Latency)
end

--- Refuses bounds that no healthy chain meets. Called when the plan is made.
function Latency:prepare(plan)
    if not plan.load then
        errors.bad_config("expect_%s: the scenario sends no transactions; add :wallets(n) and :transactions_with", self.name)
    end
    self.limits = {}
    for _, pair in ipairs(QUANTILES) do
        local key, q = pair[1], pair[2]
        if self.wish[key] ~= nil then
            local seconds = duration.to_seconds(self.wish[key], plan, self.name .. ", " .. key)
            local share = inclusion.healthy_share(plan, seconds - (self.stage == "final" and plan.security_param or 0)
                * plan.slot_seconds)
            if share < q then
                errors.bad_config("expect_%s: %s = %s: with slots of %s, f = %g%s even a healthy chain is slower than that; "
                    .. "allow more", self.name, key, duration.show(seconds), duration.show(plan.slot_seconds), plan.f,
                    self.stage == "final" and (" and k = %d"):format(plan.security_param) or "")
            end
            self.limits[key] = seconds
        end
    end
    if self.stage == "final" then
        plan.wants_finality = true
        local load = plan.load.plan
        load.settle_seconds = load.settle_seconds + require("tfl.settle").growth_seconds(plan, plan.security_param + 1)
    end
end

--- Of accepted transactions, those that never got there: their latency has no end.
local function missing(self, a)
    local there = self.stage == "final" and math.min(a.final, a.accepted) or a.accepted_included + a.pending
    return math.max(0, a.accepted - a.orphaned - there)
end

function Latency:judge(a)
    local latency = a.latency[self.stage]
    local figures, broken, lost, told = { n = latency.n, missing = missing(self, a) }, false, false, {}
    if latency.n == 0 then
        return "inconclusive", "no_sample", ("no transaction is %s"):format(self.stage == "final" and "final" or "on the chain"),
            figures
    end
    for _, pair in ipairs(QUANTILES) do
        local key, q, bound = pair[1], pair[2], self.limits[pair[1]]
        figures[key .. "_ms"] = tonumber(("%.3f"):format(latency[key] * 1000))
        if bound then
            local never = figures.missing > (1 - q) * (latency.n + figures.missing) + 1e-9
            local bad = never or latency[key] > bound
            told[#told + 1] = ("%s %s (%s %s)"):format(key, never and "never" or duration.show(latency[key]),
                bad and "at most" or "≤", duration.show(bound))
            broken, lost = broken or bad, lost or never
        end
    end
    local text = table.concat(told, " · ")
    if broken and not lost and bounds.own_late_share(a) > bounds.LATE_SHARE then
        return "inconclusive", "generator_lag", ("%s; but %.1f%% of the transactions went out late: this host could not drive "
            .. "the load"):format(text, 100 * bounds.own_late_share(a)), figures
    end
    return broken and "fail" or "pass", broken and "too_slow" or "ok", text, figures
end

function Latency:evaluate(ctx)
    local load = ctx.run.plan.load
    ctx.owner.looked = true
    if not load.account then
        return ctx:conclude { verdict = "inconclusive", code = "no_sample", message = "the load never began", figures = {} }
    elseif load.unsettled and load.account.lost > 0 then
        return ctx:conclude { verdict = "inconclusive", code = "chain_stalled", figures = {},
            message = "the chain stood before it could take all transactions" }
    end
    local v, code, message, figures = self:judge(load.account)
    ctx:conclude { verdict = v, code = code, message = message, figures = figures }
end

return M
