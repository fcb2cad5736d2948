--- The command line: reads it with argparse, does what it says, returns the exit code.
local argparse = require "argparse"
local bundle = require "tfl.bundle"
local deployers = require "tfl.deployers"
local duration = require "tfl.duration"
local engines = require "tfl.deployers.compose.engine"
local env = require "tfl.env"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local junit = require "tfl.junit"
local kinds = require "tfl.kinds"
local loader = require "tfl.loader"
local matrix = require "tfl.matrix"
local plan = require "tfl.plan"
local proc = require "tfl.core.proc"
local purge = require "tfl.deployers.compose.purge"
local report = require "tfl.report"
local repl = require "tfl.repl"
local runner = require "tfl.runner"
local screen = require "tfl.screen"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"
local test_command = require "tfl.test_command"
local text = require "tfl.text"
local verdict = require "tfl.verdict"

local M = {}
local commands = { "run", "check", "matrix", "repl", "test", "report", "clean", "doctor", "help", "version" }
local USAGE, INFRA = 2, 3

local unwritten = false

local function say(fd, fmt, ...)
    local ok = sys.write(fd, select("#", ...) > 0 and string.format(fmt, ...) or fmt)
    unwritten = unwritten or fd == 1 and not ok
end

-- ---- arguments

local function whole(name, least)
    return function(value)
        local n = math.tointeger(tonumber(value))
        if not n or n < least then
            return nil, string.format("%s %s: a whole number from %d was expected", name, value, least)
        end
        return n
    end
end

local function time(value)
    local seconds = tonumber(value)
    local ok, err = pcall(duration.to_seconds, seconds or value, { slot_seconds = 1, f = 1 }, "-t")
    if not ok then return nil, err.message end
    return seconds or value
end

local function key_value(value)
    local key, rest = value:match "^([%w_]+)=(.*)$"
    if not key then return nil, string.format("-p %s: KEY=VALUE was expected", value) end
    return { key, rest }
end

--- `--report FILE.lua` would take the scenario for the report, and write over it.
local function html_file(value)
    if value:match "%.html?$" then return value end
    return nil, string.format("--report %s: a file that ends in .html was expected; put the scenario before --report", value)
end

local function shared(command, how_many)
    command:argument("files", "scenario file"):args(how_many or "+")
    command:option("-d --deployer", "where the nodes run: local (this host; also called host), compose (Docker), k8s (Kubernetes), or "
        .. "a tfl.deployer of the file"):default "local"
    command:option("-n --nodes", "number of nodes"):convert(whole("-n", 0))
    command:option("-t --time", "duration of the window: 30s, 500ms, 2m"):convert(time)
    command:option("-p --param", "parameter of the scenario, KEY=VALUE"):count "*":convert(key_value)
    command:option("--seed", "seed of every random choice"):convert(whole("--seed", 0))
    command:option("--replay", "make the faults of an earlier run: its folder")
end

local function parser()
    local p = argparse("tfl", "tfl: scenarios for multi-node blockchain networks. `tfl FILE.lua` is `tfl run FILE.lua`.")
    p:add_help(false):help_max_width(96):command_target "command"
    p:epilog("tfl help run, check, matrix: their options. tfl help env, exit, scenario, transactions, faults, hand, repl, "
        .. "extending, deployer: a screen each.")
    local by_name = {}
    local function command(name, about)
        by_name[name] = p:command(name, about):add_help(false)
        return by_name[name]
    end
    local run = command("run", "run scenarios, one after the other")
    shared(run)
    run:option("--out", "folder for the evidence of one run; an earlier run in it is replaced")
    run:option("--attach", "with -d compose: drive and control a stack that runs, and leave it up"):argname "PROJECT"
    run:flag("--keep", "keep the node data of runs that pass, too")
    run:flag("--json", "end stdout with the summary as one line of JSON")
    run:option("--junit", "write JUnit XML to this file")
    run:flag("-q --quiet", "only the summary")
    run:option("--inconclusive", "count inconclusive as this"):choices { "fail", "pass" }
    run:option("--report", "write an HTML report to this .html file (report.html in the run's folder)"):args "?":convert(html_file)
    run:flag("--repl-on-failure", "open tfl repl on the cluster of a run that fails, before it is taken down")
    shared(command("check", "print the plan and what it would take to pass; start nothing"))
    matrix.options(command("matrix", "run scenarios with many values and seeds, several at once"), {
        whole = whole, key_value = key_value, html_file = html_file,
    })
    shared(command("repl", "start a cluster, of a scenario or plain, and drive it by hand (tfl help repl)"), "?")
    local test = command("test", "run busted specs of your own, which may use tfl.cluster")
    test:argument("files", "spec file or folder"):args "+"
    test:option("-d --deployer", "where the nodes run: local, compose, k8s, or a tfl.deployer of the specs"):default "local"
    test:option("--filter", "only tests whose name holds this Lua pattern")
    test:option("--seed", "seed of every cluster that names none"):convert(whole("--seed", 0))
    local made = command("report", "write one HTML file that shows what happened in a run, or in the runs of a matrix")
    made:argument("folder", "folder of a run, or of a matrix")
    made:option("--out", "the file (report.html in that folder)")
    local clean = command("clean", "undo what dead runs left behind")
    clean:option("--containers", "only what the run of this id has in Docker, whether it is dead or not")
    clean:option("--docker", "with --containers: where the engine is"):argname "HOST"
    command("doctor", "tell what of this machine can be used")
    command("version", "print the version")
    command("help", "print help on a command or topic"):argument("topic", "command or topic"):args "?"
    return p, by_name
end

--- `tfl FILE …` means `tfl run FILE …`: any first word that is no command and no option.
local function parse(argv)
    local args = table.move(argv, 1, #argv, 1, {})
    if #args == 0 then args = { "help" } end
    if args[1] == "--version" then args = { "version" } end
    for _, word in ipairs(args) do
        if word == "--help" or word == "-h" then args = { "help", args[1] ~= word and args[1] or nil } end
    end
    local known = false
    for _, name in ipairs(commands) do known = known or args[1] == name end
    if not known then
        local first = args[1]
        if not first:find "[%./]" and first:sub(1, 1) ~= "-" and not sys.stat(first) then
            errors.usage("%s: neither a command nor a file%s", first, suggest.hint(first, commands))
        end
        table.insert(args, 1, "run")
    end
    local p = parser()
    local ok, result = p:pparse(args)
    if not ok then errors.usage("%s (tfl help tells more)", (result:gsub("^Error: ", ""))) end
    return result
end

-- ---- the environment

local function environment_number(name, whole_number)
    local value = os.getenv(name)
    if not value or value == "" then return nil end
    local n = tonumber(value)
    if n and whole_number then n = math.tointeger(n) end
    if not n or n < 0 then
        errors.usage("%s=%s: a %s was expected", name, value, whole_number and "whole number" or "number of seconds")
    end
    return n
end

--- Says which variables are set that look like tfl's and are not.
local function warn_of_environment()
    for _, line in ipairs(env.warnings(env.names_in(sys.read_file "/proc/self/environ" or ""))) do say(2, "tfl: %s\n", text.clean(line)) end
end

--- The seed of the run in a folder, so that a replay has its leaders and loads, too.
local function replayed_seed(dir)
    if not dir then return nil end
    local content = sys.read_file(dir .. "/plan.json")
    local old = content and json.decode(content)
    if type(old) ~= "table" or math.type(old.seed) ~= "integer" then
        errors.usage("--replay %s: there is no plan.json of a run in that folder", dir)
    end
    return old.seed
end

--- The stack that --attach names; its seed and nodes are those of the run. Waits.
local function attach(args)
    if args.deployer ~= "compose" then errors.usage("--attach %s: that is for -d compose", args.attach) end
    local stack = require("tfl.deployers.compose.attach").find(args.attach)
    for flag, said in pairs { seed = args.seed, nodes = args.nodes } do
        local its = flag == "seed" and stack.seed or stack.started
        if said ~= its then errors.usage("--%s %d: of the stack %s it is %d; leave the flag out", flag, said, args.attach, its) end
    end
    return stack
end

--- What flags and environment say, flags first.
local function options_of(args)
    local params = {}
    for _, pair in ipairs(args.param or {}) do params[pair[1]] = pair[2] end
    local function flag(name, read)
        local value = params[name]
        params[name] = nil
        if value == nil then return nil end
        local result, message = read(value)
        if result == nil then errors.usage("%s", message) end
        return result
    end
    local slow = os.getenv "SLOW_TEST_ENV"
    if slow and slow ~= "" and slow ~= "true" and slow ~= "false" then
        errors.usage("SLOW_TEST_ENV=%s: true or false was expected", slow)
    end
    local range = os.getenv "TFL_PORTS"
    if range and not require("tfl.core.local").ports_range(range) then
        errors.usage("TFL_PORTS=%s: a range of at least 32 ports within 20000-32767 was expected, as 24000-24999", range)
    end
    bundle.named()
    local format = os.getenv "TFL_LOG_FORMAT"
    local shaped, shape = sys.log_configure("", format)
    if not shaped then errors.usage("TFL_LOG_FORMAT=%s: %s", format, shape) end
    local ok, message = sys.log_configure(os.getenv "TFL_LOG" or os.getenv "RUST_LOG" or "", format)
    if not ok and os.getenv "TFL_LOG" then errors.usage("TFL_LOG: %s", message) end
    local stack = args.attach and attach(args)
    return {
        attach = stack,
        deployer = args.deployer, params = params, out = args.out, replay = args.replay,
        seed = stack and stack.seed or args.seed or replayed_seed(args.replay),
        -- -p nodes= and -p duration= are the same flags by their other name
        nodes = stack and stack.started or args.nodes or flag("nodes", whole("-p nodes", 0))
            or environment_number("LOGOS_BLOCKCHAIN_DEMO_NODES", true),
        duration = args.time or flag("duration", time) or environment_number "LOGOS_BLOCKCHAIN_DEMO_RUN_SECS",
    }
end

-- ---- commands

--- The plans of all files: whatever is wrong in any of them is told before anything starts.
local function plans_of(args)
    local options, plans = options_of(args), {}
    local kept = os.getenv "LOGOS_BLOCKCHAIN_TESTS_KEEP_LOGS"
    for _, file in ipairs(args.files) do
        for _, scenario in ipairs(loader.load(file, options)) do
            options.file = file
            local made = plan.build(scenario, options)
            made.keep = args.keep or kept and kept ~= ""
            made.inconclusive_as = args.inconclusive
            made.before_teardown = args.repl_on_failure and repl.on_failure or nil
            plans[#plans + 1] = made
        end
    end
    if args.report and args.report[1] and #plans > 1 then
        errors.usage("--report takes a file for one run; these are %d (without a file each gets report.html in its folder)", #plans)
    end
    if args.out and #plans > 1 then errors.usage("--out takes the evidence of one run; these are %d", #plans) end
    return plans
end

--- The report that --report asks for. Returns false, with a word on it, when it cannot be made: the run counts all the same.
local function write_report(args, summary)
    local ok, result = pcall(report.write, summary.dir, args.report[1])
    if ok then say(1, "  report    %s\n", text.clean(text.home(result))) else say(2, "tfl: %s\n", text.clean(errors.text(result))) end
    return ok
end

local function run(args)
    local summaries, worst = {}, 0
    local plans = plans_of(args)
    if args.junit then sys.write_file(args.junit, junit.render {}) end -- before the runs: it must not fail after them
    if args.report and args.report[1] then sys.write_file(args.report[1], "") end
    for _, made in ipairs(plans) do
        local ui = screen.new { quiet = args.quiet }
        local ok, summary = pcall(runner.run, made, ui)
        ui:close()
        if not ok then error(summary, 0) end
        summaries[#summaries + 1] = summary
        worst = verdict.worse_exit(worst, summary.exit_code) -- the exit code of several runs is that of the worst
        say(1, text.summary(summary, sys.isatty(1) and not os.getenv "NO_COLOR"))
        if args.report and not write_report(args, summary) and worst == 0 then worst = INFRA end
        if summary.verdict == "interrupted" then break end
    end
    if args.junit then sys.write_file(args.junit, sys.redact(junit.render(summaries))) end
    if args.json then
        for _, summary in ipairs(summaries) do say(1, json.encode(summary) .. "\n") end
    end
    if unwritten then
        say(2, "tfl: the summary could not be written to stdout; it is in the run folder\n")
        if worst == 0 then worst = INFRA end
    end
    return worst
end

local function check(args)
    for _, made in ipairs(plans_of(args)) do
        local liveness = made.liveness
        say(1, "%s\n", text.clean(made.name))
        local function row(name, fmt, ...) say(1, "  %-12s " .. fmt .. "\n", name, ...) end
        row("cluster", "%s on %s, %s", made.topology:describe(), made.deployer, kinds.describe(made.nodes))
        row("chain", made.slots and "slots of %s, f = %g, k = %d, Δ = %d" or "%s", made.slots and duration.show(made.slot_seconds) or
            made.chain and "without slots" or "none that tfl sees", made.f, made.security_param, made.delta)
        row("window", "%d slots (%s)", made.window_slots, duration.show(made.window_slots * made.slot_seconds))
        if liveness then
            row("growth", "%.0f blocks expected, ≥ %d required, no gap of %d slots (%s)", liveness.expected,
                liveness.required, liveness.stall_slots, duration.show(liveness.stall_slots * made.slot_seconds))
        end
        if made.wallets then
            row("wallets", "%d, each with %d in %d note%s", made.wallets.count, made.wallets.balance, made.wallets.notes_each,
                made.wallets.notes_each == 1 and "" or "s")
        end
        if made.load then row("load", "%s", made.load:describe()) end
        if made.chaos then row("chaos", "%s", made.chaos:describe()) end
        local names = {}
        for i, expectation in ipairs(made.expectations) do names[i] = expectation.name end
        row("judged by", "%s", table.concat(names, ", "))
        row("wall time", "about %s", duration.show(made.wall_seconds))
        row("seed", "%d", made.seed)
    end
    return 0
end

local function make_report(args)
    say(1, "%s\n", text.clean(report.write(args.folder, args.out)))
    return 0
end

local function doctor()
    local fine = true
    for _, one in ipairs { { "local", "(this host)" }, { "compose", "(Docker)" }, { "k8s", "(Kubernetes)" } } do
        say(1, "%-10s %s %s\n", "deployer", one[1], one[2])
        for _, row in ipairs(deployers.get(one[1]).doctor()) do
            fine = fine and (row.ok or one[1] ~= "local") -- who has no Docker or cluster can do without
            say(1, "  %s %-9s %s\n", row.ok and "✓" or "✗", row.name, row.message)
        end
    end
    return fine and 0 or INFRA
end

local function clean(args)
    if args.containers then
        purge.run(engines.new(args.docker), "tfl.run=" .. args.containers)
        return 0
    end
    local undone = proc.clean()
    local lines, failed = purge.dead()
    table.move(lines, 1, #lines, #undone.lines + 1, undone.lines)
    for _, line in ipairs(undone.lines) do say(1, "%s\n", text.clean(line)) end
    if #undone.lines == 0 then say(1, "nothing to clean: no dead run left anything behind\n") end
    return undone.failed + failed > 0 and INFRA or 0
end

local function help(args)
    if not args.topic then
        say(1, (parser()):get_help() .. "\n")
        return 0
    end
    local topics = require "tfl.help"
    local _, by_name = parser()
    if by_name[args.topic] then
        say(1, by_name[args.topic]:get_help() .. "\n" .. (topics[args.topic] and "\n" .. topics[args.topic] or ""))
        return 0
    end
    if not topics[args.topic] then
        local names = table.move(commands, 1, #commands, 1, {})
        for name in pairs(topics) do names[#names + 1] = name end
        errors.usage("tfl help %s: there is no such topic%s", args.topic, suggest.hint(args.topic, names))
    end
    say(1, topics[args.topic])
    return 0
end

local actions = {
    run = run, check = check, test = test_command.run, report = make_report, clean = clean, doctor = doctor, help = help,
    matrix = function(args, argv) return matrix.run(args, argv, { plans_of = plans_of, parse = parse }) end,
    repl = function(args) return repl.run(args, options_of(args)) end,
    version = function()
        say(1, "tfl " .. sys.version .. "\n")
        return 0
    end,
}

--- The commands whose doing the environment changes.
local needs_environment = { run = true, check = true, matrix = true, test = true, doctor = true }

--- A line of JSON for a run that never came to be, so that --json always ends stdout with one.
local function refusal(args, err, code)
    if not args or not args.json then return end
    say(1, json.encode {
        verdict = code == USAGE and "usage" or "infra", exit_code = code, scenario = json.null,
        error = { code = err.code, message = errors.text(err), node = err.node },
    } .. "\n")
end

---@param argv string[]
---@return integer exit code
function M.main(argv)
    local args
    local ok, result = pcall(function()
        args = parse(argv)
        if needs_environment[args.command] then warn_of_environment() end
        return actions[args.command](args, argv)
    end)
    if ok then return result end
    local err = result
    if type(err) ~= "table" then err = errors.new("internal", "%s", tostring(err)) end
    local usage = { usage = 1, bad_config = 1, script_error = 1, script_hog = 1, unsupported = 1, wrong_state = 1 }
    local code = usage[err.code] and USAGE or INFRA
    say(2, "tfl: %s\n", text.clean(errors.text(err)))
    refusal(args, err, code)
    return code
end

return M
