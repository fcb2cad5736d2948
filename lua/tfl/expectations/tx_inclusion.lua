--- Every transaction that a node has accepted is on the canonical chain at the end (JUDGING, Transactions). It comes with the load.
local bounds = require "tfl.workloads.load_bounds"
local duration = require "tfl.duration"
local errors = require "tfl.errors"

local M = {}

local Inclusion = { name = "tx_inclusion", built_in = true, needs = "mantle" }
Inclusion.__index = Inclusion
Inclusion.__name = "expectation"

--- Hashes that the message names; the summary has a hundred.
local SHOWN = 5

---@param options? {min_ratio: number, within: tfl.Duration} min_ratio: share of what was accepted that must be there (1);
--- within: how long a transaction may take to get there; later ones count as missing, younger ones are not judged
---@return table expectation
function M.new(options)
    options = errors.options("expect_tx_inclusion", options, "min_ratio", "within")
    local ratio = options.min_ratio
    if ratio ~= nil and not (math.type(ratio) and ratio > 0 and ratio <= 1) then
        errors.usage("expect_tx_inclusion: min_ratio = %s: a share above 0 and at most 1 was expected", errors.show(ratio))
    end
    if options.within ~= nil then
        duration.to_seconds(options.within, { slot_seconds = 1, f = 1 }, "expect_tx_inclusion, within")
    end
    return setmetatable({ min_ratio = ratio or 1, wish_within = options.within }, Inclusion)
end

--- Called when the plan is made.
function Inclusion:prepare(plan)
    if not plan.load then
        errors.bad_config "expect_tx_inclusion: the scenario sends no transactions; add :wallets(n) and :transactions_with"
    end
    if self.wish_within == nil then return end
    self.within = duration.to_seconds(self.wish_within, plan, "expect_tx_inclusion, within")
    local share = M.healthy_share(plan, self.within)
    if share < self.min_ratio and share < 1 - 1e-3 then
        errors.bad_config("expect_tx_inclusion: within = %s: a healthy chain includes only %.1f%% of its transactions in that "
            .. "time (slots of %s, f = %g); allow more", duration.show(self.within), 100 * share,
            duration.show(plan.slot_seconds), plan.f)
    end
    local load = plan.load.plan
    load.allowance_seconds = self.within
    load.settle_seconds = math.max(load.settle_seconds, self.within)
end

--- Share of transactions, sent at any moment, that find a leader within `seconds`: of m + r slots, m + 1 begin with
--- chance r, else m.
---@param plan table {slot_seconds, f}
---@param seconds number
---@return number
function M.healthy_share(plan, seconds)
    local m, r = math.modf(seconds / plan.slot_seconds)
    local none = 1 - plan.f
    return 1 - (r * none ^ (m + 1) + (1 - r) * none ^ m)
end

local function of_lost(a, load)
    local lines = {}
    for i, one in ipairs(a.lost_list) do
        if i > SHOWN then break end
        lines[i] = ("\n%s accepted by %s at %.1fs%s"):format(one.hash or "?", one.node or "?", one.intended,
            one.after_lost and ", built on a lost one" or one.reorganised and ", was on the chain once" or "")
    end
    if a.lost > SHOWN then lines[#lines + 1] = ("\n… %d more, in summary.json"):format(a.lost - SHOWN) end
    return ("%d of %d accepted transactions are not on the chain, %s after the load%s%s"):format(a.lost, a.accepted,
        duration.show(math.max(0, load.load:now() - load.plan.seconds)), a.after_lost > 0
        and ("; %d of them spend the change of lost ones"):format(a.after_lost) or "", table.concat(lines))
end

local function of_rejected(a)
    local reasons = {}
    for i, reason in ipairs(a.reasons) do reasons[i] = ("%d× %s"):format(reason.count, reason.message) end
    return ("nodes refused %d of %d transactions: %s"):format(a.rejected, a.planned, table.concat(reasons, "; ", 1,
        math.min(3, #reasons)))
end

--- "375 planned = sent = accepted = included, 310 final"
local function told(a)
    local text, last
    for _, name in ipairs { "planned", "sent", "accepted", "included", "final" } do
        text = not text and ("%d %s"):format(a[name], name) or a[name] == last and ("%s = %s"):format(text, name)
            or ("%s, %d %s"):format(text, a[name], name)
        last = a[name]
    end
    for _, name in ipairs { "rejected", "unanswered", "repeated", "orphaned", "pending", "lost" } do
        if a[name] > 0 then text = ("%s, %d %s"):format(text, a[name], name) end
    end
    return text
end

local function figures_of(a, late, ratio)
    return {
        planned = a.planned, sent = a.sent, accepted = a.accepted, included = a.included, final = a.final,
        rejected = a.rejected, unanswered = a.unanswered, lost = a.lost, orphaned = a.orphaned,
        pending = a.pending, twice = a.twice, late = late,
        ratio = ratio, sent_late_share = bounds.own_late_share(a),
    }
end

--- What the account comes to.
---@param load table the load, with its account taken
---@param late integer included, but later than `within`
---@param settled boolean whether the chain has decided the window
---@return table judgement
function Inclusion:judge(load, late, settled)
    local a = load.account
    local judged = a.accepted - a.pending - a.expired - a.orphaned
    local ratio = judged > 0 and (a.accepted_included - late) / judged or 0
    local figures = figures_of(a, late, ratio)
    local function say(verdict, code, fmt, ...)
        return { verdict = verdict, code = code, figures = figures, message = select("#", ...) > 0 and fmt:format(...) or fmt }
    end
    if a.twice > 0 then return say("fail", "tx_twice", "%d transactions are on the chain twice", a.twice) end
    if a.rejected > (1 - self.min_ratio) * a.planned then return say("fail", "tx_rejected", of_rejected(a)) end
    if judged == 0 then
        return say("inconclusive", "no_sample", "no node accepted a transaction that could be judged: %s", told(a))
    elseif ratio < self.min_ratio then
        if a.lost + a.expired > 0 and not settled then
            return say("inconclusive", "chain_stalled", "%d accepted transactions are not on the chain, but the chain itself stood "
                .. "before it could take them", a.lost + a.expired)
        elseif a.lost > 0 then
            return say("fail", "tx_lost", of_lost(a, load))
        elseif a.expired > 0 then
            return say("fail", "tx_expired", "%d of %d accepted transactions waited until they expired", a.expired, a.accepted)
        end
        return say("fail", "tx_late", "%d of %d transactions took longer than %s to be on the chain", late, judged,
            duration.show(self.within))
    elseif bounds.own_late_share(a) > bounds.LATE_SHARE and a.lag.p95 > load.plan.interval_seconds then -- else each block had its load
        return say("inconclusive", "generator_lag", "%.1f%% of the transactions went out late (p95 %s, and a block comes every %s): "
            .. "this host could not drive the load; use a lower rate", 100 * bounds.own_late_share(a), duration.show(a.lag.p95),
            duration.show(load.plan.interval_seconds))
    end
    return say("pass", "ok", told(a))
end

function Inclusion:evaluate(ctx)
    local load = ctx.run.plan.load
    ctx.owner.looked = true
    if not load.account then
        return ctx:conclude { verdict = "inconclusive", code = "no_sample", message = "the load never began", figures = {} }
    end
    local late = self.within and load:later_than(self.within) or 0
    ctx:conclude(self:judge(load, late, not load.unsettled))
end

return M
