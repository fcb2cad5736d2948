--- One session on a running cluster: reads lines, runs each in a task of its own, shows what comes of it. Whatever a line does, the
--- session goes on; Ctrl-C cancels the line.
local api = require "tfl"
local commands = require "tfl.repl.commands"
local complete = require "tfl.repl.complete"
local errors = require "tfl.errors"
local fit = require("tfl.text").fit
local loader = require "tfl.loader"
local show = require "tfl.repl.show"
local task = require "tfl.core.task"
local watch = require "tfl.repl.watch"

local PROMPT, MORE = "tfl> ", "...> "
--- A wait is told from here on, and drawn anew so often.
local PATIENCE, EVERY = 0.4, 0.2
--- What people type who do not know the commands yet.
local BARE = { help = ":help", quit = ":quit", exit = ":quit" }
--- Lines at once when nobody can page.
local PLAIN_LINES = 1000

---@class tfl.ReplSession
local Session = {}
Session.__index = Session

local M = {}

---@param ctx table
---@param terminal tfl.ReplTerminal
---@return tfl.ReplSession
function M.new(ctx, terminal)
    local run = ctx.run
    local self = setmetatable({
        ctx = ctx, run = run, terminal = terminal, done = {}, failed = false, over = false, rest = {}, loads = {},
    }, Session)
    local context = { params = {}, declared = {}, scenarios = {}, signer = run.plan.context and run.plan.context.signer }
    local globals = loader.environment(api.api(context), function(...) self:print_values(...) end)
    globals.io.read = function() errors.usage "io.read: the keyboard is the session's" end
    globals.io.lines = function(file, ...)
        if file == nil then errors.usage "io.lines: the keyboard is the session's" end
        return io.lines(file, ...)
    end
    globals.os.exit = function() errors.usage "os.exit: :quit ends the session" end
    self.env = ctx:environment(globals)
    rawset(ctx, "spawn", function(_, fn, ...) return self:spawn(fn, ...) end)
    self.watch = watch.new(run, function(line) terminal:tell(line) end, terminal.interactive and "few" or "off")
    terminal.on_cancel = nil
    terminal.on_complete = function(line) return self:completed(line) end
    return self
end

-- ---- what is shown

local function lines_of(content)
    local lines = {}
    for line in content:gmatch "([^\n]*)\n?" do lines[#lines + 1] = line end
    return lines
end

--- Lines onto the screen, as many as there is room for; `:more` gives the rest.
---@param lines string[]
function Session:page(lines)
    local _, rows = self.terminal:size()
    local room = self.terminal.interactive and math.max(5, rows - 2) or PLAIN_LINES
    self.rest = {}
    if self.terminal.interactive and #lines > 0 then lines = lines_of(fit(table.concat(lines, "\n"), (self.terminal:size()))) end
    if #lines > room then
        self.rest = table.move(lines, room, #lines, 1, {})
        lines = table.move(lines, 1, room - 1, 1, {})
        lines[#lines + 1] = self.terminal.interactive and ("… %d more lines; :more goes on"):format(#self.rest)
            or ("… %d more lines"):format(#self.rest)
    end
    if #lines > 0 then self.terminal:print(table.concat(lines, "\n")) end
end

---@param fmt string
function Session:say(fmt, ...) self.terminal:print(select("#", ...) > 0 and fmt:format(...) or fmt) end

--- Results of an expression, or what `print` is given.
function Session:print_values(...)
    local values = table.pack(...)
    local columns, lines = self.terminal:size(), {}
    local plain = true
    for i = 1, values.n do plain = plain and type(values[i]) ~= "table" end
    if plain then
        for i = 1, values.n do values[i] = show.inline(values[i]) end
        lines = show.lines(table.concat(values, "  ", 1, values.n), columns)
    else
        for i = 1, values.n do
            local part = show.lines(values[i], columns)
            table.move(part, 1, #part, #lines + 1, lines)
        end
    end
    self:page(lines)
end

--- Tells an error of a line; the session goes on.
function Session:complain(err, traceback)
    self.failed = true
    local said = type(err) == "string" and err:gsub("^line:1: ", "") or errors.text(err)
    if type(err) == "table" and err.code == "script_hog" then said = said:match "^[^\n]*" end
    if type(err) == "string" and traceback and not err:find "^line:" then -- from within tfl: say where the line called it
        said = said:gsub("^[^\n]-/share/tfl/lua/[%w_/]+%.lua:%d+: ", "")
    end
    self.terminal:complain(said)
end

function Session:completed(line)
    local insert, candidates = complete.of(self, line)
    if #candidates > 1 then
        local columns = self.terminal:size()
        self.terminal:print(complete.listing(candidates, columns))
    end
    return insert
end

-- ---- lines

--- Runs fn in a task of its own and waits for its end, telling so; Ctrl-C cancels it.
---@return boolean|nil ok nil: cancelled
---@return any ... results or error
function Session:work(fn, ...)
    local work = task.spawn("repl", fn, ...)
    local _ <close> = setmetatable({}, { __close = function() work:cancel() end })
    self.running = work
    local from = task.now()
    self.terminal.on_cancel = function()
        work:cancel()
        self.terminal:status(nil)
        self.terminal:print "^C"
    end
    local ended = work:wait(PATIENCE)
    while not ended do
        self.terminal:status(("… %.1fs  slot %d, height %d  Ctrl-C stops it"):format(task.now() - from,
            self.run:current_slot(), self:height()))
        ended = work:wait(EVERY)
    end
    self.terminal:status(nil)
    self.terminal.on_cancel, self.running = nil, nil
    return work:result()
end

--- Ends the session, and what runs in it.
function Session:stop()
    self.over = true
    if self.running then
        self.failed = true
        self.running:cancel()
    end
    self.terminal:finish()
end

--- The greatest height that is known.
function Session:height() return self.run.feed and self.run.feed:stats().best_height or 0 end

--- A chunk: an expression, or statements; nil when its end is still to come.
---@return function|nil fn, string|nil message why not; nil for more to come
---@return boolean expression
function Session:compile(text)
    local fn, half = load("return " .. text, "=line", "t", self.env)
    if fn then return fn, nil, true end
    local message
    fn, message = load(text, "=line", "t", self.env)
    if not fn and (message:find "near <eof>$" or half:find "near <eof>$") then return nil, nil, false end
    return fn, message, false
end

--- A task of a line that goes on beside the session; its error is told.
function Session:spawn(fn, ...)
    if type(fn) ~= "function" then errors.usage("spawn: a function was expected, got %s", errors.show(fn)) end
    local child = task.spawn("repl.spawn", fn, ...)
    local owner = self.ctx.owner
    owner.tasks[child] = true
    self.run:watch("spawn", function()
        child:wait()
        owner.tasks[child] = nil
        local ok, err, traceback = child:result()
        if ok == false then self:complain(err, traceback) end
    end)
    return child
end

--- Runs a chunk that was typed, and keeps it for :save.
function Session:run_chunk(text, fn, expression)
    local entry = {
        text = text, expression = expression, slot = self.run:current_slot(), faults = self:fault_mark(),
    }
    local results = table.pack(self:work(fn))
    entry.gave = results.n > 1
    entry.till = self.run:current_slot()
    entry.acted = self:fault_mark() ~= entry.faults
    entry.ended = results[1] == nil and "cancelled" or results[1] and "ok" or "failed"
    self.done[#self.done + 1] = entry
    if results[1] == false then
        entry.error = errors.text(results[2])
        return self:complain(results[2], results[3])
    end
    if not results[1] or results.n == 1 then return end
    rawset(self.env, "_", results[2])
    local ok, err, traceback = self:work(self.print_values, self, table.unpack(results, 2, results.n)) -- it may ask nodes
    if ok == false then self:complain(err, traceback) end
end

--- A command did what this code does: for :save.
---@param code string
function Session:did(code)
    local slot = self.run:current_slot()
    self.done[#self.done + 1] = { text = code, slot = slot, till = slot, acted = true, ended = "ok" }
end

--- Changes when something is done to the cluster.
function Session:fault_mark()
    local list, closed = self.run.faults:list(), 0
    for _, fault in ipairs(list) do closed = closed + (fault.t1 and 1 or 0) end
    return #list * 100000 + closed
end

--- One line of input. Gives what is still open of a chunk that goes on.
---@param line string
---@param open string|nil
---@return string|nil open
function Session:line(line, open)
    local bare = not open and line:match "^%s*(%a+)%s*$"
    if bare and BARE[bare] and rawget(self.env, bare) == nil then line = BARE[bare] end
    if not open and line:match "^%s*:" then
        commands.run(self, line)
        return nil
    end
    local text = open and open .. "\n" .. line or line
    if not text:find "%S" then return nil end
    local fn, message, expression = self:compile(text)
    if fn then
        self:run_chunk(text, fn, expression)
    elseif message then
        self:complain(message)
    else
        return text
    end
end

--- A node ended by itself.
function Session:crashed(exit)
    local lines, tail = {}, exit.log_tail or ""
    for line in tail:gmatch "[^\n]+" do lines[#lines + 1] = "    " .. line end
    lines = table.move(lines, math.max(1, #lines - 9), #lines, 1, {})
    table.insert(lines, 1, ("%6.1fs CRASH   %s ended by itself (%s); %s"):format(self.run:now(), exit.node, exit.status,
        #lines > 0 and "its log ends:" or "its log is empty"))
    self.terminal:tell(table.concat(lines, "\n"))
end

--- Reads and runs lines until the end of them.
function Session:loop()
    local following = task.spawn("repl.watch", function() self.watch:follow() end)
    local _ <close> = setmetatable({}, { __close = function() following:cancel() end })
    local open
    while not self.over do
        local line = self.terminal:ask(open and MORE or PROMPT)
        if line == nil then
            if self.over or not open then break end
            if self.terminal.gone then
                self:complain(("the last chunk has no end: %s"):format(open))
                break
            end
            self:say "given up; Ctrl-D at an empty prompt ends the session"
        end
        open = line and self:line(line, open) or nil
    end
end

return M
