--- The parts of a report that are words and tables. Figures are those of summary.json, as they stand there.
local duration = require "tfl.duration"
local folder = require "tfl.report.folder"
local html = require "tfl.report.html"
local node_logs = require "tfl.node_logs"
local shell = require "tfl.report.shell"
local text = require "tfl.text"

local M = {}

local badge, tile = shell.badge, shell.tile
--- Nodes whose logs are shown of a run that failed without a node to blame.
local LOGS = 12
local MOST_SLOTS = 1e15
local LOGS_ABOUT = '<p class="about">Before each line: seconds since the start of the run, as in the charts, and the slot.</p>'

--- A part of the page; within the report of a matrix it is one of many.
local function section(run, id, title, content)
    if run.within then return ('<div class="part"><p class="part-title">%s</p>%s</div>'):format(title, content) end
    return shell.section(id, title, content)
end

---@param run tfl.ReportRun
function M.header(run)
    local s, facts = run.summary, {}
    local function fact(value) facts[#facts + 1] = value or nil end
    fact(s.deployer)
    fact(s.topology)
    if s.window_seconds then
        local window = duration.show(s.window_seconds)
        fact(s.run_seconds and duration.show(s.run_seconds) .. " of " .. window or window .. " window")
    end
    fact(s.seed and "seed " .. s.seed)
    fact(s.wall_seconds and duration.show(s.wall_seconds) .. " wall")
    fact(s.exit_code and "exit " .. s.exit_code)
    fact(s.started_at)
    return shell.header(s.scenario or "a run", s.verdict, facts, s.again)
end

--- The figures at the top: tiles with their names in the summary.
---@param run tfl.ReportRun
function M.figures(run)
    local s, out = run.summary, {}
    local function count(label, group, key, note)
        local value = s[group][key]
        if value then out[#out + 1] = tile(label, html.number(value), note, group .. "." .. key, value) end
    end
    local b, p, t = s.blocks, s.propagation_ms, s.transactions
    count("blocks on the chain", "blocks", "canonical", (b.expected or 0) > 0 and html.number(math.floor(b.expected + 0.5)) .. " expected"
        .. (b.required and ", ≥ " .. html.number(b.required) .. " required" or ""))
    count("blocks observed", "blocks", "observed", b.canonical_height and "common height " .. html.number(b.canonical_height))
    count("irreversible height", "blocks", "final_height")
    count("forks", "blocks", "forks", b.max_reorg_depth and "deepest reorganisation " .. html.number(b.max_reorg_depth))
    if (p.samples or 0) > 0 then
        out[#out + 1] = tile("propagation", html.ms(p.p50), ("99 %% within %s · %s samples"):format(html.ms(p.p99), html.number(p.samples)),
            "propagation_ms.p50", p.p50 or "")
    end
    if (t.planned or 0) > 0 then
        count("transactions included", "transactions", "included", html.number(t.planned) .. " planned, " .. html.number(t.sent) .. " sent")
        count("transactions irreversible", "transactions", "final", t.lost and html.number(t.lost) .. " lost" or nil)
        local l = t.latency_ms.included
        if l.p50 then
            out[#out + 1] = tile("time to inclusion", html.ms(l.p50), ("95 %% %s · 99 %% %s"):format(html.ms(l.p95), html.ms(l.p99)),
                "transactions.latency_ms.included.p50", l.p50)
        end
    end
    if #s.faults > 0 then out[#out + 1] = tile("faults", html.number(#s.faults), nil, "faults", #s.faults) end
    return shell.tiles(out)
end

---@param run tfl.ReportRun
function M.problems(run)
    local out = {}
    for _, problem in ipairs(run.summary.problems) do
        out[#out + 1] = ('<li class="problem" data-row="problem">%s <b>%s</b>%s<pre>%s</pre></li>'):format(badge(problem.verdict),
            html.text(problem.code or "?", 80), problem.node and " · " .. html.text(problem.node, 80) or "",
            html.text(problem.message or ""))
    end
    for _, conflict in ipairs(run.events.conflicts) do
        out[#out + 1] = ('<li class="problem">%s <b>%s</b> at %s%s<pre>%s</pre></li>'):format(badge "fail", html.text(conflict.code, 80),
            html.seconds(conflict.t), conflict.node and " · " .. html.text(conflict.node, 80) or "", html.text(conflict.message))
        if #out > 40 then break end
    end
    for _, warning in ipairs(run.summary.warnings) do
        local row = '<li class="problem warning" data-row="warning"><span class="badge">warning</span> <b>%s</b><pre>%s</pre></li>'
        out[#out + 1] = row:format(html.text(warning.code or "?", 80), html.text(warning.message or ""))
    end
    local warnings = #run.summary.warnings
    local title = warnings == 0 and "Problems" or warnings == #out and "Warnings" or "Problems and warnings"
    return #out > 0 and section(run, "problems", title, '<ul class="problems">' .. table.concat(out) .. "</ul>") or ""
end

local function figures_of(e)
    local names, parts = {}, {}
    for name in pairs(e.figures) do names[#names + 1] = name end
    table.sort(names)
    for i, name in ipairs(names) do
        local unit = e.units[name]
        parts[i] = ('<span><dt>%s</dt><dd>%s%s</dd></span>'):format(html.text(name:gsub("_", " "), 80), html.number(e.figures[name]),
            unit and " " .. html.text(unit, 40) or "")
    end
    if #parts == 0 then return "" end
    return ('<details%s><summary>%d figures</summary><dl class="small">%s</dl></details>'):format(#parts <= 3 and " open" or "", #parts,
        table.concat(parts))
end

---@param run tfl.ReportRun
function M.expectations(run)
    local out = {}
    for _, e in ipairs(run.summary.expectations) do
        local code = e.code and e.code ~= "ok" and ' <code class="code">' .. html.text(e.code, 80) .. "</code>" or ""
        out[#out + 1] = ('<li data-row="expectation">%s<div><h3>%s%s</h3><p class="message">%s</p>%s</div></li>'):format(badge(e.verdict),
            html.text(e.name or "?", 200), code, html.text(e.message or ""), figures_of(e))
    end
    return #out > 0 and section(run, "expectations", "Expectations", '<ul class="expectations">' .. table.concat(out) .. "</ul>") or ""
end

local function at(seconds) return seconds and ("%.2f s"):format(seconds) or "–" end

local function bit_of(fault)
    local counts = fault.counts
    if fault.error then return "failed: " .. html.text(fault.error, 400) end
    local parts = {}
    for _, key in ipairs { "withheld", "delayed", "refused" } do
        local n = counts[key] or 0
        if n > 0 then parts[#parts + 1] = ("%s %s%s"):format(key, html.number(n), key == "refused" and " dials" or " bytes") end
    end
    if #parts > 0 then return table.concat(parts, ", ") end
    return fault.bit == false and "nothing measurable" or fault.bit and "took effect" or "–"
end

---@param run tfl.ReportRun
function M.faults(run)
    local rows = {}
    for i, fault in ipairs(run.summary.faults) do
        rows[i] = {
            at(fault.from), { html.number(fault.from_slot), "n" }, html.text(fault.verb or fault.name or "?", 80),
            html.text(fault.text or table.concat(fault.targets, ", "), 400), html.text(fault.by or "–", 80),
            { at(fault.to), "n" }, { at(fault.ready), "n" }, bit_of(fault), attributes = { ["data-row"] = "fault" },
        }
    end
    local out = {}
    if #rows > 0 then
        out[1] = html.table(#rows .. (#rows == 1 and " fault" or " faults"), { "from", { "slot", "n" }, "what", "to", "by",
            { "ended", "n" }, { "ready again", "n" }, "effect" }, rows)
    end
    local skipped = {}
    for i, one in ipairs(run.events.skipped) do
        skipped[i] = { html.seconds(one.t), html.text(one.verb, 80), html.text(table.concat(one.targets, ", "), 200),
            html.text(one.reason, 400) }
    end
    if #skipped > 0 then out[#out + 1] = html.table("Left out of the schedule", { "time", "what", "to", "why" }, skipped) end
    return #out > 0 and section(run, "faults", "Fault journal", table.concat(out)) or ""
end

---@param run tfl.ReportRun
function M.nodes(run)
    local rows = {}
    for i, node in ipairs(run.summary.nodes_detail) do
        rows[i] = {
            html.text(node.name or "?", 80), { html.number(node.height), "n" }, { html.number(node.lib), "n" },
            "<code>" .. html.text((node.tip or ""):sub(1, 12)) .. "</code>", { html.number(node.peers), "n" },
            (node.crashed and badge "fail" .. " " or "") .. html.text(node.exit or "–", 200), attributes = { ["data-row"] = "node" },
        }
    end
    if #rows == 0 then return "" end
    return section(run, "nodes", "Nodes", html.table("How the nodes ended", { "node", { "height", "n" }, { "irreversible", "n" }, "tip",
        { "peers", "n" }, "exit" }, rows))
end

--- Nodes whose log may say why: those that died or that a problem names; of a run that failed otherwise, all, folded.
local function suspects(run)
    local blamed, list, s = {}, {}, run.summary
    for _, problem in ipairs(s.problems) do blamed[problem.node or ""] = true end
    for name in pairs(run.events.exits) do blamed[name] = true end
    for _, node in ipairs(s.nodes_detail) do
        if node.crashed or blamed[node.name or ""] then list[#list + 1] = { node = node, open = true } end
    end
    if #list == 0 and s.verdict ~= "pass" then
        for i, node in ipairs(s.nodes_detail) do
            if i <= LOGS then list[i] = { node = node, open = false } end
        end
    end
    return list
end

--- A line of a log with its seconds and slot before it, by the clock of the charts; one without a time of its own is put below the last.
local function aligned(run, line)
    local unix, started, genesis = node_logs.unix(line), run.events.head.started_ms, run.plan.genesis_time_ms
    local slot_ms = run.plan.topology.slot_duration_ms
    if not unix or not started then return (" "):rep(16) .. line end
    local slot = genesis and slot_ms and slot_ms > 0 and (unix * 1000 - genesis) // slot_ms
    return ("%7.1fs %6s  %s"):format(unix - started / 1000, slot and slot >= 0 and slot < MOST_SLOTS and ("%d"):format(slot) or "", line)
end

---@param run tfl.ReportRun
function M.logs(run)
    local out = {}
    for _, one in ipairs(suspects(run)) do
        local tail = folder.log_tail(run, one.node)
        local lines = {}
        for i, line in ipairs(tail and tail.lines or {}) do lines[i] = html.text(aligned(run, line), 616) end
        local exit = run.events.exits[one.node.name or ""]
        local content = #lines > 0 and '<pre class="log" tabindex="0">' .. table.concat(lines, "\n") .. "</pre>"
            or '<p class="about">' .. (tail and "Its log is empty." or "Its log is not in the folder.") .. "</p>"
        out[#out + 1] = ('<details class="log"%s data-row="log"><summary>%s%s<small>%s</small></summary>%s</details>'):format(
            one.open and " open" or "", html.text(one.node.name or "?", 80), exit and (" ended by itself at %.1f s (%s)"):format(exit.t,
            html.text(exit.status, 80)) or "", tail and " " .. html.text(tail.name, 200) .. (tail.cut and ", its end" or "") or "", content)
    end
    return #out > 0 and section(run, "logs", "Log ends", LOGS_ABOUT .. table.concat(out)) or ""
end

---@param run tfl.ReportRun
function M.again(run)
    local s, rows = run.summary, {}
    local function row(name, value) if value then rows[#rows + 1] = { name, value } end end
    row("seed", s.seed and "<code>" .. html.text(s.seed) .. "</code>")
    row("again", s.again and "<code>" .. html.text(s.again) .. "</code>")
    row("evidence", "<code>" .. html.text(run.dir) .. "</code>")
    row("run", s.run_id and "<code>" .. html.text(s.run_id, 200) .. "</code>")
    local phases = {}
    for _, phase in ipairs(s.phases) do
        if (phase.seconds or 0) >= 0.05 then
            phases[#phases + 1] = ("%s %.1f s"):format(html.text(phase.name or "?", 40), phase.seconds)
        end
    end
    row("phases", #phases > 0 and table.concat(phases, " · "))
    local host = text.host(s.host)
    row("host", host and html.text(host, 400))
    local lines = {}
    for i, line in ipairs(run.events.lines) do
        lines[i] = { html.seconds(line.t), html.text(line.from, 80), html.text(line.message, 1000) }
    end
    return section(run, "again-section", "Run it again", html.table("Where this comes from", { "", "" }, rows)
        .. (#lines > 0 and html.table("Lines of the script and the host", { "time", "from", "line" }, lines) or ""))
end

return M
