--- After each disturbance the cluster is whole again within a bound. A disturbance is a fault that was made (a restart, a kill, a pause, a
--- cut, a shaped link, a node that joined), or several that overlap or follow before the cluster had recovered; it ends when the last of
--- them does. Recovered: all nodes that are up have a block in common that was made after that end.
local duration = require "tfl.duration"
local errors = require "tfl.errors"

local Recovery = { name = "recovery", built_in = true, needs = "chain" }
Recovery.__index = Recovery
Recovery.__name = "expectation"

local M = {}

---@param options {within: tfl.Duration}
---@return table expectation
function M.new(options)
    options = errors.options("expect_recovery", options, "within")
    if options.within == nil then errors.usage('expect_recovery: say within how long, as in {within = "10s"}') end
    return setmetatable({ within = options.within }, Recovery)
end

--- A bound that chance alone breaks is refused: a block in common takes a block first.
function Recovery:prepare(plan)
    plan.wants_agreement = true
    self.seconds = duration.to_seconds(self.within, plan, "expect_recovery, within")
    local needed = math.ceil(math.log(1e-6) / math.log(1 - math.min(plan.f, 1 - 1e-9))) * plan.slot_seconds
    if plan.slots and self.seconds < needed then
        errors.bad_config("expect_recovery: within = %s: with slots of %s and f = %g a healthy chain may bring no block for %s; allow "
            .. "at least that", duration.show(self.seconds), duration.show(plan.slot_seconds), plan.f, duration.show(needed))
    end
end

--- Judges recoveries, for specs too: code, message, figures.
---@param list tfl.Recovery[]
---@param within number
function M.judge(list, within)
    local worst, open = 0, nil
    for _, one in ipairs(list) do
        local took = one.took or one.watched
        if took > within then
            return "fail", "not_recovered", ("%.1fs after %s (%.1fs) %s; within %s was expected"):format(took,
                table.concat(one.names, ", ", 1, math.min(4, #one.names)), one.t, one.took
                and "all nodes that are up had a new block in common" or "the nodes that are up have no new block in common yet",
                duration.show(within)), { worst_s = took, disturbances = #list }
        elseif not one.took then
            open = one
        else
            worst = math.max(worst, took)
        end
    end
    local figures = { worst_s = worst, disturbances = #list }
    if #list == 0 then
        return "inconclusive", "no_sample", "nothing disturbed the cluster, so nothing could recover", figures
    elseif open then
        return "inconclusive", "no_sample", ("the run ended %.1fs after %s, before %s had passed"):format(open.watched,
            table.concat(open.names, ", "), duration.show(within)), figures
    end
    return "pass", "ok", ("%d disturbance%s, at most %.1fs to recover (%s allowed)"):format(#list, #list == 1 and "" or "s", worst,
        duration.show(within)), figures
end

--- Verdict, code, message and figures of now; nil when events were lost.
function Recovery:look(run)
    local known, now = run.agreement:look()
    if not known then return nil end
    return M.judge(require("tfl.verdict.agreement").recoveries(known, run.faults:list(), self.seconds, now), self.seconds)
end

--- A disturbance that was over only when the window was has its time to be recovered from, too.
function Recovery:settle(run)
    local task, wait = require "tfl.core.task", require "tfl.core.wait" -- here: judge is used where there is no engine, too
    local deadline = task.now() + self.seconds + 1
    repeat
        local _, code, _, figures = self:look(run)
        if code ~= "no_sample" or figures.disturbances == 0 then return end
        wait.sleep(math.min(0.05, run.plan.slot_seconds / 2))
    until task.now() > deadline
end

function Recovery:evaluate(ctx)
    ctx.owner.looked = true
    local verdict, code, message, figures = self:look(ctx.run)
    if not verdict then return ctx:inconclusive "events of the feed were lost" end
    ctx:conclude { verdict = verdict, code = code, message = message, figures = figures }
end

return M
