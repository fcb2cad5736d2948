--- The logs of nodes: what the environment wants of them, and what is in them. tfl's own log (TFL_LOG) is another matter.
local duration = require "tfl.duration"
local env = require("tfl.env").get
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"
local wait = require "tfl.core.wait"

local M = {}

local LEVELS = { "ERROR", "WARN", "INFO", "DEBUG", "TRACE" }

--- What the environment says, the same for all deployers and kinds. Raises usage.
---@return {level: string|nil, filter: string|nil, folder: string|nil}
function M.settings()
    local level, tracing = env "LOGOS_BLOCKCHAIN_LOG_LEVEL", env "LOGOS_BLOCKCHAIN_TESTS_TRACING"
    local known = {}
    for _, name in ipairs(LEVELS) do known[name] = name end
    if level and not known[level:upper()] then
        errors.usage("LOGOS_BLOCKCHAIN_LOG_LEVEL=%s: a level was expected%s", level, suggest.hint(level:upper(), LEVELS))
    elseif tracing and tracing ~= "true" and tracing ~= "false" then
        errors.usage("LOGOS_BLOCKCHAIN_TESTS_TRACING=%s: true or false was expected", tracing)
    end
    local folder = env "LOGOS_BLOCKCHAIN_LOG_DIR"
    local there = folder and sys.stat(folder)
    if there and there.type ~= "folder" then errors.usage("LOGOS_BLOCKCHAIN_LOG_DIR=%s: that is no folder", folder) end
    return {
        level = level and level:upper() or tracing == "true" and "DEBUG" or nil, filter = env "LOGOS_BLOCKCHAIN_LOG_FILTER",
        folder = folder,
    }
end

-- ---- lines

--- Days since 1970 of a date of the Gregorian calendar.
local function days(y, m, d)
    y = m <= 2 and y - 1 or y
    local era, month = y // 400, (m + 9) % 12
    local of_era = y - era * 400
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + (153 * month + 2) // 5 + d - 1 - 719468
end

--- Zones whose names do not say how far they are from UTC.
local named = {}
for name in ("ACST AEDT AEST BST CDT CEST CET CST EDT EEST EET EST HKT IST JST KST MDT MSK MST PDT PST SGT WEST WET"):gmatch "%u+" do
    named[name] = true
end

--- Seconds that the zone right behind a stamp is ahead of UTC; nil when there is no telling.
local function zone(rest)
    local sign, h, m = rest:match "^ ?([+-])(%d%d):?(%d%d)%f[%D]"
    if not sign then
        sign, h = rest:match "^([+-])(%d%d)%f[%D]"
        m = 0
    end
    if not sign then return not named[rest:match "^ (%u+)%f[%A]" or ""] and 0 or nil end
    h, m = tonumber(h), tonumber(m)
    return h <= 14 and m < 60 and (sign .. 1) * (h * 3600 + m * 60) or nil
end

--- Unix time of the stamp that a line begins with, in UTC unless it says another zone; nil when it has none.
---@param line string
---@return number|nil
function M.unix(line)
    local y, mo, d, h, mi, s, f, at = line:match "^%[?(%d%d%d%d)%-(%d%d)%-(%d%d)[T ](%d%d):(%d%d):(%d%d)([.,]?%d*)()"
    local ahead = y and zone(line:sub(at, at + 8))
    if not ahead then return nil end
    return days(tonumber(y), tonumber(mo), tonumber(d)) * 86400 + tonumber(h) * 3600 + tonumber(mi) * 60 + tonumber(s)
        + (tonumber("0" .. f:gsub(",", ".")) or 0) - ahead
end

--- Calls fn(line) for each line of a text that comes in parts, until it gives true. Long lines cost no more than their length: a pattern
--- for a line looks for its end from each of its bytes.
---@param rest string what is left of the parts before
---@param part string
---@param fn fun(line: string): any
---@return string rest, boolean done
function M.lines(rest, part, fn)
    local from = 1
    while true do
        local at = part:find("\n", from, true)
        if not at then return rest .. part:sub(from), false end
        local line = rest .. part:sub(from, at - 1)
        from, rest = at + 1, ""
        if fn(line) then return "", true end
    end
end

--- Calls fn(line, number, file) for each line; colours are taken out. Lets others have their turn between parts of a long file.
local function each_line(path, fn)
    local offset, number, rest = 0, 0, ""
    while true do
        local part, after = sys.read_from(path, offset)
        if not part or part == "" then break end
        offset = after
        rest = M.lines(rest, part, function(line)
            number = number + 1
            fn(line:find("\27", 1, true) and line:gsub("\27%[[%d;]*m", "") or line, number)
        end)
        wait.sleep(0)
    end
    if rest ~= "" then fn(rest, number + 1) end
end

--- Raises usage when a text is no Lua pattern, or one of another language: that finds nothing and says nothing.
---@param what string
---@param pattern any
function M.check_pattern(what, pattern)
    if type(pattern) ~= "string" then errors.usage("%s: a Lua pattern was expected, got %s", what, errors.show(pattern)) end
    local bare = pattern:gsub("%%.", "") -- without what is escaped, and then without sets
    local plain = bare:gsub("%[%^?%]?[^%]]*%]", "")
    local _, opened = plain:gsub("%(", "")
    local _, closed = plain:gsub("%)", "")
    if not pcall(string.find, "", pattern) or bare:find "%%$" or plain:find("[", 1, true) or opened ~= closed then
        errors.usage("%s: %s is no Lua pattern (the signs ^$()%%.[]*+-? are escaped by a %% before them)", what, errors.show(pattern))
    elseif plain:find "|" or plain:find("(?", 1, true) or bare:find "\\" then
        errors.usage("%s: %s looks like a regular expression, and Lua patterns are none: there is no | (ask twice; %%| is the sign), "
            .. "no (?…) and no \\ (%%d is a digit, %%s a space, %%\\ the sign)", what, errors.show(pattern))
    end
end

--- A node's log, as ctx:logs(node) gives it.
---@class tfl.NodeLog
local Log = {}
Log.__index = Log
Log.__name = "log"
Log.__tostring = function(self) return self:text() end

--- The end of it.
---@param bytes? integer
---@return string
function Log:text(bytes)
    local text = self.run.deployer:logs(self.node, bytes)
    if #text > 0 then self.looked() end
    return text
end

--- The files of a log, the older one first, or the text itself when the deployer has it elsewhere.
---@return boolean whole nothing older is gone
---@return boolean steady false: a file was begun anew meanwhile, so lines may have been missed
local function each(self, fn)
    local path = self.run.deployer:log_path(self.node)
    if not path then
        local number = 0
        for line in self.run.deployer:logs(self.node):gmatch "[^\n]+" do
            number = number + 1
            fn(line, number, self.node)
        end
        return true, true
    end
    wait.sleep(0.02) -- what it has written a moment ago is still on its way
    local function ids() return ((sys.stat(path .. ".1") or {}).id or 0) .. " " .. ((sys.stat(path) or {}).id or 0) end
    local whole, before = true, ids()
    for _, suffix in ipairs { ".1", "" } do
        local name = "logs/" .. path:match "[^/]+$" .. suffix
        each_line(path .. suffix, function(line, n)
            if n == 1 and line .. "\n" == proc.LOG_GONE then whole = false else fn(line, n, name) end
        end)
    end
    return whole, ids() == before
end

local READINGS = 3 -- of a log that is begun anew while it is read

--- The lines that match a Lua pattern, in order. A line without a time of its own has that of the last one that had.
---@param pattern string
---@param options? {since: any} only those of the last so long
---@return {node: string, text: string, file: string, line: integer, t: number|nil, slot: integer|nil}[] t: seconds since the start
---@return boolean whole false: there were more lines, older than these, and they are gone
function Log:grep(pattern, options)
    options = errors.options("log:grep", options, "since")
    M.check_pattern("log:grep", pattern)
    local run, found, timed, whole, steady = self.run, nil, nil, nil, nil
    local since = options.since and run:now() - duration.to_seconds(options.since, run.plan, "log:grep, since")
    local function look(line, number, file)
        self.looked()
        if line:find "^%[?%d%d%d%d%-" then timed = line end
        if not line:find(pattern) then return end
        local unix = timed and M.unix(timed)
        local t = unix and unix - run.started_ms / 1000
        if since and (not t or t < since) then return end
        local slot = unix and run.genesis_ms and (unix * 1000 - run.genesis_ms) // run.plan.slot_ms
        found[#found + 1] = {
            node = self.node, text = line, file = file, line = number, t = t, slot = slot and slot >= 0 and math.tointeger(slot) or nil,
        }
    end
    for _ = 1, READINGS do
        found, timed = {}, nil
        whole, steady = each(self, look)
        if steady then break end
    end
    return found, whole and steady
end

---@param run table
---@param node string
---@param looked? fun() called when something was seen
---@return tfl.NodeLog
function M.of(run, node, looked) return setmetatable({ run = run, node = node, looked = looked or function() end }, Log) end

-- ---- the end of a run

local TROUBLE = { "%f[%w]ERROR%f[%W]", "%f[%w]WARN%f[%W]", "panicked at" }
local MOST_NODES, MOST_LINES, MOST_BYTES = 12, 4, 8 << 20

--- The last lines of trouble in the logs, one of each node, the latest first.
---@param run table
---@return table[] of log:grep
function M.trouble(run)
    local list, till = {}, math.huge
    for _, phase in ipairs(run.phases) do
        if phase.name == "teardown" then till = phase.from end -- that its peers go then is no trouble of a node
    end
    for i, node in ipairs(run.nodes) do
        if i > MOST_NODES then break end
        local path = run.started[node.name] and run.deployer:log_path(node.name)
        local stat = path and sys.stat(path)
        if stat and stat.size <= MOST_BYTES then
            local last
            for _, pattern in ipairs(TROUBLE) do
                local found = M.of(run, node.name):grep(pattern)
                local n = #found
                while n > 0 and (found[n].t or 0) > till do n = n - 1 end
                local one = found[n]
                if one and (not last or (one.t or 0) > (last.t or 0)) then last = one end
            end
            list[#list + 1] = last
        end
    end
    table.sort(list, function(a, b) return (a.t or 0) > (b.t or 0) end)
    return table.move(list, 1, math.min(#list, MOST_LINES), 1, {})
end

--- With LOGOS_BLOCKCHAIN_LOG_DIR: the logs of the run go there, into a folder named as the run's, whatever becomes of that.
---@param run table
function M.save(run)
    local folder = M.settings().folder
    if not folder then return end
    local to = ("%s/%s"):format(folder, run.dir:match "[^/]+$")
    local ok, err = pcall(function()
        for _, argv in ipairs { { "mkdir", "-p", "--", to }, { "cp", "-Rf", "--", run.dir .. "/logs/.", to } } do
            local result = proc.exec(argv)
            if result.code ~= 0 then error(errors.new("io", "%s", result.stderr), 0) end
        end
    end)
    if not ok then run:say("logs", ("LOGOS_BLOCKCHAIN_LOG_DIR=%s: the logs are not there: %s"):format(folder, errors.text(err))) end
end

return M
