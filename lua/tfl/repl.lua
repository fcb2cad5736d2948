--- `tfl repl`: a cluster that runs while you type; and the same on a cluster whose run has failed (--repl-on-failure).
local commands = require "tfl.repl.commands"
local context = require "tfl.context"
local duration = require "tfl.duration"
local hand = require "tfl.hand"
local loader = require "tfl.loader"
local plans = require "tfl.plan"
local runner = require "tfl.runner"
local session = require "tfl.repl.session"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local terminal = require "tfl.repl.terminal"
local text = require "tfl.text"
local wait = require "tfl.core.wait"

local M = {}

--- How long a session may last when -t does not say it, and what its cluster has.
local SECONDS, NODES, WALLETS = 12 * 3600, 3, 10

--- So long before the end of the window a session is ended.
local LAST_SECONDS = 0.5

local HINTS = {
    { "node(1):kill()", "or stop, pause, start, isolate(1), heal(), …" },
    { "node(0):client():consensus_info()", "ask a node" },
    { ":load 20 30s", "20 transactions a second" },
    { ":tree", "blocks and forks of the last heights" },
    { ":help", "all the rest; :quit or Ctrl-D ends it" },
}

local function greet(one)
    local plan = one.run.plan
    local chain = plan.chain and ("slots of %s, f = %g, k = %d"):format(duration.show(plan.slot_seconds), plan.f, plan.security_param)
    one:say("tfl repl · %s · %s · %s · seed %d", plan.deployer, plan.topology:describe(), chain or "no chain", plan.seed)
    one.terminal:print(table.concat(commands.node_table(one), "\n"))
    for _, hint in ipairs(HINTS) do one:say("  %-35s %s", hint[1], hint[2]) end
end

--- Ends a session before its run would be ended. Gives what is to be closed with the session.
local function time_over(one)
    local run = one.run
    local clock = task.spawn("repl.clock", function()
        repeat
            wait.sleep(math.max(0.05, math.min(60, run:remaining() - LAST_SECONDS)))
        until run:remaining() <= LAST_SECONDS
        one.terminal:tell("the time of this session is over; -t 24h gives it more")
        one:stop()
    end)
    return setmetatable({}, { __close = function() clock:cancel() end })
end

--- Runs a session on the cluster of ctx until it ends; the terminal is given back whatever happens.
---@param ctx table
---@param greeting fun(session: tfl.ReplSession)
---@param bound? fun(session: tfl.ReplSession): table what ends it in time; to be closed with it
---@return boolean whether a line failed
local function converse(ctx, greeting, bound)
    local run = ctx.run
    local term <close> = terminal.open()
    local one = session.new(ctx, term)
    local ui = run.ui
    local _ <close> = setmetatable({}, { __close = function() run.session, run.ui = nil, ui end })
    run.session, run.ui = one, {
        phase = function() end, tick = function() end, line = function(_, line) term:tell(line) end, close = function() end,
    }
    ctx.owner.looked, ctx.owner.name = true, "repl"
    local _ <close> = bound and bound(one)
    if term.interactive then greeting(one) end
    one:loop()
    return one.failed
end

-- ---- tfl repl

--- One line that tells how far the start is, and nothing of the rest.
local function start_screen(plan)
    local live = sys.isatty(2) and terminal.interactive()
    local function draw(line) if live then sys.write(2, "\r" .. line .. "\27[K") end end
    return {
        phase = function(_, _, name)
            local telling = { deploy = true, ready = true, genesis = true, teardown = true }
            draw(telling[name] and ("%s: %s"):format(plan.topology:describe(), name) or "")
        end,
        tick = function() end,
        line = function(_, line) sys.write(2, text.clean(line) .. "\n") end,
    }
end

--- The scenario of a session: the cluster of a file, or a plain one; of a file's workloads and expectations nothing is run.
local function scenario_of(args, options, fn)
    if not args.files then
        local context_of_file = { params = {}, declared = {}, scenarios = {} }
        return hand.script(context_of_file, "repl", { nodes = options.nodes or NODES, wallets = WALLETS, duration = SECONDS }, fn)
    end
    local list = loader.load(args.files, options)
    local made = list[1]
    if #list > 1 then sys.write(2, ("tfl: %s has %d scenarios; this is the cluster of %s\n"):format(args.files, #list, made.name)) end
    return hand.on(made, { wallets = WALLETS, duration = SECONDS }, fn)
end

---@param args table {files = scenario file|nil, …}
---@param options table of the command line
---@return integer exit code
function M.run(args, options)
    local failed = false
    local made = scenario_of(args, options, function(ctx)
        failed = converse(ctx, greet, time_over)
    end)
    options.file = args.files or "repl"
    local plan = plans.build(made, options)
    plan.by_hand, plan.keep = "-t 24h", args.keep
    local summary = runner.run(plan, start_screen(plan))
    if summary.verdict ~= "pass" then
        local shown = text.summary(summary, sys.isatty(2) and not os.getenv "NO_COLOR")
        sys.write(2, sys.isatty(2) and text.fit(shown, (sys.columns())) or shown)
    elseif terminal.interactive() then
        sys.write(1, ("all is cleaned up; what happened is in %s\n"):format(summary.dir))
    end
    if summary.exit_code ~= 0 then return summary.exit_code end
    return failed and not terminal.interactive() and 1 or 0
end

-- ---- --repl-on-failure

local FAILED = { fail = true, infra = true, usage = true }

--- Why the run did not pass: lines.
local function reasons(run)
    local lines = {}
    for _, problem in ipairs(run.problems) do
        if FAILED[problem.verdict] then lines[#lines + 1] = ("  ✗ %s"):format(problem.message) end
    end
    for _, owner in ipairs(run.owners) do
        local j = owner.judgement
        if j and FAILED[j.verdict] then lines[#lines + 1] = ("  ✗ %s  %s"):format(owner.name, j.message) end
    end
    return lines
end

--- Opens a session on a run that has failed, before its cluster is taken down. For plan.before_teardown.
---@param run table
function M.on_failure(run)
    local why = reasons(run)
    if run.interrupted or #why == 0 or #run:live_nodes() == 0 then return end
    if run.feed then run.feed_figures = run:last_figures() end -- those of the verdict, not of what is done from here on
    run:phase "prompt"
    local owner = run:owner("workload", { name = "repl" })
    run.owners[#run.owners + 1] = owner -- what it leaves is ended with the others
    run.plan.control = run.plan.control or { links = false }
    run.plan.by_hand = "-t 24h"
    if run.ui.close then run.ui:close() end
    local work = task.spawn("repl", function()
        converse(context.new(run, owner), function(one)
            one:say("tfl repl · the run %s has failed; its cluster runs until :quit", run.plan.name)
            one.terminal:print(table.concat(why, "\n"))
            one.terminal:print(table.concat(commands.node_table(one), "\n"))
            one:say "  :help tells the commands"
        end)
    end)
    owner.tasks[work] = true
    work:wait() -- an interrupt ends it, as all of an owner
    local ok, err = work:result()
    if ok == false then run:problem("infra", err) end
end

return M
