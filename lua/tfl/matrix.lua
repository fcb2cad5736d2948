--- `tfl matrix`: scenarios × values of parameters × deployers × seeds, each cell a run of tfl in a process of its own.
local axes = require "tfl.matrix.axes"
local boards = require "tfl.matrix.board"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local output = require "tfl.output"
local plan = require "tfl.matrix.plan"
local proc = require "tfl.core.proc"
local record = require "tfl.core.record"
local render = require "tfl.matrix.render"
local report = require "tfl.report"
local results = require "tfl.matrix.results"
local summary = require "tfl.summary"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local text = require "tfl.text"
local verdict = require "tfl.verdict"
local wait = require "tfl.core.wait"

local M = {}
local Matrix = {}
Matrix.__index = Matrix

local INFRA, INTERRUPTED = 3, 130
local JOBS_MAX = 256
--- Matrices that no --out names: as many are kept.
local KEPT = 20

--- The options of the command.
---@param command table of argparse
---@param read table {whole, key_value, html_file}: readers of tfl.cli
function M.options(command, read)
    command:argument("files", "scenario file"):args "*"
    command:option("-p --param", "parameter and its values, KEY=VALUE,VALUE… (\\, is a comma in a value)"):count "*":convert(read.key_value)
    command:option("-n --nodes", "numbers of nodes, as 1,3,5: -p nodes=1,3,5")
    command:option("-t --time", "durations of the window, as 10s,1m: -p duration=10s,1m")
    command:option("-d --deployer", "where the nodes run, as local,compose (local)"):argname "DEPLOYER"
    command:option("--seeds", "1..20, or 3,7,9, or both (1)"):convert(axes.seeds)
    command:option("--jobs", "how many runs at once (as the machine's cores and memory allow)"):convert(function(value)
        local n, message = read.whole("--jobs", 1)(value)
        if n and n > JOBS_MAX then return nil, ("--jobs %s: at most %d runs at once"):format(value, JOBS_MAX) end
        return n, message
    end)
    command:option("--shard", "I/N: only the I-th of N parts"):convert(axes.shard)
    command:option("--out", "folder for the matrix; cells that an earlier one of the same plan has run in it are kept"):argname "DIR"
    command:option("--resume", "go on with the matrix in this folder"):argname "DIR"
    command:flag("--fail-fast", "end with the first cell that does not pass")
    command:flag("--keep", "keep the node data of runs that pass, too")
    command:flag("--json", "end stdout with matrix.json in one line")
    command:option("--junit", "write JUnit XML to this file"):argname "FILE"
    command:option("--markdown", "write a summary in Markdown to this file (else to $GITHUB_STEP_SUMMARY, when set)"):argname "FILE"
    command:option("--report", "write an HTML report to this .html file (report.html in the matrix's folder)"):args "?"
        :convert(read.html_file):argname "FILE"
    command:flag("-q --quiet", "only the summary")
    command:option("--inconclusive", "count inconclusive as this"):choices { "fail", "pass" }
    command:epilog([[Example: tfl matrix scenarios/liveness.lua -p nodes=1,3,5 --seeds 1..20 --jobs 2 --junit out.xml
Each cell is one run; its evidence is in a folder of its own beside matrix.json. The exit code is that of the worst cell.
A group of cells whose seeds do not agree (pass, fail, inconclusive) is called flaky, with the seeds.]])
end

-- ---- the matrix while it runs

function Matrix:seconds() return task.now() - self.t0 end

--- What is left by what the groups took, or by their plans; nil when nothing is, or nobody knows.
function Matrix:seconds_left()
    local sum = 0
    for _, cell in ipairs(self.cells) do
        local wall = cell.group.wall_seconds
        if cell.state == "waiting" and not self.stopped then
            if not wall then return nil end
            sum = sum + wall
        elseif cell.state == "running" then
            sum = sum + math.max(0, (wall or 0) - (task.now() - cell.t0))
        end
    end
    return sum > 0 and sum / self.jobs or nil
end

--- Begins nothing more, and ends what runs.
---@param why "interrupted"|"fail_fast"
function Matrix:stop(why)
    if self.stopped then return end
    self.stopped = why
    for _, cell in ipairs(self.cells) do cell:interrupt() end
end

function Matrix:next_cell()
    while not self.stopped and self.next <= #self.cells do
        local cell = self.cells[self.next]
        self.next = self.next + 1
        if cell.state == "waiting" then return cell end
    end
end

--- Runs cells, one after the other, until there is none left.
function Matrix:work(words)
    for cell in self.next_cell, self do
        self.dirty = true
        cell:run(words)
        if self.stopped == "fail_fast" and cell.verdict == "interrupted" then
            cell.state, cell.verdict, cell.exit_code = "not_run", nil, nil
        end
        if cell.verdict == "pass" then cell.group.wall_seconds = cell.seconds end
        self.dirty = true
        self.board:ended(cell)
        if self.fail_fast and cell.state == "done" and cell.exit_code ~= 0 then self:stop "fail_fast" end
    end
end

--- Writes a file of the results; what cannot be written is told once, and costs the pass.
function Matrix:write(path, write)
    local ok, err = pcall(write, path)
    if ok then return end
    if not self.unwritten then self.board:say("tfl: " .. tostring(err)) end
    self.unwritten = true
end

function Matrix:save()
    self.dirty = false
    self:write(self.dir .. "/matrix.json", function(path) sys.write_file(path, results.json(self, true) .. "\n") end)
end

--- matrix.json is never much older than what it tells of; a large one is written less often.
function Matrix:keep_saved()
    while true do
        local from = task.now()
        if self.dirty then self:save() end
        wait.sleep(1 + 20 * (task.now() - from))
    end
end

--- Runs all cells.
function Matrix:run(words)
    local saver, workers = task.spawn("save", self.keep_saved, self), {}
    for i = 1, math.min(self.jobs, #self.cells) do workers[i] = task.spawn("worker", self.work, self, words) end
    for _, worker in ipairs(workers) do worker:wait() end
    saver:cancel()
    for _, worker in ipairs(workers) do
        local ok, err, traceback = worker:result()
        if ok == false then error(type(err) == "table" and err or ("%s\n%s"):format(err, traceback), 0) end
    end
    for _, cell in ipairs(self.cells) do
        if cell.state == "waiting" then cell.state = "not_run" end
    end
    self.over = true
end

-- ---- the command

--- The arguments of the matrix to go on with, and over them those that may change.
local function resumed(args, parse)
    for _, name in ipairs { "files", "param", "nodes", "time", "deployer", "seeds", "shard", "out" } do
        local given = args[name]
        if given and (type(given) ~= "table" or next(given)) then
            errors.usage("--resume takes the whole plan from %s; leave %s out", args.resume,
                name == "files" and args.files[1] or "--" .. name)
        end
    end
    local old = plan.earlier(args.resume)
    if not old then errors.usage("--resume %s: there is no matrix.json of a matrix in that folder", args.resume) end
    if old.redacted then
        errors.usage("--resume %s: its command had a secret, which is not kept; run it again as it was, with --out %s", args.resume,
            args.resume)
    end
    local was = parse(old.argv)
    for _, name in ipairs { "jobs", "fail_fast", "keep", "json", "junit", "markdown", "report", "quiet", "inconclusive" } do
        if args[name] ~= nil then was[name] = args[name] end
    end
    was.out = args.resume
    return was, old.argv
end

--- The folder of the matrix, this process's alone.
local function folder_of(args, cells)
    if args.out then return output.take(args.out, record.matrix, { path = args.out, keep = true }) end
    local parent = proc.state_dir() .. "/matrix"
    local name, i = ("%s-%s"):format(cells[1] and cells[1].group.name or "empty", os.date "!%Y%m%d-%H%M%S"), 1
    while sys.stat(("%s/%s-%d"):format(parent, name, i)) do i = i + 1 end
    local dir = record.matrix { path = ("%s/%s-%d"):format(parent, name, i), keep = args.keep }
    record.prune(parent, KEPT)
    return dir
end

--- Writes the Markdown where it was asked for; the summary of a CI step is added to.
local function write_markdown(m, args)
    local step = os.getenv "GITHUB_STEP_SUMMARY"
    local markdown = render.markdown(m)
    if args.markdown then
        m:write(args.markdown, function(path) sys.write_file(path, markdown) end)
    elseif step and step ~= "" then
        m:write(step, function(path)
            local file = assert(io.open(path, "a"))
            assert(file:write(sys.redact(markdown)))
            assert(file:close())
        end)
    end
end

--- Says and writes what the matrix came to.
local function finish(m, args)
    m:save()
    m.board:close()
    if args.junit then m:write(args.junit, function(path) sys.write_file(path, results.junit(m)) end) end
    write_markdown(m, args)
    local page = args.report and (args.report[1] or report.default_path(m.dir))
    if page then m:write(page, function(path) report.write(m.dir, path) end) end
    local columns = sys.columns()
    local tty = sys.isatty(1)
    local shown = render.summary(m, tty and not os.getenv "NO_COLOR", columns)
    local said = sys.write(1, tty and text.fit(shown, columns) or shown)
    if page then said = sys.write(1, ("  report    %s\n"):format(text.clean(text.home(page)))) and said end
    if args.json then said = sys.write(1, results.json(m) .. "\n") and said end
    if not said then sys.write(2, "tfl: the summary could not be written to stdout; it is in " .. m.dir .. "\n") end
    local code = results.exit_code(m)
    return (m.unwritten or not said) and verdict.worse_exit(code, INFRA) or code
end

---@param args table
---@param argv string[] all words of the command line
---@param cli {plans_of: function, parse: function}
---@return integer exit code
function M.run(args, argv, cli)
    local m = setmetatable({ cells = {}, t0 = task.now(), next = 1, started_at = os.date "!%Y-%m-%dT%H:%M:%SZ" }, Matrix)
    task.spawn("interrupt", function()
        wait.wait_interrupt()
        m:stop "interrupted"
    end)
    m.argv = argv
    if args.resume then args, m.argv = resumed(args, cli.parse) end
    local cells, nodes = plan.cells(args, cli.plans_of, function() return not m.stopped end)
    if not cells then
        sys.write(2, "tfl: interrupted before anything was started\n")
        return INTERRUPTED
    end
    local jobs, reason = plan.jobs(args, #cells, nodes)
    m.cells, m.jobs, m.shard, m.fail_fast = cells, jobs, args.shard, args.fail_fast
    m.dir = folder_of(args, cells)
    m.quoted_dir = summary.quote(m.dir)
    local kept, other = plan.take_over(m.dir, cells)
    sys.write_file(m.dir .. "/matrix.json", results.json(m, true) .. "\n") -- what cannot be written is told before anything runs
    if args.junit then output.write(args.junit, results.junit(m)) end
    if args.markdown then output.write(args.markdown, "") end
    if args.report and args.report[1] then output.write(args.report[1], "") end
    m.board = boards.new(m, args.quiet)
    if other > 0 then
        m.board:say(("%d result%s there %s of another scenario file or command; made again"):format(other, other == 1 and "" or "s",
            other == 1 and "is" or "are"))
    end
    local left = m:seconds_left()
    m.board:say(("%d cell%s%s · %d job%s (%s)%s · %s"):format(#cells, #cells == 1 and "" or "s", kept > 0 and (", %d of them there already")
        :format(kept) or "", jobs, jobs == 1 and "" or "s", reason, left and " · about " .. duration.show(math.ceil(left)) or "", m.dir))
    local words = {}
    if args.keep then words[1] = "--keep" end
    if args.inconclusive then table.move({ "--inconclusive", args.inconclusive }, 1, 2, #words + 1, words) end
    m:run(words)
    return finish(m, args)
end

return M
