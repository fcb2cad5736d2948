--- Faults of the links between nodes: methods of tfl.faults. Sets of nodes become rules of tfl.core.links; nodes that join later
--- are covered by sets that are complements.
local availability = require "tfl.verdict.availability"
local bounds = require "tfl.verdict.bounds"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local links = require "tfl.links"

local M = {}

local LINKS = {} -- what is done to links is done one after the other

--- Refuses what cannot be done to links here.
local function check(self, verb)
    local refusal = self:refusal(verb)
    if refusal then errors.usage("%s", refusal) end
    if not self.run.plan.links then
        errors.usage("%s: no relays stand between the nodes; say :enable_node_control{links = true}", verb)
    end
end

local function both(rules, a, b)
    rules[#rules + 1] = { from = a, to = b }
    rules[#rules + 1] = { from = b, to = a }
end

--- Everybody else, whether there yet or not.
local function others(groups)
    local named = {}
    for _, group in ipairs(groups) do table.move(group, 1, #group, #named + 1, named) end
    return { except = named }
end

local function show(groups)
    local texts = {}
    for i, group in ipairs(groups) do texts[i] = "{" .. table.concat(group, ","):gsub("node%-", "") .. "}" end
    return table.concat(texts, "|")
end

--- Puts a fault in force and opens its record; `spec` is that of tfl.core.links. Relays that are elsewhere are asked, which takes a
--- while: it may be in force from the beginning of that, and whoever asked may be gone at its end.
function M:link_fault(verb, spec, fault)
    return self:after(LINKS, verb, function()
        local run = self.run
        if spec.cut then -- what is cut is reset when it is healed
            run:break_dialled(function(link) return availability.cuts(spec.rules, link[1], link[2]) end)
        end
        fault.t0, fault.slot0 = run:now(), run:slot_now()
        fault.link_id = run.deployer:link_fault(spec)
        fault.verb, fault.links, fault.rules, fault.cut = verb, true, spec.rules, spec.cut
        return self:open(fault)
    end)
end

--- A cut made by hand is not refused, but whoever makes it is told how long the chain bears it (JUDGING, Partitions).
local function warn(self, groups, by)
    local run, all, held, sides = self.run, 0, 0, {}
    local plan = run.plan
    for _, node in ipairs(run.nodes) do all = all + node.stake end
    for _, group in ipairs(groups) do
        local own = 0
        for _, name in ipairs(group) do own = own + run.stakes[name] end
        held, sides[#sides + 1] = held + own, own
    end
    sides[#sides + 1] = all - held
    table.sort(sides, function(a, b) return a > b end)
    local least = sides[2] -- with the second branch final there are two
    local left = math.max(1, (run.s1 or 0) - (run.s0 or 0))
    local ok, _, _, most = bounds.check_partition {
        f = plan.f, share = all > 0 and least / all or 0, slots = left, heal_slots = bounds.recovery_slots(plan.slot_seconds, plan.delta),
        k = plan.security_param, k_healthy = plan.topology:safe_security_param(), epsilon = 1e-6,
    }
    if not ok and least > 0 then
        run:say(by, most > 0 and ("partition %s: with k = %d both sides may finalise apart unless it is healed within %s"):format(
            show(groups), plan.security_param, duration.show(most * plan.slot_seconds))
            or ("partition %s: k = %d is too small for any partition, both sides may finalise apart"):format(show(groups),
            plan.security_param))
    end
end

--- Cuts groups of nodes off from each other. Nodes that are in none form a group of their own, also those that join later. One
--- way: only what the first group sends to the second is cut.
---@param groups string[][] names
---@param one_way boolean
---@param by string
---@param verb? string "partition"
---@return tfl.Fault
function M:cut(groups, one_way, by, verb)
    verb = verb or "partition"
    check(self, verb)
    if by ~= "chaos" and self.run.plan.slots then warn(self, groups, by) end
    local rules = {}
    if one_way then
        rules[1] = { from = groups[1], to = groups[2] }
    else
        local rest = others(groups)
        for i, a in ipairs(groups) do
            for j = i + 1, #groups do both(rules, a, groups[j]) end
            both(rules, a, rest)
        end
    end
    return self:link_fault(verb, { rules = rules, cut = true }, {
        targets = others(groups).except, by = by, groups = groups, text = one_way and show(groups):gsub("|", "→") or show(groups),
        params = { groups = groups, one_way = one_way or nil },
    })
end

--- Shapes what the nodes of two sets send to each other, or (one way) the first to the second.
---@param a string[]|"all"
---@param b string[]|"all"
---@param shape tfl.LinkShape
---@param one_way boolean
---@param by string
---@return tfl.Fault
function M:shape(a, b, shape, one_way, by)
    if by ~= "plan" then check(self, "link") end
    local function set(names) return names == "all" and { except = {} } or names end
    local rules = { { from = set(a), to = set(b) } }
    if not one_way then rules[2] = { from = set(b), to = set(a) } end
    local targets, seen = {}, {}
    for _, names in ipairs { a, b } do
        for _, name in ipairs(names == "all" and {} or names) do
            if not seen[name] then targets[#targets + 1], seen[name] = name, true end
        end
    end
    local spec, plan = { rules = rules }, self.run.plan
    local worst = (plan.backend.hop_ms or 0) + links.worst_ms(shape)
    for name, value in pairs(shape) do spec[name] = value end
    return self:link_fault("link", spec, {
        targets = targets, by = by, shape = shape, text = links.show(shape),
        beyond_plan = by ~= "plan" and bounds.planned_delta(plan.topology:diameter(), worst, plan.slot_ms) > plan.delta or nil,
        params = { a = a, b = b, one_way = one_way or nil, latency = shape.latency, jitter = shape.jitter, rate = shape.rate,
            loss = shape.loss },
    })
end

--- What happened to the bytes a link fault is about: {bytes, delayed, withheld, connections, refused}.
---@param fault tfl.Fault
function M:counts(fault)
    if fault.t1 or not fault.link_id then return fault.counts or {} end
    return self.run.deployer:link_counts(fault.link_id)
end

--- The relays between the nodes stood still: tfl itself with them, or the program that they are in. Nobody could hear anybody. Told, and
--- judged as a cut.
---@param seconds number
---@param ago number when that was over, in seconds before now
function M:stalled(seconds, ago)
    local run = self.run
    local slot, who = run:slot_now(), run.plan.backend.relays_apart and "tfl-relay" or "tfl"
    if not slot then return end -- no chain yet
    self:close(self:open {
        verb = "stall", links = true, cut = true, by = "host", targets = {}, text = ("of %s for %.1fs"):format(who, seconds),
        rules = { { from = { except = {} }, to = { except = {} } } }, bit = true, t0 = run:now() - ago - seconds,
        slot0 = slot - math.ceil((ago + seconds) / run.plan.slot_seconds),
    }, "host")
    run:say("host", who == "tfl"
        and ("tfl stood still for %.1fs, and the relays between the nodes with it: a script that does not wait, or a busy host")
            :format(seconds)
        or ("the relays between the nodes (%s) stood still for %.1fs: a busy machine"):format(who, seconds))
end

--- Ends a link fault. Healing a healed one does nothing.
---@param fault tfl.Fault
---@param by string
---@return table counts
function M:heal(fault, by)
    if fault.t1 then return fault.counts end
    return self:after(LINKS, "heal", function()
        if fault.t1 then return fault.counts end
        fault.counts = self.run.deployer:link_heal(fault.link_id)
        -- JUDGING, Verdict: a fault bit when it did something measurable. What a cut withheld are at least pings.
        if fault.cut then fault.bit = fault.counts.withheld > 0 else fault.bit = fault.counts.delayed > 0 end
        self:close(fault, by)
        return fault.counts
    end)
end

--- Ends all link faults that are in force, but for those the plan asked for.
---@param by string
function M:heal_all(by)
    for _, fault in ipairs(self.records) do
        if fault.links and not fault.t1 and fault.by ~= "plan" then self:heal(fault, by) end
    end
end

return M
