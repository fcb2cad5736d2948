--- The words of the command line: what commands there are, their options, and what a line of words means.
local argparse = require "argparse"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local matrix = require "tfl.matrix"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"

local M = {}

M.commands = { "run", "check", "matrix", "repl", "test", "report", "clean", "doctor", "help", "version" }

--- A reader of a whole number from `least`.
function M.whole(name, least)
    return function(value)
        local n = math.tointeger(tonumber(value))
        if not n or n < least then
            return nil, string.format("%s %s: a whole number from %d was expected", name, value, least)
        end
        return n
    end
end

--- Reads a duration.
function M.time(value)
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
        .. "a tfl.deployer of the file"):default "local":argname "DEPLOYER"
    command:option("-n --nodes", "number of nodes"):convert(M.whole("-n", 0))
    command:option("-t --time", "duration of the window: 30s, 500ms, 2m"):convert(M.time)
    command:option("-p --param", "parameter of the scenario, KEY=VALUE"):count "*":convert(key_value)
    command:option("--seed", "seed of every random choice"):convert(M.whole("--seed", 0))
    command:option("--replay", "make the faults of an earlier run: its folder"):argname "DIR"
end

--- The parser, and its commands by name.
---@return table argparse, table<string, table> by_name
function M.parser()
    local p = argparse("tfl", "tfl: scenarios for multi-node blockchain networks. `tfl FILE.lua` is `tfl run FILE.lua`.")
    p:add_help(false):help_max_width(96):command_target "command"
    p:epilog("tfl help run, check, matrix: their options. tfl help api: all that scripts see. "
        .. "tfl help env, exit, scenario, transactions, faults, logging, metrics, hand, repl, completion, "
        .. "extending, deployer: a screen each.")
    local by_name = {}
    local function command(name, about)
        by_name[name] = p:command(name, about):add_help(false)
        return by_name[name]
    end
    local run = command("run", "run scenarios, one after the other")
    shared(run)
    run:option("--out", "folder for the evidence of one run; an earlier run in it is replaced"):argname "DIR"
    run:option("--attach", "with -d compose, k8s: drive and control a cluster that runs, and leave it up"):argname "NAME"
    run:flag("--keep", "keep the node data of runs that pass, too")
    run:flag("--json", "end stdout with the summary as one line of JSON")
    run:option("--junit", "write JUnit XML to this file"):argname "FILE"
    run:flag("-q --quiet", "only the summary")
    run:option("--inconclusive", "count inconclusive as this"):choices { "fail", "pass" }
    run:option("--report", "write an HTML report to this .html file (report.html in the run's folder)"):args "?":convert(html_file)
        :argname "FILE"
    run:flag("--repl-on-failure", "open tfl repl on the cluster of a run that fails, before it is taken down")
    shared(command("check", "print the plan and what it would take to pass; start nothing"))
    matrix.options(command("matrix", "run scenarios with many values and seeds, several at once"), {
        whole = M.whole, key_value = key_value, html_file = html_file,
    })
    shared(command("repl", "start a cluster, of a scenario or plain, and drive it by hand (tfl help repl)"), "?")
    local test = command("test", "run busted specs of your own, which may use tfl.cluster")
    test:argument("files", "spec file or folder"):args "+"
    test:option("-d --deployer", "where the nodes run: local, compose, k8s, or a tfl.deployer of the specs"):default "local"
        :argname "DEPLOYER"
    test:option("--filter", "only tests whose name holds this Lua pattern")
    test:option("--seed", "seed of every cluster that names none"):convert(M.whole("--seed", 0))
    test:flag("--json", "end stdout with the results as one line of JSON")
    test:option("--junit", "write JUnit XML to this file"):argname "FILE"
    local made = command("report", "write one HTML file that shows what happened in a run, or in the runs of a matrix")
    made:argument("folder", "folder of a run, or of a matrix")
    made:option("--out", "the file (report.html in that folder)"):argname "FILE"
    local clean = command("clean", "undo what dead runs left behind")
    clean:option("--containers", "only what the run of this id has in Docker, whether it is dead or not")
    clean:option("--docker", "with --containers: where the engine is"):argname "HOST"
    command("doctor", "tell what of this machine can be used")
    command("version", "print the version")
    command("help", "print help on a command or topic"):argument("topic", "command or topic; api OBJECT tells of one object"):args "*"
    return p, by_name
end

--- `tfl FILE …` means `tfl run FILE …`: any first word that is no command and no option.
---@param argv string[]
---@return table args raises usage
function M.parse(argv)
    local args = table.move(argv, 1, #argv, 1, {})
    if args[1] == "completion" then -- the words are a shell's, and mean nothing yet
        return { command = "completion", words = table.move(args, 2, #args, 1, {}) }
    end
    if #args == 0 then args = { "help" } end
    if args[1] == "--version" then args = { "version" } end
    for _, word in ipairs(args) do
        if word == "--help" or word == "-h" then args = { "help", args[1] ~= word and args[1] or nil } end
    end
    local known = false
    for _, name in ipairs(M.commands) do known = known or args[1] == name end
    if not known then
        local first = args[1]
        if not first:find "[%./]" and first:sub(1, 1) ~= "-" and not sys.stat(first) then
            errors.usage("%s: neither a command nor a file%s", first, suggest.hint(first, M.commands))
        end
        table.insert(args, 1, "run")
    end
    local p = M.parser()
    local ok, result = p:pparse(args)
    if not ok then errors.usage("%s (tfl help tells more)", (result:gsub("^Error: ", ""))) end
    return result
end

return M
