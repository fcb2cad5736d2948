--- Every fork ends within a bound. A fork is open while the tips of the nodes that are up are not all on one chain; while a cut holds
--- nodes apart its clock stands: it begins when the cut is healed.
local agreement = require "tfl.verdict.agreement"
local duration = require "tfl.duration"
local errors = require "tfl.errors"

local Resolution = { name = "fork_resolution", built_in = true }
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
    local worst, open = { seconds = 0 }, nil
    for _, fork in ipairs(forks) do
        if fork.seconds >= worst.seconds then worst = fork end
        if fork.open then open = fork end
    end
    local figures = { forks = #forks, worst_s = worst.seconds }
    if #forks == 0 then
        return "inconclusive", "no_sample", "the nodes never were on different chains, so no fork could be resolved", figures
    elseif worst.seconds > within then
        return "fail", "fork_unresolved", ("a fork of %.1fs was open for %.1fs%s; within %s was expected"):format(worst.from,
            worst.seconds, worst.open and ", and still is" or "", duration.show(within)), figures
    elseif open then
        return "inconclusive", "no_sample", ("the run ended %.1fs into a fork, before %s had passed"):format(open.seconds,
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
