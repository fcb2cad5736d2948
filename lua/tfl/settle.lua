--- Settling: after the window the nodes may still be passing the last blocks around. Waits until the chain that all live
--- nodes share decides every slot of the window, never longer than the plan's bound, never a fixed time.
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local M = {}

local STUCK_SECONDS = 1 -- who only stood still with the whole host goes on within that
local HEARD_SECONDS = 10 -- until what was away a moment ago has been heard again

--- Slots that n growths need, all but surely (a normal bound six deviations out, with room for small n).
local function slots_of(n, f)
    local mean = n / f
    return mean + 6 * math.sqrt(mean / f) + 10
end

--- Seconds in which a healthy chain has all but surely grown by n blocks that every node has.
---@param plan table
---@param n integer
---@return number
function M.growth_seconds(plan, n)
    return (slots_of(n, plan.f) + 2 * plan.delta + 2) * plan.slot_seconds
end

--- Seconds in which a healthy cluster has decided the window: forks end within k blocks, and k + 1 blocks bring the first
--- final one, without which safety has no sample.
---@param plan table
---@return number
function M.bound_seconds(plan)
    return M.growth_seconds(plan, plan.security_param + 1)
end

--- A live node whose tip stands while others grow has stopped following: waiting for it helps nobody. Nor does it when none is up.
local function stuck(run, figures)
    if #run:live_nodes() == 0 then return true end
    local plan = run.plan
    local patience = (plan.liveness and plan.liveness.stall_slots or 20) + 2 * plan.delta
    for _, node in ipairs(figures.nodes) do
        if not node.stale and run:current_slot() - node.tip_slot > patience and not run.faults:recovering(node.name) then
            return true
        end
    end
    return false
end

--- Gives a function that says, asked again and again with the figures of then, whether waiting helps nobody any more.
local function hopeless(run, blind)
    local since
    return function(figures)
        since = not blind() and stuck(run, figures) and (since or task.now()) or nil
        return since and (#run:live_nodes() == 0 or task.now() - since > STUCK_SECONDS)
    end
end

--- True when nothing that could still arrive changes what the window shows. Blind: what the nodes had last is not what they have.
local function settled(run, figures, s1, blind)
    if figures.final == 0 then return false end
    if figures.common_slot >= s1 then return true end
    if blind then return false end
    local tips = {}
    for _, node in ipairs(figures.nodes) do
        if not node.stale then tips[node.tip] = true end
    end
    -- all live nodes hold one tip, and the slots since the window's end have passed: no block of it is still on its way
    local only = next(tips)
    return only ~= nil and next(tips, only) == nil and run:current_slot() > s1 + 2 * (run.plan.delta + 1)
end

--- Until the chain has decided the window, or cannot.
local function chain(run, s1, blind)
    if run.ended_early == "stalled" then return end
    local from, bound, given_up = task.now(), M.bound_seconds(run.plan), hopeless(run, blind)
    repeat
        local figures = run:figures(run.s0, s1)
        if settled(run, figures, s1, blind()) then return end
        if given_up(figures) then break end
        wait.sleep(math.min(0.05, run.plan.slot_seconds / 2))
    until task.now() - from > bound
    run.record:event("settle_timeout", { seconds = task.now() - from })
end

--- The chain first, then what expectations wait for, then the transactions that were sent.
local function wait_settled(run)
    local away = run.deployer:wait_reachable() -- the nodes were fine, maybe, when nobody could see them
    if run.plan.hand or not run.feed then return end -- whoever drives it by hand has waited for what mattered
    local s1 = run.ended_slot or run.s1
    local function blind() return away and task.now() - away < HEARD_SECONDS end
    chain(run, s1, blind)
    for _, owner in ipairs(run.ended_early ~= "stalled" and run.expectations or {}) do
        if owner.object.built_in and owner.object.settle then owner.object:settle(run) end
    end
    local load, given_up = run.plan.load, hopeless(run, blind)
    if load then load:settle(run, function() return given_up(run:figures(run.s0, s1)) end) end
end

--- Then nothing is left that could still change the verdict, but the news of a node that ended a moment ago.
---@param run table
function M.wait(run)
    wait_settled(run)
    run.deployer:wait_told()
end

return M
