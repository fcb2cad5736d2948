--- What a run of tfl may leave behind on this host, and must not: processes, listening ports, temporary files.
--
-- A snapshot is taken before, and compared after. As a program (scripts/test.sh uses it so around the whole suite):
--   lua5.4 spec/support/leaks.lua snapshot FILE
--   lua5.4 spec/support/leaks.lua check FILE [MARK]      prints what is new; exit 1 when anything is
local lfs = require "lfs"

local leaks = {}

local SETTLE_SECONDS = 3 -- a clean-up that is still at work has this long
local FIRST_PORT, LAST_PORT = 20000, 32767

local function read(path)
    local file = io.open(path, "rb")
    if not file then
        return nil
    end
    local text = file:read("a")
    file:close()
    return text
end

-- This process and all above it, as a set of pids: whoever asks has the mark too.
local function ancestors()
    local set, name = {}, "self"
    repeat
        local pid, parent = (read("/proc/" .. name .. "/stat") or ""):match("^(%d+) .*%) %S (%d+)")
        if pid then
            set[math.tointeger(tonumber(pid))] = true
        end
        name = parent
    until not pid or parent == "0"
    return set
end

--- Processes of runs (TFL_RUN_ID in their environment), or with a mark those that have it in their environment or arguments:
-- {[pid] = {start = clock ticks since boot, command =}}. Start times tell a process from a later one that got its pid.
local function processes(mark)
    local found, above = {}, ancestors()
    for name in lfs.dir("/proc") do
        local pid = math.tointeger(tonumber(name))
        local environ = pid and not above[pid] and read("/proc/" .. name .. "/environ")
        local cmdline = environ and read("/proc/" .. name .. "/cmdline") or ""
        local text = environ and "\0" .. environ .. "\0" .. cmdline
        if text and text:find(mark or "\0TFL_RUN_ID=", 1, true) then
            local stat = read("/proc/" .. name .. "/stat") or ""
            local state, rest = stat:match("^.*%) (%S) (.*)$")
            local fields = {}
            for field in (rest or ""):gmatch("%S+") do
                fields[#fields + 1] = field
            end
            if state and state ~= "Z" and state ~= "X" then
                found[pid] = { start = fields[19], command = (cmdline:gsub("%z+$", ""):gsub("%z", " ")) }
            end
        end
    end
    return found
end

--- Listening TCP ports that tfl may hand out: {[port] = inode of the socket}.
local function ports()
    local found = {}
    for _, path in ipairs({ "/proc/net/tcp", "/proc/net/tcp6" }) do
        for line in (read(path) or ""):gmatch("[^\n]+") do
            local port, inode = line:match("^%s*%d+: %x+:(%x+) %x+:%x+ 0A %S+ %S+ %S+%s+%d+%s+%d+%s+(%d+)")
            port = port and tonumber(port, 16)
            if port and port >= FIRST_PORT and port <= LAST_PORT then
                found[port] = inode
            end
        end
    end
    return found
end

--- The processes that hold sockets, of those that are ours to look at: {[inode] = {pid…}} by one pass over all of them.
local function holders()
    local found = {}
    for name in lfs.dir("/proc") do
        if name:match("^%d+$") then
            pcall(function()
                for fd in lfs.dir("/proc/" .. name .. "/fd") do
                    local link = lfs.symlinkattributes("/proc/" .. name .. "/fd/" .. fd, "target")
                    local inode = link and link:match("^socket:%[(%d+)%]$")
                    if inode then
                        found[inode] = found[inode] or {}
                        table.insert(found[inode], math.tointeger(tonumber(name)))
                    end
                end
            end)
        end
    end
    return found
end

local function temporaries()
    local found = {}
    for name in lfs.dir("/tmp") do
        if name:match("^tfl%-") then
            found["/tmp/" .. name] = true
        end
    end
    return found
end

--- What is there now. Give it to leaks.since later.
function leaks.snapshot()
    local running = {}
    for pid, process in pairs(processes()) do
        running[pid] = process.start
    end
    return { processes = running, ports = ports(), temporaries = temporaries() }
end

--- A list of lines, one for each thing that is there now and was not in the snapshot.
-- mark (a string that only our processes have in their environment or arguments): only these count, and ports held by them or by
-- nobody that can be seen, and no temporary files: other people's runs on the host are none of ours. nil: every run counts.
function leaks.since(before, mark)
    local found = {}
    for pid, process in pairs(processes(mark)) do
        if before.processes[pid] ~= process.start then
            found[#found + 1] = ("process %d: %s"):format(pid, process.command:sub(1, 200))
        end
    end
    local listening = ports()
    local held_by = holders()
    local still = ports() -- what has gone meanwhile may be anybody's
    for port, inode in pairs(listening) do
        if not before.ports[port] and still[port] == inode then
            local pids = held_by[inode] or {}
            local ours = not mark or #pids == 0
            for _, pid in ipairs(pids) do
                ours = ours or ((read("/proc/" .. pid .. "/environ") or ""):find(mark, 1, true) ~= nil)
            end
            if ours then
                found[#found + 1] = ("listening port %d (processes: %s)"):format(port, table.concat(pids, " "))
            end
        end
    end
    for path in pairs(mark and {} or temporaries()) do
        if not before.temporaries[path] then
            found[#found + 1] = "temporary " .. path
        end
    end
    table.sort(found)
    return found
end

--- Kills every process that leaks.since would name, so that what one test left does not disturb the next.
function leaks.kill(before, mark)
    for pid, process in pairs(processes(mark)) do
        if before.processes[pid] ~= process.start then
            os.execute("kill -9 " .. pid .. " 2>/dev/null")
        end
    end
end

local function program(verb, path, mark)
    if verb == "snapshot" then
        local now = leaks.snapshot()
        local out = assert(io.open(path, "w"))
        for kind, things in pairs(now) do
            for key, value in pairs(things) do
                out:write(kind, "\t", key, "\t", tostring(value), "\n")
            end
        end
        out:close()
        return 0
    end
    local before = { processes = {}, ports = {}, temporaries = {} }
    for line in io.lines(path) do
        local kind, key, value = line:match("^(%a+)\t(.-)\t(.*)$")
        before[kind][math.tointeger(tonumber(key)) or key] = value
    end
    local deadline = os.time() + SETTLE_SECONDS
    local left
    repeat
        left = leaks.since(before, mark)
    until #left == 0 or os.time() >= deadline
    for _, line in ipairs(left) do
        print("left behind: " .. line)
    end
    return #left == 0 and 0 or 1
end

if arg and arg[0] and arg[0]:match("leaks%.lua$") then
    if not ({ snapshot = true, check = true })[arg[1]] or not arg[2] then
        io.stderr:write("usage: lua5.4 leaks.lua snapshot|check FILE [MARK]\n")
        os.exit(2)
    end
    os.exit(program(arg[1], arg[2], arg[3]))
end

return leaks
