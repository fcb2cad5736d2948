--- What a run must show to be called live, fixed when the plan is made (JUDGING.md, Liveness).
local bounds = require("tfl.verdict.bounds")
local duration = require("tfl.duration")
local errors = require("tfl.errors")

local window = {}

local ALPHA = 1e-6

---@class tfl.LivenessPlan
---@field f number active slot coefficient
---@field slot_seconds number τ
---@field delta integer Δ
---@field alpha number
---@field window_slots integer W
---@field s0? integer first slot of the window; set when the cluster is ready
---@field s1? integer s0 + W
---@field genesis_s? number seconds from the start of the run to genesis, for times in messages (0)
---@field p? {from:integer, to:integer, p:number}[] slots [from, to) whose chance of growth is not f
---@field expected number
---@field required integer
---@field stall_slots integer
---@field own_stall? boolean stall_slots is the scenario's own
---@field min_blocks? integer the scenario's own bound
---@field lag integer blocks a live node may be behind at the end

--- Slots a window needs, as the refusal of a shorter one names them.
local function too_short(plan, needed, why)
    errors.usage(
        "a window of %d slots (%s) is too short to fail: %s; with slots of %s and f = %g it needs %d slots, "
            .. "so run for %s or longer, or shorten the slots",
        plan.window_slots,
        duration.show(plan.window_slots * plan.slot_seconds),
        why,
        duration.show(plan.slot_seconds),
        plan.f,
        needed,
        duration.show(needed * plan.slot_seconds)
    )
end

local function whole(value, name, least)
    local n = math.type(value) and math.tointeger(value)
    if not n or n < least then
        errors.usage("expect_consensus_liveness: %s = %s; expected a whole number, at least %d", name,
            errors.show(value), least)
    end
    return n
end

---@class tfl.LivenessOptions
---@field f number
---@field slot_seconds number
---@field delta integer
---@field window_slots integer
---@field confidence? number 1 − α
---@field lag? integer
---@field min_blocks? integer
---@field stall_slots? integer

--- What a run must show. Refuses, as a usage error with the remedy, a window in which the expectation cannot
-- fail.
---@param o tfl.LivenessOptions
---@return tfl.LivenessPlan
function window.plan(o)
    local alpha = ALPHA
    if o.confidence ~= nil then
        if not math.type(o.confidence) or o.confidence <= 0.5 or o.confidence >= 1 or 1 - o.confidence < 1e-12 then
            errors.usage(
                "expect_consensus_liveness: confidence = %s; expected a number between 0.5 and 1 - 1e-12, "
                    .. "as 0.999999 (the default)",
                errors.show(o.confidence)
            )
        end
        alpha = 1 - o.confidence
    end
    local W = o.window_slots
    local plan = { f = o.f, slot_seconds = o.slot_seconds, delta = o.delta, window_slots = W, alpha = alpha }
    plan.expected = bounds.expected_blocks(o.f, W, o.delta)
    if o.min_blocks ~= nil then
        plan.min_blocks = whole(o.min_blocks, "min_blocks", 1)
        plan.required = plan.min_blocks
        if plan.min_blocks > W then
            errors.usage("expect_consensus_liveness: min_blocks = %d cannot be met in %d slots", plan.min_blocks, W)
        end
    else
        plan.required = bounds.required_blocks(o.f, W, o.delta, alpha)
        if plan.required == 0 then
            too_short(plan, bounds.needed_window(o.f, alpha, o.delta), "a healthy chain may show no block in it")
        end
    end
    if o.stall_slots ~= nil then
        plan.stall_slots, plan.own_stall = whole(o.stall_slots, "stall_slots", 1), true
        if plan.stall_slots > W then
            errors.usage("expect_consensus_liveness: stall_slots = %d is longer than the window of %d slots",
                plan.stall_slots, W)
        end
    else
        plan.stall_slots = bounds.stall_bound(o.f, W, alpha, o.delta)
        if 2 * plan.stall_slots > W then
            too_short(plan, bounds.needed_window(o.f, alpha, o.delta),
                ("a healthy chain may pause for up to %d slots of it"):format(plan.stall_slots - 1))
        end
    end
    plan.lag = o.lag ~= nil and whole(o.lag, "lag", 0) or 2 + o.delta
    return plan
end

return window
