--- Helpers for specs that use the built tfl as a user does: its program, its files, its exit codes.
--
--     local support = require "spec.support"
--     support.guard()          -- each test of this file gets a folder of its own and is checked for leftovers
--
--     it("passes", function()
--         local result = support.run{"scenarios/liveness.lua", "-t", "5s", "--json"}
--         assert.equal(0, result.code, result.text)
--         assert.equal("pass", result.summary.verdict)
--     end)
--
-- The program under test is $TFL, or build/dev/bin/tfl. Nothing here sleeps but in polls.
local dkjson = require "dkjson"
local leaks = require "spec.support.leaks"
local lfs = require "lfs"
local system = require "system"

local support = { leaks = leaks }

local POLL_SECONDS = 0.02
local DEFAULT_TIMEOUT = 120
local TRIES = 3
local LEFTOVER_SECONDS = 2 -- what a tfl that was killed has for its clean-up (DESIGN: nothing is left behind)

local here = debug.getinfo(1, "S").source:match("^@(.*)/spec/support/init%.lua$") or "."
local cwd = lfs.currentdir()
support.root = here:sub(1, 1) == "/" and here or (here == "." and cwd or cwd .. "/" .. here)
support.tfl = os.getenv("TFL") or support.root .. "/build/dev/bin/tfl"

-- What the user's shell may have set and a test must not see: all that tfl knows of but the ports and programs the tests are to use.
local HIDDEN = { "RUST_LOG", "TFL_RUN_ID", "CMAKE_C_COMPILER_LAUNCHER" }
do
    local kept = { TFL_PORTS = true, TFL_NODE_BIN = true, XDG_STATE_HOME = true }
    for _, name in ipairs(require("tfl.env").names()) do
        if not kept[name] then HIDDEN[#HIDDEN + 1] = name end
    end
end

local current -- {dir=, before=, handles={}} of the running test

--- One word for sh.
function support.quote(word)
    return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end
local quote = support.quote

--- A JSON text as a table.
function support.json(text)
    return assert(dkjson.decode(text))
end

--- All of a file, or nil.
function support.read(path)
    local file = io.open(path, "rb")
    local text = file and file:read("a")
    if file then
        file:close()
    end
    return text
end

--- Runs a command of sh for a test's own needs (not tfl); returns its output and exit code.
function support.sh(command)
    local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1; code=$?; echo; echo $code", "r"))
    local text = pipe:read("a")
    pipe:close()
    local out, code = text:match("^(.*)\n(%d+)\n$")
    return out, tonumber(code)
end

--- The folder of the running test (made on first use).
function support.dir()
    assert(current, 'call support.guard() at the top of the spec file: it gives each test its folder')
    if not current.dir then
        local pipe = assert(io.popen("mktemp -d /tmp/tfl-spec.XXXXXX"))
        current.dir = assert(pipe:read("l"), "mktemp gave no folder")
        pipe:close()
        os.execute("mkdir -p -m 700 " .. quote(current.dir .. "/state") .. " " .. quote(current.dir .. "/run") .. " "
            .. quote(current.dir .. "/tmp") .. " " .. quote(current.dir .. "/home"))
    end
    return current.dir
end

--- An absolute path: relative ones lie in the folder of the test.
function support.path(path)
    return path:sub(1, 1) == "/" and path or support.dir() .. "/" .. path
end

--- Writes a file (relative: in the folder of the test), making its folders; returns the absolute path.
function support.write(path, text)
    local full = support.path(path)
    os.execute("mkdir -p " .. quote(full:match("^(.*)/")))
    local file = assert(io.open(full, "wb"))
    file:write(text)
    file:close()
    return full
end

--- Calls fn every 20 ms until it gives something true, and returns that. After `within` seconds it fails with `what`
-- (a string or a function that makes one) or fn's last error. Seconds in which the machine stood still do not count.
function support.eventually(fn, within, what)
    local deadline = system.monotime() + (within or 15)
    local last
    repeat
        local ok, value = pcall(fn)
        if ok and value then
            return value
        end
        last = not ok and value or last
        local before = system.monotime()
        system.sleep(POLL_SECONDS)
        deadline = deadline + math.max(0, system.monotime() - before - 5 * POLL_SECONDS) -- the machine stood still: nobody's delay
    until system.monotime() > deadline
    if type(what) == "function" then
        what = what()
    end
    error(("not within %gs: %s"):format(within or 15, tostring(what or last or "the condition never held")), 2)
end

-- env(1) and the program with its arguments, as one command of sh.
local function command_of(spec)
    local dir = support.dir()
    local words = { "env --default-signal=INT,QUIT" } -- a shell in the background has them ignored, and hands that on
    for _, name in ipairs(HIDDEN) do
        words[#words + 1] = "-u " .. name
    end
    local env = {
        XDG_STATE_HOME = dir .. "/state", XDG_RUNTIME_DIR = dir .. "/run", TMPDIR = dir .. "/tmp", HOME = dir .. "/home",
    }
    for name, value in pairs(spec.env or {}) do
        env[name] = value
    end
    for name, value in pairs(env) do
        words[#words + 1] = quote(name .. "=" .. tostring(value))
    end
    words[#words + 1] = quote(spec.program or support.tfl)
    for _, word in ipairs(spec) do
        words[#words + 1] = quote(word)
    end
    return table.concat(words, " ")
end

--- The same for other helpers: a command of sh that becomes tfl with its arguments and env.
support.command = command_of

-- The summary: the last line of stdout with --json, else summary.json of the newest run folder of this test.
local function summary_of(spec, out)
    for _, word in ipairs(spec) do
        if word == "--json" then
            local line = out:match("([^\n]+)\n*$")
            return line and (dkjson.decode(line, 1, nil))
        end
    end
    local path = support.run_folder()
    local text = path and support.read(path .. "/summary.json")
    return text and (dkjson.decode(text, 1, nil)) or nil
end

--- The folder of the newest run of this test, or nil.
function support.run_folder()
    local newest, time
    local root = support.dir() .. "/state/tfl/runs"
    if lfs.attributes(root, "mode") ~= "directory" then
        return nil
    end
    for name in lfs.dir(root) do
        local at = name:sub(1, 1) ~= "." and lfs.attributes(root .. "/" .. name, "modification")
        if at and (not time or at >= time) then
            newest, time = root .. "/" .. name, at
        end
    end
    return newest
end

local function result_of(spec, base, code, seconds)
    local result = {
        code = code, seconds = seconds, out = support.read(base .. ".out") or "", err = support.read(base .. ".err") or "",
    }
    result.text = ("exit %s after %.1fs\n--- stdout\n%s\n--- stderr\n%s"):format(tostring(code), seconds, result.out, result.err)
    result.summary = summary_of(spec, result.out)
    return result
end

local function next_base()
    support.dir()
    current.count = (current.count or 0) + 1
    return current.dir .. "/cmd" .. current.count
end

local TOO_SLOW = { host_starved = true, generator_lag = true }

--- Whether tfl itself says that this host was too slow to tell, which is no answer: the run is to be made again.
function support.too_slow(result)
    for _, e in ipairs(result.code == 4 and result.summary and result.summary.expectations or {}) do
        if TOO_SLOW[e.code] then return true end
    end
    return false
end

local function run_once(spec)
    local base, timeout = next_base(), spec.timeout or DEFAULT_TIMEOUT
    local command, stdin = command_of(spec), "/dev/null"
    if spec.stdin then
        stdin = support.write(base .. ".in", spec.stdin)
    end
    if spec.tty then
        command = "script -qefc " .. quote("stty cols 100 rows 40; exec " .. command) .. " /dev/null"
    end
    local line = ("cd %s && timeout -k 5 %g %s >%s 2>%s <%s"):format(quote(spec.cwd or support.root), timeout, command,
        quote(base .. ".out"), quote(base .. ".err"), quote(stdin))
    local started = system.monotime()
    local _, _, code = os.execute(line)
    local result = result_of(spec, base, code, system.monotime() - started)
    result.timed_out = code == 124 or code == 137 and result.seconds >= timeout
    return result
end

--- Runs tfl and waits: run{args…, env={}, timeout=120, cwd=, stdin="text", tty=false, program=}.
-- Gives {code, out, err, text (both, for messages), seconds, timed_out, summary}. It is killed after `timeout` seconds.
-- tty: stdout, stderr and stdin are one terminal of 100 columns; all output is in out. A run for which the host was too slow
-- (support.too_slow) is made again, but for one with --out, whose folder is in use.
function support.run(spec)
    local result
    for _ = 1, TRIES do
        result = run_once(spec)
        if not support.too_slow(result) or table.concat(spec, " "):find("--out", 1, true) then break end
    end
    return result
end

local Handle = {}
Handle.__index = Handle

--- Starts tfl in the background, in a process group of its own, with signals as a shell on a terminal gives them.
-- Takes what run takes, but timeout, stdin and tty. Gives a handle with .pid.
function support.start(spec)
    local base = next_base()
    -- setsid, in a process that leads no group, does not fork: the pid stays
    local inner = ("cd %s || exit 1; echo $$ >%s.pid.tmp; mv %s.pid.tmp %s.pid; exec setsid %s >%s.out 2>%s.err </dev/null"):format(
        quote(spec.cwd or support.root), base, base, base, command_of(spec), base, base)
    local script = ("sh -c %s; echo $? >%s.code.tmp; mv %s.code.tmp %s.code"):format(quote(inner), base, base, base)
    local handle = setmetatable({ base = base, spec = spec, started = system.monotime() }, Handle)
    current.handles[#current.handles + 1] = handle
    os.execute("sh -c " .. quote(script) .. " >/dev/null 2>&1 </dev/null &")
    handle.pid = support.eventually(function()
        return tonumber(support.read(base .. ".pid"))
    end, 30, "tfl was not started")
    return handle
end

--- Has a program of another helper killed at the end of the test, if it still lives: it has alive() and signal(), as a handle.
function support.adopt(handle)
    current.handles[#current.handles + 1] = handle
end

--- True until the process has ended.
function Handle:alive()
    return support.read(self.base .. ".code") == nil
end

--- Has it, and its children when `with` is "children", stand still for so many seconds, as on a machine that does.
function Handle:stand_still(seconds, with)
    local pids = ("%d %s"):format(self.pid, with and support.sh("pgrep -P " .. self.pid):gsub("\n", " ") or "")
    support.sh("kill -STOP " .. pids)
    system.sleep(seconds)
    support.sh("kill -CONT " .. pids)
end

--- All output so far, both streams.
function Handle:output()
    return (support.read(self.base .. ".out") or "") .. (support.read(self.base .. ".err") or "")
end

--- Waits until the output holds a Lua pattern; returns its captures (or the whole match).
function Handle:wait_output(pattern, within)
    local found
    support.eventually(function()
        local alive = self:alive()
        found = table.pack(self:output():match(pattern))
        if found[1] == nil and not alive then
            within = 0
        end
        return found[1] ~= nil
    end, within or 20, function()
        return ("output matching %q; it %s; its output:\n%s"):format(pattern, self:alive() and "runs" or "has ended",
            self:output())
    end)
    return table.unpack(found, 1, found.n)
end

--- Sends a signal by name or number to the process; group: to its whole process group, as Ctrl-C on a terminal does.
function Handle:signal(signal, group)
    local _, code = support.sh(("kill -s %s -- %s%d"):format(tostring(signal), group and "-" or "", self.pid))
    return code == 0
end

--- Waits for the end; gives what run gives. A process killed by signal n has code 128 + n.
function Handle:wait(within)
    local code = support.eventually(function()
        return tonumber(support.read(self.base .. ".code"))
    end, within or DEFAULT_TIMEOUT, function()
        return "the end of tfl; its output:\n" .. self:output()
    end)
    return result_of(self.spec, self.base, code, system.monotime() - self.started)
end

--- One HTTP GET to this host without any client library: the whole answer as text, or nil when nobody answers.
function support.http(port, path, within)
    local get = ("GET %s HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n"):format(path)
    local script = ("exec 3<>/dev/tcp/127.0.0.1/%d && printf '%s' >&3 && cat <&3"):format(port, get)
    local out, code = support.sh(("timeout %g bash -c %s"):format(within or 5, quote(script)))
    return code == 0 and out or nil
end

--- The misbehaving node of spec/support/fake_node.c.
function support.fake_node()
    return (support.tfl:gsub("/bin/[^/]*$", "")) .. "/spec/fake_node"
end

--- What stands in for the real node (spec/support/stand_in.c).
function support.stand_in()
    return (support.tfl:gsub("/bin/[^/]*$", "")) .. "/spec/stand_in"
end

--- Fails unless all processes and ports of this test are gone within 2 seconds, and all locks and temporary files.
function support.assert_nothing_left(before)
    local dir, left = support.dir(), {}
    local ok = pcall(support.eventually, function()
        left = leaks.since(before or current.before, dir)
        local files = support.sh(("find %s %s ! -type d"):format(quote(dir .. "/run"), quote(dir .. "/tmp")))
        for path in files:gmatch("[^\n]+") do
            left[#left + 1] = "file " .. path
        end
        return #left == 0
    end, LEFTOVER_SECONDS)
    if not ok then
        error("left behind by the test:\n  " .. table.concat(left, "\n  "), 2)
    end
end

local function begin()
    current = { handles = {}, before = leaks.snapshot() }
end

local function finish()
    for _, handle in ipairs(current.handles) do
        if handle:alive() then
            handle:signal("KILL", true)
        end
    end
    local ok, message = true, nil
    if current.dir then
        ok, message = pcall(support.assert_nothing_left)
        if not ok then -- what one test left must not fail the next
            leaks.kill(current.before, current.dir)
        end
        support.sh("rm -rf " .. quote(current.dir))
    end
    current = nil
    if not ok then
        error(message, 0)
    end
end

--- One line for each spec file, at its top or in a describe: a fresh folder for every test, and the leftover check after it.
function support.guard()
    local busted = require "busted"
    busted.before_each(begin)
    busted.after_each(finish)
end

return support
