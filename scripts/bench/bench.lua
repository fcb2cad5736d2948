--- What the benchmarks share. A benchmark is a Lua program that calls bench.figure for everything it measures; scripts/bench/run.sh
-- runs them and sets TFL (the program) and BENCH_DIR (a folder for whatever they write).
local cjson = require "cjson"
local lfs = require "lfs"
local system = require "system"

local bench = { tfl = assert(os.getenv "TFL", "run scripts/bench/run.sh"), dir = assert(os.getenv "BENCH_DIR") }

local TICKS = 100 -- of /proc/PID/stat for each second (USER_HZ, 100 on every Linux)

local function quote(word)
    return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end

function bench.read(path)
    local file = io.open(path, "rb")
    local text = file and file:read "a"
    if file then file:close() end
    return text
end

--- Prints one figure for run.sh. op is "<" or ">=".
function bench.figure(name, value, unit, op, target)
    local ok = op == "<" and value < target or op == ">=" and value >= target
    local function show(x)
        return math.type(x) == "integer" and tostring(x) or (("%.3f"):format(x):gsub("0+$", ""):gsub("%.$", ""))
    end
    print(("%s\t%s %s\t%s %s %s\t%s"):format(name, show(value), unit, op, show(target), unit, ok and "ok" or "MISS"))
    io.stdout:flush()
end

--- Writes a scenario file and gives its path.
function bench.scenario(name, text)
    local path = bench.dir .. "/" .. name .. ".lua"
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    return path
end

local Run = {}
Run.__index = Run

--- Starts tfl with these arguments (a list; `env` = a table) in the background, with a state folder of its own.
function bench.start(arguments)
    bench.runs = (bench.runs or 0) + 1
    local base = ("%s/run%d-%s"):format(bench.dir, bench.runs, arg[0]:match "([^/]+)%.lua$")
    local words = { "env", "-u TFL_LOG", "-u RUST_LOG", "XDG_STATE_HOME=" .. quote(base .. "-state") }
    for name, value in pairs(arguments.env or {}) do
        words[#words + 1] = quote(name .. "=" .. value)
    end
    words[#words + 1] = quote(bench.tfl)
    for _, word in ipairs(arguments) do
        words[#words + 1] = quote(word)
    end
    local script = ('exec %s --json --keep >%s.out 2>%s.err & echo $! >%s.pid; wait $!; echo $? >%s.code'):format(
        table.concat(words, " "), base, base, base, base)
    os.execute("sh -c " .. quote(script) .. " </dev/null >/dev/null 2>&1 &")
    local run = setmetatable({ base = base, pid = false }, Run)
    run.pid = bench.eventually(10, "tfl to start", function() return math.tointeger(tonumber(bench.read(base .. ".pid"))) end)
    return run
end

--- Polls until fn gives something true.
function bench.eventually(within, what, fn)
    local deadline = system.monotime() + within
    while system.monotime() < deadline do
        local value = fn()
        if value then return value end
        system.sleep(0.05)
    end
    error(("waited %gs in vain for %s"):format(within, what), 2)
end

--- Waits until the run says that a phase has begun.
function Run:wait_phase(name, within)
    bench.eventually(within, "the phase " .. name .. "; see " .. self.base .. ".err", function()
        assert(not bench.read(self.base .. ".code"), "tfl ended; see " .. self.base .. ".out and .err")
        return (bench.read(self.base .. ".err") or ""):find(": " .. name .. "\n", 1, true)
    end)
end

--- Waits for the end and gives the summary; a run that did not pass is an error unless `any`.
function Run:finish(within, any)
    bench.eventually(within, "the end of tfl", function() return bench.read(self.base .. ".code") end)
    local out = bench.read(self.base .. ".out") or ""
    local line = assert(out:match "([^\n]+)\n*$", "tfl wrote no summary; see " .. self.base .. ".err")
    local summary = cjson.decode(line)
    if summary.verdict == "usage" or not any and summary.verdict ~= "pass" then
        error(("the run ended with %s: %s"):format(tostring(summary.verdict), out), 2)
    end
    return summary
end

--- Seconds of a phase of a summary.
function bench.phase(summary, name)
    for _, phase in ipairs(summary.phases) do
        if phase.name == name then return phase.seconds end
    end
    error("the summary has no phase " .. name)
end

--- The figures of an expectation of a summary.
function bench.figures_of(summary, name)
    for _, expectation in ipairs(summary.expectations) do
        if expectation.name == name then return expectation.figures end
    end
    error("the summary has no expectation " .. name)
end

--- The run folder of a started run.
function Run:folder()
    local root = self.base .. "-state/tfl/runs"
    for name in lfs.dir(root) do
        if name:sub(1, 1) ~= "." then return root .. "/" .. name end
    end
    error("no run folder in " .. root)
end

--- pid and all its descendants with the name of their program.
function Run:processes()
    local children = {}
    for name in lfs.dir "/proc" do
        local stat = name:match "^%d+$" and bench.read("/proc/" .. name .. "/stat")
        if stat then
            local comm, parent = stat:match "%((.*)%) %S (%d+)"
            parent = math.tointeger(tonumber(parent))
            children[parent] = children[parent] or {}
            table.insert(children[parent], { pid = math.tointeger(tonumber(name)), name = comm })
        end
    end
    local list, i = { { pid = self.pid, name = "tfl" } }, 1
    while list[i] do
        for _, child in ipairs(children[list[i].pid] or {}) do list[#list + 1] = child end
        i = i + 1
    end
    return list
end

--- Resident kB of a process (all its pages), and proportional kB (shared pages divided among who shares them).
function bench.rss_kb(pid)
    return tonumber(bench.read(("/proc/%d/status"):format(pid)):match "VmRSS:%s*(%d+)")
end
function bench.pss_kb(pid)
    return tonumber(bench.read(("/proc/%d/smaps_rollup"):format(pid)):match "\nPss:%s*(%d+)")
end

--- Seconds of processor time a process has used.
function bench.cpu_seconds(pid)
    local rest = bench.read(("/proc/%d/stat"):format(pid)):match "^.*%) (.*)$"
    local fields = {}
    for field in rest:gmatch "%S+" do fields[#fields + 1] = tonumber(field) or field end
    return (fields[12] + fields[13]) / TICKS
end

--- Runs a command of sh: did it end with 0, and what it said.
function bench.sh(command)
    local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1; echo $?", "r"))
    local text = pipe:read "a"
    pipe:close()
    local out, code = text:match "^(.-)%s*(%d+)\n$"
    return tonumber(code) == 0, out
end

function bench.sleep(seconds) system.sleep(seconds) end
function bench.now() return system.monotime() end

--- The value below which the share q of the sorted list lies.
function bench.quantile(list, q)
    table.sort(list)
    return list[math.max(1, math.ceil(q * #list))]
end

return bench
