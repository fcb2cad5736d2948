--- The command line: does what it says, returns the exit code.
local arguments = require "tfl.arguments"
local attach = require "tfl.deployers.attach"
local bundle = require "tfl.bundle"
local cluster_purge = require "tfl.deployers.k8s.purge"
local completion = require "tfl.completion"
local deployers = require "tfl.deployers"
local duration = require "tfl.duration"
local env = require "tfl.env"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local junit = require "tfl.junit"
local kinds = require "tfl.kinds"
local loader = require "tfl.loader"
local matrix = require "tfl.matrix"
local output = require "tfl.output"
local plan = require "tfl.plan"
local proc = require "tfl.core.proc"
local purge = require "tfl.deployers.compose.purge"
local report = require "tfl.report"
local reference = require "tfl.reference"
local repl = require "tfl.repl"
local runner = require "tfl.runner"
local screen = require "tfl.screen"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"
local test_command = require "tfl.test_command"
local text = require "tfl.text"
local verdict = require "tfl.verdict"

local M = {}
local FAIL, USAGE, INFRA = 1, 2, 3

local unwritten = false

local function say(fd, fmt, ...)
    local ok = sys.write(fd, select("#", ...) > 0 and string.format(fmt, ...) or fmt)
    unwritten = unwritten or fd == 1 and not ok
end

--- What people read, on stdout: as wide as their terminal.
local function show(fmt, ...)
    local said = select("#", ...) > 0 and string.format(fmt, ...) or fmt
    say(1, "%s", sys.isatty(1) and text.fit(said, (sys.columns())) or said)
end

--- A word on stderr about what went wrong.
local function complain(message)
    local said = "tfl: " .. text.clean(message) .. "\n"
    say(2, "%s", sys.isatty(2) and text.fit(said, (sys.columns())) or said)
end

-- ---- the environment

local function environment_number(name, whole_number)
    local value = os.getenv(name)
    if not value or value == "" then return nil end
    local n = tonumber(value)
    if n and whole_number then n = math.tointeger(n) end
    if not n or n <= 0 then
        errors.usage("%s=%s: a %s above 0 was expected", name, value, whole_number and "whole number" or "number of seconds")
    end
    return n
end

--- Says which variables are set that look like tfl's and are not.
local function warn_of_environment()
    for _, line in ipairs(env.warnings(env.names_in(sys.read_file "/proc/self/environ" or ""))) do complain(line) end
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
local function attached(args)
    local stack = attach.find(args.deployer, args.attach)
    for flag, said in pairs { seed = args.seed, nodes = args.nodes } do
        local its = flag == "nodes" and stack.started or stack[flag]
        if its and said ~= its then errors.usage("--%s %d: of the stack %s it is %d; leave the flag out", flag, said, args.attach, its) end
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
    local stack = args.attach and attached(args)
    return {
        attach = stack,
        deployer = args.deployer, params = params, out = args.out, replay = args.replay,
        seed = stack and stack.seed or args.seed or replayed_seed(args.replay),
        -- -p nodes= and -p duration= are the same flags by their other name
        nodes = stack and stack.started or args.nodes or flag("nodes", arguments.whole("-p nodes", 0))
            or environment_number("LOGOS_BLOCKCHAIN_DEMO_NODES", true),
        duration = args.time or flag("duration", arguments.time) or environment_number "LOGOS_BLOCKCHAIN_DEMO_RUN_SECS",
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
    if ok then say(1, "  report    %s\n", text.clean(text.home(result))) else complain(errors.text(result)) end
    return ok
end

local function run(args)
    local summaries, worst, unsafe = {}, 0, false
    local plans = plans_of(args)
    if args.junit then output.write(args.junit, junit.render {}) end -- before the runs: it must not fail after them
    if args.report and args.report[1] then output.write(args.report[1], "") end
    for _, made in ipairs(plans) do
        local ui = screen.new { quiet = args.quiet }
        local ok, summary = pcall(runner.run, made, ui)
        ui:close()
        if not ok then error(summary, 0) end
        summaries[#summaries + 1] = summary
        unsafe = unsafe or verdict.unsafe(summary.expectations)
        worst = verdict.worse_exit(worst, summary.exit_code) -- the exit code of several runs is that of the worst
        if summary.verdict == "interrupted" and unsafe then worst = FAIL end -- of an earlier one
        show("%s", text.summary(summary, sys.isatty(1) and not os.getenv "NO_COLOR"))
        if args.report and not write_report(args, summary) and worst == 0 then worst = INFRA end
        if summary.verdict == "interrupted" then break end
    end
    local told, why = pcall(function()
        if args.junit then sys.write_file(args.junit, junit.render(summaries)) end
    end)
    if not told then complain(errors.text(why)) end
    if not told and worst == 0 then worst = INFRA end
    if args.json then
        for _, summary in ipairs(summaries) do say(1, json.encode(summary) .. "\n") end
    end
    if unwritten then
        complain "the summary could not be written to stdout; it is in the run folder"
        if worst == 0 then worst = INFRA end
    end
    return worst
end

local function check(args)
    for _, made in ipairs(plans_of(args)) do
        local liveness = made.liveness
        say(1, "%s\n", text.clean(made.name))
        local function row(name, fmt, ...) show("  %-12s " .. fmt .. "\n", name, ...) end
        row("cluster", "%s on %s, %s", made.topology:describe(), made.deployer, kinds.describe(made.nodes))
        local told = {}
        for _, node in ipairs(made.deployer == "local" and made.nodes or {}) do -- elsewhere it is that of the image
            local where = node.kind.where and node.kind.where(node.kind.settings)
            if where and not told[where] then row("program", "%s", text.clean(where)) end
            told[where or ""] = true
        end
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
            show("  %s %-9s %s\n", row.ok and "✓" or "✗", row.name, row.message)
        end
    end
    return fine and 0 or INFRA
end

local function clean(args)
    if args.containers then
        purge.undone(args.docker, args.containers)
        return 0
    end
    local undone = proc.clean()
    local failed = 0
    for _, room in ipairs { purge, cluster_purge } do
        local lines, n = room.dead()
        failed = failed + n
        table.move(lines, 1, #lines, #undone.lines + 1, undone.lines)
    end
    for _, line in ipairs(undone.lines) do say(1, "%s\n", text.clean(line)) end
    if #undone.lines == 0 then say(1, "nothing to clean: no dead run left anything behind\n") end
    return undone.failed + failed > 0 and INFRA or 0
end

--- A source of tfl's own, as it lies beside the program.
local function own_source(path)
    local prefix = sys.exe():match "^(.*)/[^/]*/[^/]*$" or ""
    return assert(sys.read_file(prefix .. "/share/tfl/lua/tfl/" .. path))
end

--- Names that tfl help api knows.
local function reference_names() return select(2, reference.show(own_source, "")) end

--- The reference of the scripting surface.
local function help_api(what)
    local shown, names = reference.show(own_source, what)
    if not shown then
        errors.usage("tfl help api %s: there is no object or function of that name%s", what, suggest.hint(what, names))
    end
    show("%s", shown)
    return 0
end

local function help(args)
    local topic, more = args.topic[1], args.topic[2]
    if args.topic[3] or more and topic ~= "api" then
        errors.usage("tfl help %s: one topic at a time", table.concat(args.topic, " "))
    end
    local command_line, by_name = arguments.parser()
    if not topic then
        say(1, "%s\n", command_line:get_help())
        return 0
    elseif topic == "api" then
        return help_api(more)
    end
    local topics = require "tfl.help"
    if by_name[topic] then
        show("%s\n%s", by_name[topic]:get_help(), topics[topic] and "\n" .. topics[topic] or "")
        return 0
    end
    if not topics[topic] then
        local names = table.move(arguments.commands, 1, #arguments.commands, 1, { "api" })
        for name in pairs(topics) do names[#names + 1] = name end
        errors.usage("tfl help %s: there is no such topic%s", topic, suggest.hint(topic, names))
    end
    show("%s", topics[topic])
    return 0
end

local actions = {
    run = run, check = check, test = test_command.run, report = make_report, clean = clean, doctor = doctor, help = help,
    matrix = function(args, argv) return matrix.run(args, argv, { plans_of = plans_of, parse = arguments.parse }) end,
    repl = function(args) return repl.run(args, options_of(args)) end,
    completion = function(args)
        say(1, "%s", completion.text(args.words, reference_names))
        return 0
    end,
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
        args = arguments.parse(argv)
        if needs_environment[args.command] then warn_of_environment() end
        return actions[args.command](args, argv)
    end)
    if ok then return result end
    local err = result
    if type(err) ~= "table" then err = errors.new("internal", "%s", tostring(err)) end
    local usage = { usage = 1, bad_config = 1, script_error = 1, script_hog = 1, unsupported = 1, wrong_state = 1 }
    local code = usage[err.code] and USAGE or INFRA
    complain(errors.text(err))
    refusal(args, err, code)
    return code
end

return M
