--- Every fork ends within a bound. A fork is open while the tips of the nodes that are up are not all on one chain; while a cut holds
--- nodes apart its clock stands: it begins when the cut is healed.
local agreement = require "tfl.verdict.agreement"
local duration = require "tfl.duration"
local errors = require "tfl.errors"

local Resolution = { name = "fork_resolution", built_in = true, needs = "chain" }
Resolution.__index = Resolution
Resolution.__name = "expectation"

local M = {}

---@param options {within: tfl.Duration}
---@return table expectation
function M.new(options)
    options = errors.options("expect_fork_resolution", options, "within")
    if options.within == nil then errors.usage('expect_fork_resolution: say within how long, as in {within = "20s"}') end
    return setmetatable({ within = options.within }, Resolution)
end

function Resolution:prepare(plan)
    plan.wants_agreement = true
    self.seconds = duration.to_seconds(self.within, plan, "expect_fork_resolution, within")
end

---@param forks {from:number, seconds:number, open:boolean}[]
---@param within number
function M.judge(forks, within)
    local worst, closed = { seconds = 0 }, 0
    for _, fork in ipairs(forks) do
        if fork.seconds >= worst.seconds then worst = fork end
        closed = closed + (fork.open and 0 or 1)
    end
    local figures = { forks = #forks, closed = closed, worst_s = worst.seconds }
    if #forks == 0 then
        return "inconclusive", "no_sample", "the nodes never were on different chains, so no fork could be resolved", figures
    elseif worst.seconds > within then
        return "fail", "fork_unresolved", ("a fork of %.1fs was open for %.1fs%s; within %s was expected"):format(worst.from,
            worst.seconds, worst.open and ", and still is" or "", duration.show(within)), figures
    elseif closed == 0 then -- a fork that is just open at the end, beside others that ended in time, says nothing
        return "inconclusive", "no_sample", ("the run ended %.1fs into its only fork, before %s had passed"):format(worst.seconds,
            duration.show(within)), figures
    end
    return "pass", "ok", ("%d fork%s, the longest open for %s (%s allowed)"):format(#forks, #forks == 1 and "" or "s",
        duration.show(tonumber(("%.2f"):format(worst.seconds))), duration.show(within)), figures
end

function Resolution:evaluate(ctx)
    local run = ctx.run
    ctx.owner.looked = true
    local known, now = run.agreement:look()
    if not known then return ctx:inconclusive "events of the feed were lost" end
    local verdict, code, message, figures = M.judge(agreement.fork_times(known, run.faults:list(), now), self.seconds)
    ctx:conclude { verdict = verdict, code = code, message = message, figures = figures }
end

return M
