--- The liveness judgement (JUDGING.md, Liveness), as pure functions of a plan and of what the feed saw.
local bounds = require("tfl.verdict.bounds")
local duration = require("tfl.duration")

local liveness = {}

local MAX_NAMES = 5
local NEARLY_ALL = 0.8 -- of the slots since a node left the others
local CERTAIN = 1e6 -- −ln(1 − p) of a slot with p = 1: one such slot without growth is too many

---@class tfl.LivenessFigures
---@field canonical_slots integer[] slots of the blocks on the prefix common to all live nodes
---@field observed? integer all blocks of the window, forks too
---@field best_slots? integer[] slots of the blocks of the highest chain, when the feed gives them
---@field best_height? integer
---@field common_height? integer
---@field nodes {name:string, height:integer, tip_slot:integer, tip:string, stale:boolean, stake?:number, late_slots?:table}[]
---@field late_slots? integer[]|table<integer, boolean> slots a node's timer fired late for, or with full PSI stalls

--- The chance e^log_p in a message: "3e-27". Far below what a float can hold.
---@param log_p number
---@return string
function liveness.show_chance(log_p)
    local exponent = math.floor(log_p / math.log(10))
    local digit = math.floor(math.exp(log_p - exponent * math.log(10)) + 0.5)
    if digit >= 10 then
        digit, exponent = 1, exponent + 1
    end
    return exponent >= 0 and "1" or ("%de%d"):format(digit, exponent)
end

local function seconds_of(plan, slot)
    return ("%.1fs"):format((plan.genesis_s or 0) + slot * plan.slot_seconds)
end

--- Late slots as a set, from a list or a set.
local function as_set(slots)
    local set, n = {}, 0
    for key, value in pairs(slots or {}) do
        local slot = value == true and key or value
        if slot and not set[slot] then
            set[slot], n = true, n + 1
        end
    end
    return set, n
end

--- p_s of every slot of the window that differs from f.
local function chances(plan)
    local own = {}
    for _, span in ipairs(plan.p or {}) do
        for slot = math.max(span.from, plan.s0), math.min(span.to, plan.s1) - 1 do
            own[slot] = span.p
        end
    end
    return own
end

local function hazard(p)
    return p >= 1 and CERTAIN or -math.log(1 - p)
end

--- A run of slots without growth is too long when chance alone makes it less often than α ÷ W (after 2Δ slots
-- of grace).
local function too_long(plan, run, most)
    if plan.own_stall then
        return run.slots >= plan.stall_slots
    end
    local limit = math.log(plan.window_slots / plan.alpha)
    return run.hazard >= (limit + 2 * plan.delta * most) * (1 - 1e-9)
end

--- Growth and the worst pause among `slots`, with the late slots left out as if they had never been. share: the part of
-- the stake that may have made them; a smaller one pauses longer by chance ((1 − p)^share). absent: a share of the stake that made
-- none.
local function assess(plan, slots, late, share, absent)
    local own, grown = chances(plan), {}
    for _, slot in ipairs(slots) do
        grown[slot] = true
    end
    local a = { growth = 0, grown = 0, slots = 0, late = 0, run = { slots = 0, hazard = 0.0 } }
    local run, counts, most = { slots = 0, hazard = 0.0 }, {}, 0.0
    for slot = plan.s0, plan.s1 - 1 do
        local p = own[slot] or plan.f
        if absent > 0 then
            p = 1 - (1 - p) ^ math.max(0, 1 - absent)
        end
        if late[slot] then
            a.late = a.late + 1
        else
            a.slots = a.slots + 1
            counts[p] = (counts[p] or 0) + 1
            most = math.max(most, p > 0 and share * hazard(p) or 0)
            if grown[slot] then
                a.grown = a.grown + 1
                a.growth = a.growth + (p > 0 and 1 or 0) -- what nobody could count on does not make up for the rest
                run = { slots = 0, hazard = 0.0 }
            elseif p > 0 then
                run.from, run.to = run.from or slot, slot
                run.slots, run.hazard = run.slots + 1, run.hazard + share * hazard(p)
                if run.hazard > a.run.hazard then
                    a.run = run
                end
            end
        end
    end
    a.groups = {}
    for p, n in pairs(counts) do
        a.groups[#a.groups + 1] = { p = p, slots = n }
    end
    a.expected = bounds.expected_blocks(a.groups, nil, plan.delta)
    if plan.min_blocks then
        a.required = plan.min_blocks * a.slots // plan.window_slots
    else
        a.required = bounds.required_blocks(a.groups, nil, plan.delta, plan.alpha)
    end
    a.stalled = too_long(plan, a.run, most)
    return a
end

--- The nodes that are followed; one whose tip was never heard of is at height 0.
local function live_nodes(fig)
    local live = {}
    for _, node in ipairs(fig.nodes) do
        if not node.stale then
            live[#live + 1] = {
                name = node.name, height = node.height or 0, tip_slot = node.tip_slot or 0, tip = node.tip,
                stake = node.stake, late = node.late_slots,
            }
        end
    end
    return live
end

--- Live nodes that ended more than `lag` blocks below the best; blocks of late slots are forgiven, of those that were late for all
--- and of those that the node itself was late for.
local function laggards(plan, fig, live, late)
    local best = { height = -1, tip_slot = -1 }
    for _, node in ipairs(live) do
        if node.height > best.height then
            best = node
        end
    end
    local behind, keeping, grown = {}, {}, fig.best_slots and {}
    for _, slot in ipairs(fig.best_slots or {}) do grown[slot] = true end
    for _, node in ipairs(live) do
        local blocks = math.max(fig.best_height or 0, best.height) - node.height
        local forgiven, own, slots = 0, 0, 0
        -- its tip may be a block of its own, long after it left the others
        for slot = math.min(node.tip_slot, fig.common_slot or node.tip_slot) + 1, late and best.tip_slot or -1 do
            local mine = node.late and node.late[slot]
            local lost = (mine or late[slot]) and (not grown or grown[slot])
            forgiven, own, slots = forgiven + (lost and 1 or 0), own + (mine and 1 or 0), slots + 1
        end
        if own > 0 and own >= NEARLY_ALL * slots then -- nor does it follow in between: its peers have given it up
            forgiven = blocks
        end
        if blocks - forgiven > plan.lag then
            behind[#behind + 1] = { node = node, blocks = blocks }
        else
            keeping[#keeping + 1] = node
        end
    end
    table.sort(behind, function(a, b)
        return a.blocks > b.blocks
    end)
    return behind, keeping, best
end

local function weight(nodes)
    local sum = 0
    for _, node in ipairs(nodes) do
        sum = sum + (node.stake or 1)
    end
    return sum
end

--- Whether the nodes at the best height are the greater part, by stake, and their chain grew to the end of
-- the window: then the others stopped following it, and it is not the chain that stands.
local function majority_grew(plan, fig, live, keeping)
    local share = weight(keeping) / weight(live)
    if share <= 0.5 then
        return false
    elseif fig.best_slots then
        return not assess(plan, fig.best_slots, {}, share, 0).stalled
    end
    local tip, quiet, own = -1, { slots = 0, hazard = 0.0 }, chances(plan)
    for _, node in ipairs(keeping) do
        tip = math.max(tip, node.tip_slot)
    end
    for slot = math.max(plan.s0, tip + 1), plan.s1 - 1 do
        quiet.slots = quiet.slots + 1
        quiet.hazard = quiet.hazard + share * hazard(own[slot] or plan.f)
    end
    return not too_long(plan, quiet, share * hazard(plan.f))
end

local function names(list, show)
    local out = {}
    for i = 1, math.min(#list, MAX_NAMES) do
        out[i] = show(list[i])
    end
    if #list > MAX_NAMES then
        out[#out + 1] = ("%d more"):format(#list - MAX_NAMES)
    end
    return table.concat(out, ", ")
end

--- "; no common chain above height 57: node-0, node-1 hold 9f0c.. (h62), …" when live nodes hold different
-- chains.
local function split_hint(fig, live)
    local common, order, by_tip = fig.common_height, {}, {}
    if not common then
        return ""
    end
    for _, node in ipairs(live) do
        if node.height <= common + 2 or not node.tip then
            return ""
        elseif not by_tip[node.tip] then
            by_tip[node.tip] = { height = node.height, names = {} }
            order[#order + 1] = node.tip
        end
        table.insert(by_tip[node.tip].names, node.name)
    end
    if #order < 2 then
        return ""
    end
    return ("; the nodes share no block above height %d: %s"):format(common, names(order, function(tip)
        local side = by_tip[tip]
        return ("%s at h%d (%s)"):format(table.concat(side.names, "+", 1, math.min(#side.names, MAX_NAMES)),
            side.height, tip:sub(1, 4))
    end))
end

local function say_lagging(plan, behind, best)
    return names(behind, function(b)
        return ("%s is %d blocks behind (height %d, its tip is of slot %d, %s)"):format(b.node.name, b.blocks,
            b.node.height, b.node.tip_slot, seconds_of(plan, b.node.tip_slot))
    end) .. ("; the best is at height %d, %d behind allowed"):format(best.height, plan.lag)
end

local function say_stalled(plan, fig, a, live)
    local run = a.run
    local chance = ("chance %s %s (f = %g)"):format(liveness.show_chance(-run.hazard),
        plan.p and "with the stake that was online" or "with all stake online", plan.f)
    local when
    if run.to == plan.s1 - 1 then
        when = ("stalled since %s (slot %d)"):format(seconds_of(plan, run.from), run.from)
    else
        when = ("stalled from %s to %s (slots %d to %d)"):format(seconds_of(plan, run.from),
            seconds_of(plan, run.to + 1), run.from, run.to)
    end
    return ("%s: %d slots without growth; %s%s"):format(when, run.slots, chance, split_hint(fig, live))
end

local function say_few(fig, a, live)
    local forks = ""
    if fig.observed and fig.observed - a.growth >= math.max(1, a.growth) then
        forks = (", %d more only on forks"):format(fig.observed - a.growth)
    end
    local chance = bounds.chance_of_at_most(a.groups, nil, a.growth)
    return ("%d blocks (%.0f expected, ≥ %d required)%s; chance %s%s"):format(a.growth, a.expected, a.required, forks,
        chance > 0 and liveness.show_chance(math.log(chance)) or "below 1e-30", split_hint(fig, live))
end

--- The share of the stake of nodes that are behind but for what is forgiven: they did not lead on the chain of the others.
local function absent_stake(fig, behind, still)
    local missing = {}
    for _, b in ipairs(behind) do missing[b.node.name] = b.node end
    for _, b in ipairs(still) do missing[b.node.name] = nil end
    local list = {}
    for _, node in pairs(missing) do list[#list + 1] = node end
    return weight(list) / math.max(1e-9, weight(fig.nodes))
end

--- The judgement without regard to the host. What tells the user most comes first: a node that stopped
-- following holds the common prefix back, so a majority that went on growing makes it `lagging`; then a chain
-- that stood (`stalled`), then one that was too slow throughout (`too_few_blocks`), then nodes that are
-- behind for any other reason. late: slots that do not count; a node that is behind for its own late slots does not hold the chain
-- back. nil: all count.
local function judge(plan, fig, late)
    local live = live_nodes(fig)
    local behind, keeping, best = laggards(plan, fig, live, late)
    local absent = late and absent_stake(fig, laggards(plan, fig, live), behind) or 0
    local held_back = absent > 0 and #behind == 0 and fig.best_slots
    local a = assess(plan, held_back or fig.canonical_slots, late or {}, 1, absent)
    a.lag, a.behind = behind[1] and behind[1].blocks or 0, behind
    if #live == 0 and not a.stalled then
        return "stalled", "no node was answering at the end of the run", a
    elseif #behind > 0 and majority_grew(plan, fig, live, keeping) then
        return "lagging", say_lagging(plan, behind, best), a
    elseif a.stalled then
        return "stalled", say_stalled(plan, fig, a, live), a
    elseif a.growth < a.required then
        return "too_few_blocks", say_few(fig, a, live), a
    elseif #behind > 0 then
        return "lagging", say_lagging(plan, behind, best), a
    end
    return "ok", ("%d blocks (%.0f expected, ≥ %d required%s), longest gap %s"):format(a.grown, a.expected, a.required,
        plan.p and " under faults" or "", duration.show(a.run.slots * plan.slot_seconds)), a
end

local function figures_of(plan, fig, a, n_late)
    return {
        canonical = a.grown,
        counted = plan.p and a.growth or nil,
        observed = fig.observed,
        expected = a.expected,
        required = a.required,
        window_slots = plan.window_slots,
        longest_gap_slots = a.run.slots,
        longest_gap_s = a.run.slots * plan.slot_seconds,
        gap_from_slot = a.run.from,
        stall_slots = plan.stall_slots,
        worst_lag = a.lag,
        lag = plan.lag,
        forks = fig.forks,
        max_reorg_depth = fig.max_reorg_depth,
        late_slots = n_late > 0 and n_late or nil,
    }
end

--- " (node-2 for 60)": how many slots of the window nodes that are behind were late for by themselves.
local function kept_nodes(plan, behind)
    local list = {}
    for _, b in ipairs(behind) do
        local n = 0
        for slot = plan.s0, plan.s1 - 1 do n = n + (b.node.late and b.node.late[slot] and 1 or 0) end
        if n > 0 then list[#list + 1] = { node = b.node, n = n } end
    end
    if #list == 0 then return "" end
    return " (" .. names(list, function(one) return ("%s for %d"):format(one.node.name, one.n) end) .. ")"
end

---@class tfl.Judgement
---@field verdict "pass"|"fail"|"infra"|"inconclusive"
---@field code string
---@field message string
---@field figures table<string, number>

--- Judges liveness. The plan must have its window (s0, s1). When it fails and the host was late for some
-- slots, the bounds are computed again without those slots: if they hold, the run is inconclusive
-- (`host_starved`), else it has failed.
---@param plan tfl.LivenessPlan
---@param fig tfl.LivenessFigures|nil
---@return tfl.Judgement
function liveness.judge(plan, fig)
    if not fig or not fig.canonical_slots or not fig.nodes or #fig.nodes == 0 then
        return { verdict = "inconclusive", code = "no_sample", message = "no node and no block was seen", figures = {} }
    end
    local late, n_late = as_set(fig.late_slots)
    local code, message, a = judge(plan, fig)
    local figures = figures_of(plan, fig, a, n_late)
    if code == "ok" and plan.p and a.required == 0 then
        return {
            verdict = "inconclusive",
            code = "no_sample",
            message = ("the faults left so little of the window (%.0f blocks expected) that a healthy chain may show none; run longer, "
                .. "or with fewer faults"):format(a.expected),
            figures = figures,
        }
    elseif code == "ok" then
        return { verdict = "pass", code = "ok", message = message, figures = figures }
    end
    local kept = kept_nodes(plan, a.behind)
    if n_late > 0 or kept ~= "" then
        local again, _, b = judge(plan, fig, late)
        figures.late_in_window = b.late
        figures.canonical_without_late, figures.required_without_late = b.growth, b.required
        if again == "ok" then
            return {
                verdict = "inconclusive",
                code = "host_starved",
                message = ("the host was late for %d of %d slots%s; without them the bound holds (%d blocks, ≥ %d "
                    .. "required), with them: %s; run it on a less busy host or with longer slots"):format(
                    b.late, plan.window_slots, kept, b.growth, b.required, message),
                figures = figures,
            }
        end
    end
    return { verdict = "fail", code = code, message = message, figures = figures }
end

return liveness
