--- What no run may show: two final blocks at one height and the like (JUDGING, Safety). Every run has it. A node that sent what
--- could not be read is a problem of the run: what it meant to say was not judged.
local errors = require "tfl.errors"
local verdict = require "tfl.verdict"

local Safety = { name = "safety" }
Safety.__index = Safety
Safety.__name = "expectation"

local M = {}

---@return table expectation
function M.new()
    return setmetatable({ name = "safety", built_in = true }, Safety)
end

--- A broken chain stays broken: the rest of the window cannot mend it.
function Safety:check_during_capture(ctx)
    if #ctx.run.feed:stats().findings > 0 then ctx.run:end_capture "unsafe" end
end

function Safety:evaluate(ctx)
    local run = ctx.run
    local figures = run:figures(run.s0 or 0, run.s1 or 0)
    ctx.owner.looked = true
    for _, node in ipairs(figures.nodes) do
        if node.unreadable then
            local err = errors.new("bad_reply", "%s", node.unreadable)
            err.node = node.name
            run:problem("infra", err)
        end
    end
    local judgement = verdict.judge_safety(figures.findings, figures.final_height,
        { forks = figures.forks, max_reorg_depth = figures.max_reorg_depth, security_param = run.plan.security_param })
    if run.plan.hand and judgement.code == "no_sample" then -- it is over when its function is, be it after a second
        judgement.verdict, judgement.code, judgement.message = "pass", "ok", "no block became final, no conflict"
    end
    ctx:conclude(judgement)
end

return M
