--- Settling: after the window the nodes may still be passing the last blocks around. Waits until the chain that all live
--- nodes share decides every slot of the window, never longer than the plan's bound, never a fixed time.
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local M = {}

--- The longest a healthy cluster needs: a block above the window (its stall bound) and its way to every node.
local function bound_seconds(run)
    local plan = run.plan
    local slots = plan.liveness and plan.liveness.stall_slots or 20
    return math.max(2, (slots + 2 * plan.delta + 2) * plan.slot_seconds)
end

--- Safety has no sample before a block is final: slots that k + 1 blocks need, all but surely.
local function finality_seconds(plan)
    local slots = (plan.security_param + 1) / plan.f
    return (slots + 6 * math.sqrt(slots / plan.f) + 10) * plan.slot_seconds
end

--- True when nothing that could still arrive changes what the window shows.
local function settled(run, figures, s1)
    if figures.final == 0 then return false end
    if figures.common_slot >= s1 then return true end
    local tips = {}
    for _, node in ipairs(figures.nodes) do
        if not node.stale then tips[node.tip] = true end
    end
    -- all live nodes hold one tip, and the slots since the window's end have passed: no block of it is still on its way
    local only = next(tips)
    return only ~= nil and next(tips, only) == nil and run:current_slot() > s1 + 2 * (run.plan.delta + 1)
end

---@param run table
function M.wait(run)
    if run.ended_early == "stalled" then return end
    local s1 = run.ended_slot or run.s1
    local bound, final_bound = bound_seconds(run), finality_seconds(run.plan)
    local from = task.now()
    while true do
        local figures = run:figures(run.s0, s1)
        local past = task.now() - from
        if settled(run, figures, s1) then return end
        if past > bound and (figures.final > 0 or past > final_bound) then break end
        wait.sleep(math.min(0.05, run.plan.slot_seconds / 2))
    end
    run.record:event("settle_timeout", { seconds = task.now() - from })
end

return M
