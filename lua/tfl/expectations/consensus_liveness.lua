--- The chain keeps growing, on every node (JUDGING, Liveness). The formulas are in tfl.verdict; here they meet a run.
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"
local verdict = require "tfl.verdict"

local M = {}
local options = { confidence = true, lag = true, min_blocks = true, stall_slots = true }

local Liveness = { name = "consensus_liveness" }
Liveness.__index = Liveness
Liveness.__name = "expectation"

---@param given? {confidence: number, lag: integer, min_blocks: integer, stall_slots: integer}
---@return table expectation
function M.new(given)
    if given ~= nil and type(given) ~= "table" then
        errors.usage("expect_consensus_liveness wants a table of options, got %s", errors.show(given))
    end
    local self = setmetatable({ name = "consensus_liveness", built_in = true, needs = "slots" }, Liveness)
    for key, value in pairs(given or {}) do
        if not options[key] then
            local names = {}
            for name in pairs(options) do names[#names + 1] = name end
            errors.usage("expect_consensus_liveness: there is no option %s%s", key, suggest.hint(tostring(key), names))
        end
        self[key] = value
    end
    return self
end

--- Fixes what the run must show; refuses a window that cannot fail. Called when the plan is made.
function Liveness:bounds(plan)
    return verdict.plan_liveness {
        f = plan.f, slot_seconds = plan.slot_seconds, delta = plan.delta, window_slots = plan.window_slots,
        confidence = self.confidence, lag = self.lag, min_blocks = self.min_blocks, stall_slots = self.stall_slots,
    }
end

--- The plan of the judgement for the window [s0, upto).
local function judged_plan(run, upto)
    local copy = {}
    for key, value in pairs(run.plan.liveness) do copy[key] = value end
    copy.s0, copy.s1, copy.genesis_s = run.s0, upto, run.genesis_s
    local chances = run:chances(run.s0, upto)
    copy.p = #chances > 0 and chances or nil
    return copy
end

--- Ends the window early when no chain has grown for longer than chance allows: nothing after that could mend it. Nodes
--- that do not answer, or tell of blocks the feed has not seen, are left to the end of the window: a starved one is slow to tell.
function Liveness:check_during_capture(ctx)
    local run = ctx.run
    local now = run:current_slot()
    local quiet = run:quiet_slots(now)
    if quiet < run.plan.liveness.stall_slots + 1 + run.plan.delta then return end
    local told, seen = run:told_height(), run:figures(run.s0, now).best_height
    if told < 0 or told > (seen or 0) then return end
    local judgement, complete = self:judge(run, now)
    if judgement.code == "stalled" and judgement.verdict == "fail" and complete then run:end_capture "stalled" end
end

--- Judges the window up to slot `upto` (s1 when nil).
---@return table judgement {verdict, code, message, figures}
---@return boolean complete false: a node was too slow to tell which slots it was late for
function Liveness:judge(run, upto)
    local to = math.min(upto or run.s1, run.s1)
    local figures = run:figures(run.s0, to)
    if #run:live_nodes() == 0 and next(run.exits) and #run.problems == 0 then -- all were taken down on purpose: nobody can lag
        for _, node in ipairs(figures.nodes) do
            node.stale, node.height, node.tip_slot = false, figures.best_height, to
        end
    end
    local judgement, complete = verdict.judge_liveness(judged_plan(run, to), figures), true
    if judgement.verdict == "fail" then
        local own
        figures.late_slots, complete, own = run:late_slots()
        for _, node in ipairs(figures.nodes) do node.late_slots = own[node.name] end
        judgement = verdict.judge_liveness(judged_plan(run, to), figures)
    end
    return judgement, complete
end

function Liveness:evaluate(ctx)
    local run = ctx.run
    ctx.owner.looked = true
    local slots = run.ended_early and math.max(0, run.ended_slot - run.s0)
    local plan = run.plan.liveness
    if slots and run.ended_early ~= "stalled" and slots < verdict.needed_window(plan.f, plan.alpha, plan.delta) then
        return ctx:conclude {
            verdict = "inconclusive", code = "not_evaluated", figures = {},
            message = string.format("the window was cut short after %d slots (%s), too few to judge", slots, run.ended_early),
        }
    end
    ctx:conclude((self:judge(run, run.ended_early and run.ended_slot)))
end

return M
