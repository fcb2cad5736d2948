--- How a summary reads on a terminal: verdict first, then each expectation, then where the evidence is and how to run it
--- again. 80 to 100 columns; works from summary.json alone.
local duration = require "tfl.duration"
local sys = require "tfl.core.sys"

local M = {}

local marks = { pass = "✓", fail = "✗", inconclusive = "?", infra = "!", usage = "!" }
local words = {
    pass = "PASS", fail = "FAIL", inconclusive = "INCONCLUSIVE", infra = "INFRA", usage = "USAGE", interrupted = "INTERRUPTED",
}
local colours = { pass = "32", fail = "31", inconclusive = "33", infra = "35", usage = "35", interrupted = "33" }

--- Control bytes of names, messages and log lines never reach the terminal.
---@param text string
---@return string
function M.clean(text)
    return (tostring(text):gsub("[%z\1-\8\11-\31\127]", function(c) return string.format("\\x%02x", c:byte()) end))
end

--- Text for files: invalid UTF-8 becomes "?", and control bytes what `clean` makes of them.
---@param text string
---@return string
function M.plain(text)
    text = M.clean(text)
    if utf8.len(text) then return text end
    local out, i = {}, 1
    while i <= #text do
        local _, bad = utf8.len(text, i)
        out[#out + 1] = text:sub(i, (bad or #text + 1) - 1) .. (bad and "?" or "")
        i = (bad or #text) + 1
    end
    return table.concat(out)
end

--- "node-2 31.2s (slot 157) WARN peer node-0: …  logs/logos-blockchain-node-2.log:412".
---@param line table of tfl.NodeLog:grep
---@return string
function M.log_line(line)
    local text = sys.redact(line.text:gsub("^%[?%d%d%d%d%-%S+%s*", "")) -- before it is cut: half a URL shows its password
    if #text > 120 then text = text:sub(1, (utf8.len(text) and utf8.offset(text, 0, 121) or 121) - 1) .. "…" end
    local at = line.t and (" %.1fs%s"):format(line.t, line.slot and (" (slot %d)"):format(line.slot) or "") or ""
    return ("%s%s %s  %s:%d"):format(line.node, at, text, line.file, line.line)
end

--- What a verdict looks like in a line, and its word at the head of a summary.
---@param verdict string
---@return string mark, string word
function M.mark(verdict) return marks[verdict] or "?", words[verdict] or verdict:upper() end

--- Colours a text by a verdict, on a terminal.
---@param text string
---@param verdict string
---@param colour boolean
---@return string
function M.paint(text, verdict, colour)
    if not colour then return text end
    return "\27[" .. colours[verdict] .. "m" .. text .. "\27[0m"
end

--- A path with ~ for the home folder.
---@param path string
---@return string
function M.home(path)
    local folder = os.getenv "HOME"
    if folder and folder ~= "" and path:sub(1, #folder + 1) == folder .. "/" then return "~" .. path:sub(#folder + 1) end
    return path
end

--- The text with spaces up to that many characters.
---@param text string
---@param width integer
---@return string
function M.pad(text, width)
    return text .. string.rep(" ", math.max(1, width - (utf8.len(text) or #text)))
end

--- Lines that people copy: commands and paths stay whole.
local WHOLE = { evidence = true, again = true, report = true, go = true }

--- Columns that a text takes; colours take none.
local function width_of(text)
    text = text:gsub("\27%[[%d;]*m", "")
    return utf8.len(text) or #text
end

local function fit_line(line, columns, out)
    local label, mark = line:match "^%s+(%a+)", 1
    if width_of(line) <= columns or WHOLE[label] then
        out[#out + 1] = line
        return
    end
    local below = #line:match "^ *" + 2 -- what goes on stands below the last column that begins in the left half
    for from in line:gmatch "%S  +()%S" do
        local at = width_of(line:sub(1, from - 1))
        if at <= columns * 0.6 then below, mark = at, from end
    end
    local now = line:sub(1, mark - 1)
    local width = width_of(now)
    for space, word in line:sub(mark):gmatch "(%s*)(%S+)" do
        local more = width_of(space) + width_of(word)
        if width + more > columns and width > below then
            out[#out + 1] = now
            now, space, width, more = (" "):rep(below), "", below, width_of(word)
        end
        now, width = now .. space .. word, width + more
    end
    out[#out + 1] = now
end

--- Text for a terminal of so many columns: a longer line goes on in the next one at a word, below its own text.
---@param text string
---@param columns integer
---@return string
function M.fit(text, columns)
    local out = {}
    for line in text:gmatch "([^\n]*)\n?" do fit_line(line, columns, out) end
    return table.concat(out, "\n") .. (text:sub(-1) == "\n" and "\n" or "")
end

local function indent(text, by)
    return (M.clean(text):gsub("\n+$", ""):gsub("\n", "\n" .. string.rep(" ", by)))
end

local function head(s)
    local window = duration.show(s.window_seconds)
    if s.run_seconds then window = duration.show(s.run_seconds) .. " of " .. window end
    return string.format("%s · %s · %s · seed %d · %.1fs wall · exit %d", s.deployer, s.topology, window, s.seed,
        s.wall_seconds, s.exit_code)
end

--- Heights and tips of the nodes, two a line: shown when something is wrong.
local function nodes(s, out)
    local cells, known = {}, false
    for _, node in ipairs(s.nodes_detail) do known = known or type(node.height) == "number" or type(node.pid) == "number" end
    if not known then return end -- none was ever there
    for i, node in ipairs(s.nodes_detail) do
        if i > 12 then break end
        local height = (node.tip or "") ~= "" and "h" .. node.height or "h?"
        cells[i] = string.format("%s  %s  tip %-4s  peers %s%s", node.name, height, (node.tip or ""):sub(1, 4),
            type(node.peers) == "number" and tostring(node.peers) or "?", node.crashed and "  " .. node.exit or "")
    end
    for i = 1, #cells, 2 do
        out[#out + 1] = "      " .. (cells[i + 1] and M.pad(cells[i], 40) .. cells[i + 1] or cells[i])
    end
    if #s.nodes_detail > 12 then out[#out + 1] = string.format("      … %d more nodes", #s.nodes_detail - 12) end
end

local function phases(s)
    local parts = {}
    for _, phase in ipairs(s.phases) do
        if phase.seconds >= 0.05 then parts[#parts + 1] = string.format("%s %.1f", phase.name, phase.seconds) end
    end
    return table.concat(parts, " · ")
end

--- What an expectation measured, when it has nothing else to say: "node-0 24 blocks · node-1 25 blocks".
local function figures(e)
    local names, parts = {}, {}
    for name in pairs(e.figures) do names[#names + 1] = name end
    table.sort(names)
    for i = 1, math.min(6, #names) do
        local unit = e.units and e.units[names[i]]
        parts[i] = string.format("%s %.6g%s", names[i], e.figures[names[i]], unit and " " .. unit or "")
    end
    return table.concat(parts, " · ")
end

--- "p50/p95/p99" in the unit of the last.
local function triple(l)
    if l.n == 0 then return "none" end
    local unit, by = "ms", 1
    if l.p99 >= 1000 then unit, by = "s", 1000 end
    local fmt = l.p99 / by < 10 and "%.1f" or "%.0f"
    return (fmt .. "/" .. fmt .. "/" .. fmt .. "%s"):format(l.p50 / by, l.p95 / by, l.p99 / by, unit)
end

--- Rows below tx_inclusion: how long transactions took, and how punctual they were sent.
local function transactions(s, out, width)
    local t = s.transactions
    if not t or t.planned == 0 then return end
    local l = t.latency_ms
    out[#out + 1] = ("    %saccepted %s · included %s · final %s  (p50/p95/p99)"):format(M.pad("latency", width + 1), triple(l.accepted),
        triple(l.included), triple(l.final))
    local held = t.lag_ms.held > 0 and (" · %d waited for answers to others"):format(t.lag_ms.held) or ""
    out[#out + 1] = ("    %slate by %s, %d of %d too late · signing %.0fµs each%s"):format(M.pad("generator", width + 1),
        triple(t.lag_ms), t.lag_ms.late, t.planned, t.signing_us, held)
end

local function bytes(n)
    if n < 1000 then return ("%d B"):format(n) elseif n < 1e6 then return ("%.0f kB"):format(n / 1e3) end
    return ("%.1f MB"):format(n / 1e6)
end

--- "partition {0,1}|{2,3} (withheld 48 kB)".
local function fault_text(fault)
    local counts, note = fault.counts or {}, ""
    if (counts.withheld or 0) > 0 then
        note = " (withheld " .. bytes(counts.withheld) .. ")"
    elseif (counts.delayed or 0) > 0 then
        note = " (delayed " .. bytes(counts.delayed) .. ")"
    elseif fault.bit == false then
        note = fault.error and " (failed)" or " (did not bite)"
    end
    return M.clean(("%s %s%s"):format(fault.verb, fault.text or table.concat(fault.targets, ","), note))
end

--- What was done to the cluster: of a pass how often what, of other runs each with its time.
local function faults(s, out, width)
    local label, list, counts, order = "    " .. M.pad("faults", width + 1), {}, {}, {}
    for _, fault in ipairs(s.faults or {}) do
        if fault.by ~= "plan" then
            list[#list + 1] = fault
            if not counts[fault.verb] then order[#order + 1] = fault.verb end
            counts[fault.verb] = (counts[fault.verb] or 0) + 1
        end
    end
    if #list == 0 then return end
    if s.verdict == "pass" then
        for i, verb in ipairs(order) do order[i] = counts[verb] .. " " .. verb end
        out[#out + 1] = label .. table.concat(order, " · ")
        return
    end
    for i, fault in ipairs(list) do
        if i > 8 then
            out[#out + 1] = label .. ("… %d more"):format(#list - 8)
            break
        end
        local back = fault.to and (" · %.1fs %s"):format(fault.ready or fault.to, fault.counts and "heal" or "back") or ""
        out[#out + 1] = ("%s%.1fs %s%s"):format(label, fault.from, fault_text(fault), back)
        label = (" "):rep(#label)
    end
end

local FULL_DISK = 1e9

--- What there is to say of the host: how late and stalled it was, and what else went wrong there.
---@param h table of tfl.host_watch
---@return string|nil
function M.host(h)
    if not h.loop_lag_ms then return nil end
    local parts = { ("loop late by up to %.1fms"):format(h.loop_lag_ms) }
    local function part(there, fmt, ...) parts[#parts + 1] = there and fmt:format(...) or nil end
    part(h.psi_full, "all tasks stalled %.1f%% of the time", 100 * (h.psi_full or 0))
    part((h.steal or 0) >= 0.001, "%.1f%% of the processors stolen", 100 * (h.steal or 0))
    part((h.oom_kills or 0) > 0, "%d killed for lack of memory", h.oom_kills or 0)
    part((h.disk_free_bytes or FULL_DISK) < FULL_DISK, "%s of disk left", bytes(h.disk_free_bytes or 0))
    part((h.clock_jump_ms or 0) ~= 0, "the clock jumped by %.1fs", (h.clock_jump_ms or 0) / 1000)
    return table.concat(parts, ", ")
end

--- The summary as lines of text.
---@param s table summary
---@param colour boolean
---@return string
function M.summary(s, colour)
    local word = words[s.verdict]
    local out = { M.paint(word, s.verdict, colour) .. "  " .. M.pad(M.clean(s.scenario), 28 - #word) .. head(s) }
    local width = 18
    for _, e in ipairs(s.expectations) do width = math.max(width, math.min(30, #e.name)) end
    for _, problem in ipairs(s.problems) do
        out[#out + 1] = string.format("  %s %s %s", M.paint("✗", "fail", colour), M.pad(problem.code, width + 1),
            indent(problem.message, 6))
    end
    for _, e in ipairs(s.expectations) do
        local code = e.code ~= "ok" and e.code ~= "failed" and e.verdict ~= "pass" and e.code .. ": " or ""
        if e.verdict == "inconclusive" and e.code == "inconclusive" then code = "inconclusive: " end
        if e.message:sub(1, #e.code) == e.code then code = "" end
        local message = e.message ~= "" and e.message or figures(e)
        out[#out + 1] = (string.format("  %s %s %s%s", M.paint(marks[e.verdict] or "?", e.verdict, colour),
            M.pad(M.clean(e.name), width + 1), code, indent(message, 6)):gsub("%s+$", ""))
        if e.name == "tx_inclusion" then transactions(s, out, width) end
    end
    if s.verdict ~= "pass" then nodes(s, out) end
    for _, line in ipairs(s.log_lines or {}) do out[#out + 1] = "      " .. M.clean(M.log_line(line)) end
    faults(s, out, width)
    for _, warning in ipairs(s.warnings or {}) do
        out[#out + 1] = "    " .. M.pad("warning", width + 1) .. indent(warning.message, 6)
    end
    out[#out + 1] = "    " .. M.pad("phases", width + 1) .. phases(s)
    local host = s.host and M.host(s.host)
    if host and s.verdict ~= "pass" then out[#out + 1] = "    " .. M.pad("host", width + 1) .. host end
    out[#out + 1] = "  evidence  " .. M.home(s.dir) .. (s.incomplete and "  (incomplete: " .. s.incomplete .. ")" or "")
    out[#out + 1] = "  again     " .. M.clean(s.again)
    return table.concat(out, "\n") .. "\n"
end

return M
