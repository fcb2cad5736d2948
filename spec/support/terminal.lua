--- A person at a terminal: tfl on a pty, its keys and its screen.
--
--     local t = terminal.start{"repl", "-n", "2"}
--     t:wait "tfl> $"            -- until the screen matches
--     t:keys "node(0):kill()\r"
--     t:finish()                 -- waits for the end; gives the exit code
local dkjson = require "dkjson"
local lfs = require "lfs"
local support = require "spec.support"

local terminal = {}

local Terminal = {}
Terminal.__index = Terminal

--- Starts a program of this test on a terminal: {arguments…, env =, rows = 30, columns = 100}.
function terminal.start(spec)
    local folder = support.dir() .. "/pty"
    local n = 1
    while not lfs.mkdir(folder .. n) do n = n + 1 end
    folder = folder .. n
    spec.env = spec.env or {}
    spec.env.TERM = spec.env.TERM or "xterm"
    local command = ("cd %s && exec /usr/bin/python3 %s %s %d %d -- %s"):format(support.quote(support.root),
        support.quote(support.root .. "/spec/support/terminal.py"), support.quote(folder), spec.rows or 30, spec.columns or 100,
        support.command(spec))
    os.execute("setsid sh -c " .. support.quote(command) .. " >" .. support.quote(folder .. "/helper") .. " 2>&1 </dev/null &")
    local self = setmetatable({ folder = folder }, Terminal)
    self.pid = support.eventually(function() return tonumber(support.read(folder .. "/pid")) end, 20, function()
        return "the terminal was not started: " .. (support.read(folder .. "/helper") or "")
    end)
    support.adopt(self)
    return self
end

function Terminal:alive() return not support.read(self.folder .. "/code") end

--- Sends a signal by name to the program.
function Terminal:signal(signal) return select(2, support.sh(("kill -s %s -- %d"):format(signal, self.pid))) == 0 end

--- What is on the screen and above it, without empty lines at the end.
---@return string
function Terminal:screen()
    local text = (support.read(self.folder .. "/screen") or ""):gsub("^[^\n]*\n", ""):gsub("%s+$", "")
    return (text:gsub("\n *%d+%.%ds host: tfl stood still.-busy%s+host", "")) -- told at any time, and no answer to anything
end

--- Row and column of the cursor, from 0.
function Terminal:cursor()
    local y, x = (support.read(self.folder .. "/screen") or ""):match "^(%d+) (%d+)"
    return tonumber(y), tonumber(x)
end

function Terminal:raw() return support.read(self.folder .. "/raw") or "" end

local function command(self, text)
    local fifo = assert(io.open(self.folder .. "/keys", "w"))
    fifo:write(text, "\n")
    fifo:close()
end

--- Types; "\r" is Enter, "\3" Ctrl-C, "\4" Ctrl-D.
function Terminal:keys(text) command(self, "type " .. dkjson.encode(text)) end

function Terminal:resize(rows, columns) command(self, ("size %d %d"):format(rows, columns)) end

--- The modes of the terminal now: {iflag, oflag, cflag, lflag}.
function Terminal:modes()
    os.remove(self.folder .. "/modes")
    command(self, "modes")
    return support.eventually(function() return support.read(self.folder .. "/modes") end, 10)
end

--- Waits until the screen holds a Lua pattern; gives its captures.
function Terminal:wait(pattern, within)
    local found
    support.eventually(function()
        found = table.pack(self:screen():match(pattern))
        return found[1] ~= nil
    end, within or 20, function() return ("a screen with %q; it is:\n%s"):format(pattern, self:screen()) end)
    return table.unpack(found, 1, found.n)
end

local function prompts(screen) return select(2, screen:gsub("\ntfl>", "")) end

--- Types a line at a prompt, and waits until its prompt is back; gives what came between.
function Terminal:line(text, within)
    local before
    support.eventually(function() -- while news is written there is no prompt for a moment
        local screen = self:screen()
        before = prompts(screen)
        return screen:find "\n[t.][f.][l.]>[^\n]*$" -- tfl> or ...>
    end, 20, function() return ("a prompt for %q; the screen is:\n%s"):format(text, self:screen()) end)
    self:keys(text .. "\r")
    support.eventually(function()
        local screen = self:screen()
        return prompts(screen) > before and screen:find "\ntfl>%s*$"
    end, within or 20, function() return ("the end of %q; the screen is:\n%s"):format(text, self:screen()) end)
    local typed, screen, at, from = text:match "([^\r\n]*)$" .. "\n", self:screen(), 1, nil
    repeat -- the last place where the line stands
        local found = screen:find(typed, at, true)
        from, at = found or from, (found or 0) + 1
    until not found
    return "\n" .. screen:sub((from or 1) + #typed):gsub("\n?tfl>%s*$", "")
end

--- Waits for the end of the program; gives its exit code.
function Terminal:finish(within)
    return support.eventually(function() return tonumber(support.read(self.folder .. "/code")) end, within or 30, function()
        return "the end; the screen is:\n" .. self:screen()
    end)
end

return terminal
