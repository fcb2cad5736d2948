--- The load of a scenario: transactions sent at planned times whatever the answers, and an account of every one. The engine
--- (tfl.core.load) sends and follows; here it gets its plan and its end.
local bounds = require "tfl.workloads.load_bounds"
local core = require "tfl.core.load"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local new_builder = require "tfl.workloads.load_builder"
local stages_of = require "tfl.workloads.load_stages"
local suggest = require "tfl.suggest"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"
local wallets = require "tfl.wallets"

local Load = { name = "transactions", built_in = true }
Load.__index = Load
Load.__name = "workload"

local M = {}

--- Lost transactions that are told apart by what lost them, and of those the ones that the summary keeps.
local LIST, KEPT = 1000, 100
--- Transactions in one line of events.jsonl.
local ROWS = 2000

---@param describe fun(x: tfl.LoadBuilder)
---@return table workload
function M.new(describe)
    if type(describe) ~= "function" then
        errors.usage("scenario:transactions_with: a function of the load was expected, got %s", errors.show(describe))
    end
    local builder = new_builder()
    describe(builder)
    return setmetatable({ wish = builder }, Load)
end

-- ---- the plan

--- Names of the nodes that are sent to, and how one is picked.
local function targets(wish, nodes)
    local names, known = {}, {}
    for _, node in ipairs(nodes) do
        known[node.name], known[node.index] = node.name, node.name
        if not node.late then names[#names + 1] = node.name end
    end
    if type(wish) == "string" then return names, wish end
    local list = {}
    for i, node in ipairs(wish) do
        list[i] = known[node]
        if not list[i] then
            errors.bad_config("targets: there is no node %s%s", errors.show(node),
                type(node) == "string" and suggest.hint(node, names) or ("; they are 0 to %d"):format(#nodes - 1))
        end
    end
    return list, "round_robin"
end

--- Fixes the load for a plan; refuses what cannot work. Called when the plan is made.
---@param plan table
---@param accounts {count: integer}|nil
function Load:prepare(plan, accounts)
    local wish = self.wish
    if not accounts then
        errors.bad_config "transactions_with: nobody could sign; add :wallets(10) to the scenario"
    elseif wish._users and wish._users > accounts.count then
        errors.bad_config("users(%d): the scenario has %d wallets; use :wallets(%d), or fewer users", wish._users,
            accounts.count, wish._users)
    end
    self.plan = bounds.plan(plan, wish)
    self.plan.users = wish._users or accounts.count
    self.plan.kind = wish._kind
    self.plan.each = math.ceil(self.plan.planned / self.plan.users)
    self.plan.targets, self.plan.pick = targets(wish._targets, plan.nodes)
    self.owned = plan.kind.accounts and wish._kind == "transfer"
    if self.owned and wish._targets ~= "random" then
        errors.bad_config("targets: nodes of the kind %s make the transfers, each those of its own wallet, so there is nothing to choose",
            plan.kind.name)
    end
end

--- What `check` and plan.json tell of it.
---@return table
function Load:data()
    local p = self.plan
    return {
        kind = p.kind, planned = p.planned, users = p.users, stages = p.stages, peak_per_block = p.peak_per_block,
        targets = p.targets, pick = p.pick,
    }
end

--- One line for `check`.
---@return string
function Load:describe()
    local p, rows = self.plan, {}
    for i, stage in ipairs(p.stages) do
        rows[i] = stage[2] == stage[3] and ("%s at %.6g/s"):format(duration.show(stage[1]), stage[2])
            or ("%s from %.6g/s to %.6g/s"):format(duration.show(stage[1]), stage[3], stage[2])
    end
    local more = #rows > 3 and (", … %d more stages"):format(#rows - 3) or ""
    return ("%d %ss of %d wallets: %s%s (%.6g for each block at most)"):format(p.planned, p.kind, p.users,
        table.concat(rows, ", ", 1, math.min(3, #rows)), more, p.peak_per_block)
end

-- ---- the run

--- What nodes are to make transfers of, each from its wallet to the next.
function Load:wishes(plan)
    local index, list = {}, {}
    for i, name in ipairs(self.plan.targets) do index[name] = i end
    for i = 1, self.plan.users do
        local from, to = wallets.owner(plan.accounts[i]), wallets.owner(plan.accounts[i % self.plan.users + 1])
        list[i] = { target = index[from.node], body = plan.kind.transfer_body(from.pk, to.pk, 1) }
    end
    return list
end

function Load:start(ctx)
    local run, plan = ctx.run, self.plan
    local accounts, clients = table.move(run.plan.accounts, 1, plan.users, 1, {}), {}
    for i, name in ipairs(plan.targets) do clients[i] = run.clients[name] end
    self.load = core.new {
        wishes = self.owned and self:wishes(run.plan) or nil,
        wallets = accounts, targets = clients, feed = run.feed, kind = plan.kind, stages = plan.stages, pick = plan.pick,
        seed = run.plan.seed, stream = "load/0", late = plan.late_seconds, recover = plan.recover_seconds,
    }
    local after = math.max(0, (run:slot_start_ms(run.s0) - task.wall_ms()) / 1000)
    self.began = run:now() + after
    self.load:start(after)
    self.load:wait "sent"
end

--- "sent 120/375  included 98", for the screen.
---@return string|nil
function Load:status()
    if not self.load then return nil end
    local c = self.load:counts()
    return ("sent %d/%d  included %d"):format(c.sent, self.plan.planned, c.included)
end

--- True when each accepted transaction is where it should be, on the chain that all live nodes share.
function Load:all_there(final)
    local settled = self.load:settle()
    local c = self.load:counts()
    return settled and c.open == 0 and (not final or c.open_final == 0)
end

--- After the window: waits until what was accepted is on the chain (final, when an expectation asks for that), never longer than the
--- bound, and takes the account.
---@param run table
---@param stuck fun(): boolean whether the chain has stopped
function Load:settle(run, stuck)
    local load = self.load
    if not load then return end
    if run.ended_early then load:stop() end
    local from, bound = task.now(), self.plan.settle_seconds
    local function left() return math.max(0, from + bound - task.now()) end
    if not load:wait("sent", left()) then load:abort() end
    local final = run.plan.wants_finality
    while left() > 0 and not self:all_there(final) and run.ended_early ~= "stalled" and not stuck() do
        load:wait(final and "final" or "included", math.min(left(), 0.5))
        wait.sleep(math.min(left(), 0.05, run.plan.slot_seconds / 2))
    end
    load:settle()
    local s1 = run.ended_slot or run.s1
    self.unsettled = run:figures(run.s0, s1).common_slot < s1
    self:take(run)
    self.settled = true
    run.record:event("transactions", self:counts())
end

--- How many, for the record.
function Load:counts()
    local a, counts = self.account, {}
    for _, name in ipairs { "planned", "sent", "accepted", "included", "final", "rejected", "unanswered", "lost", "pending" } do
        counts[name] = a[name]
    end
    return counts
end

--- The account so far. What is under way when nobody waits any more is given up.
---@param run table
---@return table|nil account
function Load:take(run)
    if self.account or not self.load then return self.account end
    self.load:stop()
    if not self.load:wait("sent", 0) then self.load:abort() end
    self.load:forget()
    self.account = self:report(run)
    if self.plan.kind == "transfer" then self:find_roots(run.plan.accounts) end
    if #self.plan.stages > 1 then self.account.stages = stages_of(self.load, self.plan.stages) end
    self:tell_times(run)
    return self.account
end

--- The times of all transactions into the record, which the account only sums up.
function Load:tell_times(run)
    for first = 1, self.account.planned, ROWS do
        local event = self.load:times(first, math.min(first + ROWS - 1, self.account.planned))
        event.first, event.began = first, self.began
        run.record:event("transaction_times", event)
    end
end

--- A lost transfer takes with it what its wallet built on its change: tells the two apart, the former first.
function Load:find_roots(accounts)
    local roots, after, built = {}, {}, {}
    table.sort(self.account.lost_list, function(a, b) return a.number < b.number end)
    for _, one in ipairs(self.account.lost_list) do
        one.after_lost = one.after_lost or built[one.hash] or false
        table.insert(one.after_lost and after or roots, one)
        for i, hash in ipairs(accounts[(one.number - 1) % self.plan.users + 1]:dropped(one.hash)) do
            built[hash] = i > 1 or built[hash]
        end
    end
    self.account.after_lost = #after
    self.account.lost_list = table.move(after, 1, #after, #roots + 1, roots)
end

--- What scripts get (ctx:transactions): the account at the end, or the state of things before it.
---@return table|nil
function Load:look(run)
    return self.account or self.load and self:report(run)
end

function Load:report()
    return self.load:report { allowance = self.plan.allowance_seconds or 0, list = LIST }
end

--- How many of the included took longer than `seconds` from their intended time. In slices: the loop goes on.
---@param seconds number
---@return integer
function Load:later_than(seconds)
    local latency, late = self.account.latency.included, 0
    if latency.n == 0 or latency.max <= seconds then return 0 end
    for i = 1, self.account.planned do
        local one = self.load:transaction(i)
        if one.answer == "accepted" and one.block and one.included - one.intended > seconds then late = late + 1 end
        if i % 1000 == 0 then wait.sleep(0) end
    end
    return late
end

local function quantiles(values)
    table.sort(values)
    local out = { n = #values }
    for name, q in pairs { p50 = 0.5, p95 = 0.95, p99 = 0.99 } do out[name] = values[math.max(1, math.ceil(q * #values))] end
    return out
end

--- What became of the transactions that were meant to be sent in a window of slots. In slices: the loop goes on.
---@param run table
---@param window integer[] {first, last + 1}
---@return table|nil
function Load:within(run, window)
    if not self.load then return nil end
    local from, to = (window[1] - run.s0) * run.plan.slot_seconds, (window[2] - run.s0) * run.plan.slot_seconds
    local out, times = { sent = 0, accepted = 0, included = 0, final = 0 }, { accepted = {}, included = {}, final = {} }
    for i = 1, self.load:counts().sent do
        local one = self.load:transaction(i)
        if one.intended >= from and one.intended < to then
            out.sent = out.sent + 1
            for stage, list in pairs(times) do
                local at = (stage ~= "accepted" or one.answer == "accepted") and one[stage]
                if at then
                    out[stage], list[#list + 1] = out[stage] + 1, at - one.intended
                end
            end
        end
        if i % 1000 == 0 then wait.sleep(0) end
    end
    out.latency = {}
    for stage, list in pairs(times) do out.latency[stage] = quantiles(list) end
    return out
end

-- ---- the summary

local function ms(latency)
    if latency.n == 0 then return { n = 0 } end
    local out = { n = latency.n }
    for _, name in ipairs { "p50", "p95", "p99", "mean", "max" } do
        out[name] = tonumber(("%.3f"):format(latency[name] * 1000))
    end
    return out
end

--- The section `transactions` of summary.json.
---@return table|nil
function Load:summary()
    local a = self.account
    if not a then return nil end
    local out = { plan = self.plan.planned, kind = self.plan.kind, users = self.plan.users }
    for _, name in ipairs { "planned", "unsent", "sent", "under_way", "accepted", "rejected", "unanswered", "accepted_included",
        "pending", "lost", "orphaned", "repeated",
        "expired", "included", "final", "reorganised_out", "after_lost", "two_branches", "twice", "retried" } do
        out[name] = a[name]
    end
    out.latency_ms = { accepted = ms(a.latency.accepted), included = ms(a.latency.included), final = ms(a.latency.final) }
    out.lag_ms = ms(a.lag)
    out.lag_ms.late, out.lag_ms.late_share, out.lag_ms.held = a.lag.late, a.lag.late_share, a.lag.held
    out.signing_us = a.signing.n > 0 and tonumber(("%.1f"):format(1e6 * a.signing.seconds / a.signing.n)) or 0
    out.reasons, out.stages = a.reasons, a.stages
    out.lost_list = table.move(a.lost_list, 1, math.min(KEPT, #a.lost_list), 1, {})
    return out
end

return M
