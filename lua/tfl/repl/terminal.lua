--- Where the lines of a session come from and what it says goes to. Two forms of one thing: a terminal with an editor, and plain
--- lines of a file or pipe.
local core = require "tfl.core.terminal"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local text = require "tfl.text"
local wait = require "tfl.core.wait"

local M = {}

--- Lines of the history file that a session begins with; it is cut to them when it has twice as many.
local HISTORY = 1000

-- ---- history

local function history_path() return proc.state_dir() .. "/history" end

--- The lines of earlier sessions, oldest first.
local function read_history()
    local content = sys.read_file(history_path())
    local lines = {}
    for line in (content or ""):gmatch "[^\n]+" do lines[#lines + 1] = line end
    local kept = table.move(lines, math.max(1, #lines - HISTORY + 1), #lines, 1, {})
    if #lines > 2 * HISTORY then sys.write_file(history_path(), table.concat(kept, "\n") .. "\n", true) end
    return kept
end

--- Two sessions at once add to one file, line by line.
local function add_history(line)
    if not sys.stat(history_path()) then sys.write_file(history_path(), "", true) end
    local file = io.open(history_path(), "a")
    if not file then return end
    file:write(line, "\n")
    file:close()
end

-- ---- on a terminal

---@class tfl.ReplTerminal
---@field interactive boolean
---@field gone boolean the end of lines is for good
local Editor = { interactive = true, gone = false }
Editor.__index = Editor

--- Takes what the editor tells, at any time: a line for who asks, Ctrl-C, a wish for completion.
local function pump(self)
    while true do
        local kind, line = self.core:next()
        if kind == "complete" then
            local ok, insert = pcall(self.on_complete, line)
            self.core:complete(ok and insert or "")
        elseif kind == "cancel" and self.on_cancel then
            self.on_cancel()
        elseif kind == "gone" then
            self.gone = true
            return self.arrived:notify()
        elseif kind then
            self.said[#self.said + 1] = { kind = kind, line = line }
            self.arrived:notify()
        end
    end
end

--- The next line; false when it was given up with Ctrl-C; nil at the end: on Ctrl-D, and for ever once the terminal is `gone`.
---@param prompt string
---@return string|false|nil
function Editor:ask(prompt)
    self:status(nil)
    self.core:edit(prompt)
    while #self.said == 0 and not self.gone do self.arrived:wait() end
    local event = table.remove(self.said, 1)
    if not event or event.kind == "end" then return nil end
    if event.kind == "cancel" then return false end
    if event.line:find "%S" then
        self.core:remember(event.line)
        pcall(add_history, event.line)
    end
    return event.line
end

--- Text of whole lines, without the newline of the last.
function Editor:print(lines)
    self.core:print((self.drawn and "\r\27[K" or "") .. text.fit(text.clean(lines), (self:size())) .. "\n")
    if self.drawn then self.core:print(self.drawn) end
end

Editor.tell, Editor.complain = Editor.print, Editor.print

--- One line below all others that is drawn anew; nil: none.
function Editor:status(line)
    if line then
        local columns = self:size() - 1
        if (utf8.len(line) or 0) > columns then line = line:sub(1, utf8.offset(line, columns + 1) - 1) end
        self.core:print("\r" .. line .. "\27[K")
    elseif self.drawn then
        self.core:print "\r\27[K"
    end
    self.drawn = line
end

--- Whoever asks for a line gets none any more.
function Editor:finish()
    self.said, self.gone = {}, true
    self.arrived:notify()
end

---@return integer columns, integer rows
function Editor:size() return self.core:size() end

function Editor:close()
    if self.pump then self.pump:cancel() end
    self:status(nil)
    self.core:close()
    self.forget()
end

-- ---- plain lines

local Plain = { interactive = false, gone = true }
Plain.__index = Plain

function Plain:ask()
    local line = self.core:next()
    self.number = self.number + (line and 1 or 0)
    return line
end

function Plain:print(lines) sys.write(1, text.clean(lines) .. "\n") end
--- News that nobody asked for.
function Plain:tell(lines) sys.write(2, text.clean(lines) .. "\n") end
function Plain:complain(lines) self:tell(("line %d: %s"):format(self.number, lines)) end
function Plain:status() end
function Plain:finish() self.core:close() end
function Plain:size() return 100, 1000 end
function Plain:close() self.core:close() end

local closing = { __close = function(self) self:close() end }
for name, value in pairs(closing) do Editor[name], Plain[name] = value, value end

--- Is somebody there who types?
function M.interactive()
    local kind = os.getenv "TERM" or ""
    return sys.isatty(0) and sys.isatty(1) and kind ~= "" and kind ~= "dumb"
end

--- The modes of the terminal in the ledger of the run: when tfl is killed, the guardian puts them back. To be closed, too.
local function guard_modes()
    local name = proc.exec({ "readlink", ("/proc/%d/fd/0"):format(sys.pid()) }).stdout:match "^/[^\n]*"
    local modes = name and proc.exec({ "stty", "-F", name, "-g" }).stdout:match "^[%x:]+"
    local id = modes and proc.ledger_add { undo = "argv", argv = { "stty", "-F", name, modes }, within = 2 }
    return function()
        if id then proc.ledger_done(id) end
        id = nil
    end
end

--- To be closed by who opens it: until then the terminal is the session's.
---@return tfl.ReplTerminal
function M.open()
    if not M.interactive() then return setmetatable({ core = core.reader(), number = 0 }, Plain) end
    local forget = guard_modes() -- before the editor changes them
    local self = setmetatable({ core = core.editor(), said = {}, arrived = wait.signal(), drawn = nil, forget = forget }, Editor)
    local ok, lines = pcall(read_history)
    for _, line in ipairs(ok and lines or {}) do self.core:remember(line) end
    self.on_complete = function() return "" end
    self.pump = task.spawn("keys", pump, self)
    return self
end

return M
