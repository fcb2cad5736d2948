--- The runner: takes a plan through deploy → ready → genesis → capture → run → cooldown → settle → evaluate →
--- teardown, and gives a summary. Whatever happens on the way, teardown runs and the record is closed.
---
--- Two tasks: `body` walks the phases and may be cut short at any moment (a node died, Ctrl-C, a script error, the chain
--- stands still); the caller's task waits for it, judges what there is, and cleans up.
local agreement = require "tfl.agreement"
local context = require "tfl.context"
local errors = require "tfl.errors"
local faults = require "tfl.faults"
local proc = require "tfl.core.proc"
local record = require "tfl.core.record"
local block_feed = require "tfl.core.block_feed"
local host_watch = require "tfl.host_watch"
local output = require "tfl.output"
local settle = require "tfl.settle"
local summary = require "tfl.summary"
local task = require "tfl.core.task"
local telemetry = require "tfl.telemetry"
local topology = require "tfl.core.topology"
local wallets = require "tfl.wallets"
local wait = require "tfl.core.wait"

local M = {}
local Run = {}
Run.__index = Run
for _, part in ipairs { require "tfl.exits", require "tfl.hooks", require "tfl.members", (require "tfl.view") } do
    for name, method in pairs(part) do Run[name] = method end
end

-- ---- time

function Run:now() return task.now() - self.t0 end

--- The slot of the wall clock; negative before genesis.
function Run:current_slot()
    return (task.wall_ms() - self.genesis_ms) // self.plan.slot_ms
end

--- The same for the journal; nil before genesis is set.
function Run:slot_now() return self.genesis_ms and self:current_slot() end

--- Sleeps until a slot begins by the wall clock, whatever jumps that makes.
function Run:sleep_until_slot(slot)
    while true do
        local left = (self:slot_start_ms(slot) - task.wall_ms()) / 1000
        if left <= 0 then return end
        wait.sleep(math.min(left, 0.5))
    end
end

function Run:slot_start_ms(slot) return self.genesis_ms + slot * self.plan.slot_ms end

function Run:remaining()
    if not self.s1 then return self.plan.window_slots * self.plan.slot_seconds end
    return math.max(0, (self:slot_start_ms(self.s1) - task.wall_ms()) / 1000)
end

-- ---- phases and what cuts them short

function Run:phase(name)
    local now = self:now()
    local last = self.phases[#self.phases]
    if last then last.seconds = now - last.from end
    self.phases[#self.phases + 1] = { name = name, from = now }
    self.record:event("phase", { name = name })
    self.ui:phase(self, name)
end

--- A finding that is nobody's expectation: a crash, a script error, an infra error. The heaviest decides.
---@param verdict string "fail" | "infra" | "usage" | "interrupted"
function Run:problem(verdict, err)
    self.problems[#self.problems + 1] = { verdict = verdict, code = err.code, message = err.message, node = err.node }
    self.record:event("problem", { verdict = verdict, code = err.code, message = err.message, node = err.node })
end

--- Ends the body where it is; the root task goes on with what is left to do.
function Run:stop()
    if not self.body_over then
        self.body_over = true
        self.over:notify()
    end
end

--- The window ends now: the rest cannot change the verdict.
function Run:end_capture(why)
    if self.ended_early or self.window_over then return end
    self.ended_early, self.ended_slot = why, self:current_slot()
    self.record:event("capture_ended", { reason = why, slot = self.ended_slot })
    self.capture_over:notify()
end

--- A task of the run's own that ends with the run at the latest.
function Run:watch(name, fn)
    self.watchers[#self.watchers + 1] = task.spawn(name, fn)
end

-- ---- the phases

--- Calls fn(node) for all nodes at once; raises the first error in the order of the nodes.
function Run:each_node(fn)
    local tasks = {}
    for i, node in ipairs(self.nodes) do
        tasks[i] = task.spawn(node.name, fn, node)
        table.insert(self.watchers, tasks[i])
    end
    for _, one in ipairs(tasks) do
        one:wait()
        local ok, err = one:result()
        if ok == false then error(err, 0) end
    end
end

function Run:deploy()
    local plan, deployer = self.plan, self.deployer
    self:phase "deploy"
    deployer:prepare(plan)
    local slow = os.getenv "SLOW_TEST_ENV" == "true" and 2 or 1
    self.genesis_ms = task.wall_ms() + math.ceil(slow * deployer:genesis_delay_ms(#plan.nodes))
    self.genesis_ms = self:genesis_time(self.genesis_ms)
    self.genesis_s = (self.genesis_ms - self.started_ms) / 1000
    plan.genesis_time_ms = self.genesis_ms
    local told = deployer:genesis_id()
    plan.genesis_id = plan.mantle and (told or told == nil and topology.genesis_id(plan)) or nil
    wallets.fund(plan)
    self.record:set_genesis { genesis_time_ms = self.genesis_ms, slot_ms = plan.slot_ms }
    if plan.link_shape then self.faults:shape("all", "all", plan.link_shape, false, "plan") end
    self.record:write("plan.json", require("tfl.core.json").encode(summary.plan(plan), true))
    for _, node in ipairs(self.nodes) do self.clients[node.name] = deployer:client(node) end
    self:each_node(function(node)
        if plan.hand and plan.hand.snapshot then self:restore(node, plan.hand.snapshot) end
        if node.late or node.absent then return self.faults:absent(node) end
        deployer:start(node)
        self.started[node.name], self.pids[node.name] = true, deployer:pid(node.name)
    end)
    self.exits_watch = task.spawn("exits", self.watch_exits, self)
end

function Run:ready()
    local plan = self.plan
    self:phase "ready"
    self.deployer:wait_ready(self:live_nodes(), plan.ready_seconds)
    self:print_endpoints()
    telemetry.announce(self)
    if not plan.chain then return end
    self.feed = block_feed.new {
        genesis_id = plan.genesis_id, genesis_time_ms = plan.slots and self.genesis_ms or nil, slot_ms = plan.slot_ms,
        security_param = plan.k_deep and plan.security_param or nil,
    }
    for _, name in ipairs(self:live_nodes()) do self:follow(self:entry(name)) end
    if plan.wants_agreement then self.agreement = agreement.follow(self) end
end

--- Waits for genesis and until every node is online; then the window is known.
function Run:genesis()
    local plan = self.plan
    self:phase "genesis"
    if not (plan.hand and plan.hand.genesis) then -- else whoever drives it by hand begins before
        self:sleep_until_slot(0)
        self:wait_online(self:live_nodes())
    end
    self.all_ready = true
    self.s0 = math.max(0, self:current_slot() + 1)
    self.s1 = self.s0 + plan.window_slots
    self.record:event("window", { s0 = self.s0, s1 = self.s1 })
end

function Run:capture()
    self:phase "capture"
    for _, owner in ipairs(self.expectations) do self:hook(owner, "start_capture", owner.ctx) end
end

--- Calls check_during_capture of an expectation every second (of short slots, every five) until the window ends.
function Run:check_loop(owner)
    while not self.ended_early and not self.window_over do
        wait.sleep(math.max(0.25, math.min(1, 5 * self.plan.slot_seconds)))
        if self.ended_early or self.window_over then return end
        owner.checking = true
        if not self:hook(owner, "check_during_capture", owner.ctx) then return end
        owner.checking, owner.checked = false, true
    end
end

function Run:run_window()
    local plan = self.plan
    self:phase "run"
    local running = 0
    for _, owner in ipairs(self.workloads) do
        running = running + 1
        self:watch(owner.name, function()
            self:hook(owner, "start", owner.ctx)
            running = running - 1
            if running == 0 and not plan.liveness and not plan.duration_stated then self:end_capture "workloads done" end
        end)
    end
    for _, owner in ipairs(self.expectations) do
        if owner.object.check_during_capture then self:watch("check", function() self:check_loop(owner) end) end
    end
    local ends = self:slot_start_ms(self.s1)
    while not self.ended_early and task.wall_ms() < ends do
        self.capture_over:wait(math.min(0.5, math.max(0.001, (ends - task.wall_ms()) / 1000)))
    end
    for _ = 1, 100 do -- a session is ended by its own clock just before; a busy host is late for that
        if not self.session or running == 0 or self.ended_early then break end
        wait.sleep(0.05)
    end
    self.window_over = true
    if plan.hand and running > 0 and not self.ended_early then self:not_over() end
end

function Run:cooldown()
    self:phase "cooldown"
    for _, owner in ipairs(self.workloads) do Run.cancel_tasks(owner) end
    self.faults:finish()
end

function Run:body()
    for _, owner in ipairs(self.owners) do
        if owner.object.init then
            self:hook(owner, "init", summary.topology(self.plan), self:metrics())
        end
    end
    self:deploy()
    self:ready()
    self:genesis()
    self:capture()
    self:run_window()
    self:cooldown()
    self:phase "settle"
    settle.wait(self)
end

-- ---- judging and the end

--- Evaluates every expectation of a run that got through its window; of another one only safety, when there is a feed.
function Run:evaluate()
    self:phase "evaluate"
    self:judge_faults()
    for _, owner in ipairs(self.expectations) do
        local whole = not self.cut_short or owner.name == "safety" and self.feed
        local fine = true
        if not owner.judgement and whole then fine = self:hook(owner, "evaluate", owner.ctx) end
        if not fine and not owner.judgement then
            owner.judgement = {
                verdict = self.interrupted and "inconclusive" or "usage", code = "not_evaluated",
                message = "its evaluate did not come to an end",
            }
        elseif not owner.judgement and owner.checking and not owner.checked then
            owner.judgement = {
                verdict = "inconclusive", code = "not_evaluated",
                message = "its check_during_capture did not come to an end within the window",
            }
        elseif not owner.judgement and whole and not owner.looked and not (owner.by and owner.by.looked) then
            owner.judgement = {
                verdict = "inconclusive", code = "no_sample",
                message = "neither it nor its workload saw an event or an answer of a node, so it could not have failed; "
                    .. "look at one through ctx",
            }
        elseif not owner.judgement then
            owner.judgement = whole and { verdict = "pass", code = "ok", message = "" } or {
                verdict = "inconclusive", code = "not_evaluated", message = "the run ended before it could be judged",
            }
        end
        Run.cancel_tasks(owner)
    end
end

function Run:teardown()
    wait.sleep(0.01) -- news of a node that died a moment ago is still on its way
    self.tearing_down, self.stopped_by = true, {} -- all end gracefully now
    self:ask_peers()
    self:phase "teardown"
    telemetry.withdraw(self)
    for _, owner in ipairs(self.owners) do Run.cancel_tasks(owner) end
    self.host:stop()
    if self.plan.load then self.plan.load:take(self) end
    if self.feed then self.feed_figures = self.feed_figures or self:last_figures() self.feed:close() end
    for _, step in ipairs { function() self.deployer:cleanup() end, proc.guardian_bye } do
        local ok, err = pcall(step)
        if not ok then self:trouble(err) end
    end
    if self.exits_watch then -- how the last ones ended is still to be told
        self.exits_watch:wait(1)
        self.exits_watch:cancel()
    end
    for _, watcher in ipairs(self.watchers) do watcher:cancel() end
end

--- Runs the body until it ends or is cut short.
function Run:walk()
    local body = task.spawn("body", self.body, self)
    self:watch("interrupt", function()
        local signum = wait.wait_interrupt()
        self.interrupted = signum
        self.record:event("interrupted", { signal = signum })
        self:stop()
        for _, owner in ipairs(self.owners) do Run.cancel_tasks(owner) end
    end)
    local ended = task.spawn("body-end", function()
        body:wait()
        self.over:notify()
    end)
    if body:status() == "running" and not self.body_over then self.over:wait() end
    ended:cancel()
    local ok, err, traceback = body:result()
    if ok == nil then
        self.cut_short = true
        body:cancel()
    elseif ok == false then
        self.cut_short = true
        if type(err) ~= "table" then err = errors.new("internal", "%s\n%s", tostring(err), traceback or "") end
        local told = false -- watch_exits saw it first
        for _, problem in ipairs(self.problems) do
            told = told or err.code == "exited" and problem.code == "exited" and problem.node == err.node
        end
        if not told then self:trouble(err) end
    end
end

--- Runs a plan and gives its summary.
---@param plan table of tfl.plan
---@param ui table {phase, line, tick}: see tfl.screen
---@return table summary
function M.run(plan, ui)
    local run = setmetatable({
        plan = plan, ui = ui, t0 = task.now(), started_ms = task.wall_ms(), phases = {}, problems = {}, exits = {},
        stopped_by = {}, crashed = {}, warnings = {},
        clients = {}, pids = {}, peers = {}, stakes = {}, nodes = {}, started = {},
        paused = {}, dialled = {}, feeders = {}, over = wait.signal(), capture_over = wait.signal(), owners = {},
        expectations = {}, workloads = {}, watchers = {},
    }, Run)
    for i, node in ipairs(plan.nodes) do -- copies: whom a node dials may change
        run.nodes[i] = {}
        for key, value in pairs(node) do run.nodes[i][key] = value end
        run.stakes[node.name] = node.stake
    end
    for _, node in ipairs(run.nodes) do
        node.planned, node.planned_degree = node.dials, node.degree
        run:dials(node, node.dials)
    end
    run.faults = faults.new(run)
    run.record = output.take(plan.out, record.open, {
        scenario = plan.name, seed = plan.seed, run_id = plan.run_id, out = plan.out,
        keep = plan.keep or plan.backend.keeps and plan.backend.keeps(),
    })
    run.dir = run.record:dir()
    if plan.context then plan.context.signer = wallets.signer(plan) end
    local started, err = pcall(function()
        proc.guardian_start { run_id = plan.run_id, dir = run.dir }
        run.deployer = plan.backend.new {
            run_id = plan.run_id, dir = run.dir, event = function(...) run.record:event(...) end,
            problem = function(e) run:trouble(e) run:stop() end,
            say = function(said) run:say(plan.deployer, said) end,
            stalled = function(seconds, ago) run.faults:stalled(seconds, ago) end,
        }
        local by = {}
        for i, object in ipairs(plan.workloads) do
            run.workloads[i] = run:owner("workload", object)
            run.owners[i], by[object] = run.workloads[i], run.workloads[i]
        end
        for i, object in ipairs(plan.expectations) do
            run.expectations[i] = run:owner("expectation", object)
            run.expectations[i].by = by[plan.brought_by[object]]
            table.insert(run.owners, run.expectations[i])
        end
        for _, owner in ipairs(run.owners) do owner.ctx = context.new(run, owner) end
        run.host = host_watch.start(run)
    end)
    if not started then
        pcall(proc.guardian_bye)
        run.record:close()
        error(err, 0)
    end
    run:walk()
    run:evaluate()
    if plan.before_teardown then plan.before_teardown(run) end
    run:teardown()
    return summary.finish(run)
end

return M
