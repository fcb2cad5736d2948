--- The page of a matrix: what its folder says, as one HTML file. Every cell is on it; of those that did not pass, what their own folders
--- say of why, as far as the size of a page allows.
local duration = require "tfl.duration"
local folder = require "tfl.report.folder"
local html = require "tfl.report.html"
local matrix_folder = require "tfl.report.matrix_folder"
local sections = require "tfl.report.sections"
local shell = require "tfl.report.shell"
local summary = require "tfl.summary"

local M = {}

M.is = matrix_folder.is

--- Bytes of what is taken out of the folders of cells, and the time it may take; bytes of all messages together.
local DETAILS_BYTES, EVENTS_BYTES, MESSAGES_BYTES = 3000000, 200000000, 2000000
--- Cells in a row that are drawn large; seeds of passes that are named beside those that are none.
local LARGE, PASSES = 24, 12
local ORDER = { "pass", "fail", "inconclusive", "infra", "usage", "interrupted", "running", "waiting", "not run", "unknown" }

local breathe = matrix_folder.breathe

local function seed_of(cell) return "seed " .. html.text(cell.seed or "?") end

local function header(m)
    local facts, seen, names = {}, {}, {}
    local function fact(fmt, value) facts[#facts + 1] = value and fmt:format(value) or nil end
    for _, cell in ipairs(m.cells) do
        local name = cell.scenario or cell.name
        if not seen[name] then seen[name], names[#names + 1] = true, name end
    end
    fact("%d cell" .. (#m.cells == 1 and "" or "s"), #m.cells)
    facts[#facts + 1] = m.shard.index and m.shard.of and ("shard %d of %d"):format(m.shard.index, m.shard.of) or nil
    fact("%d at once", math.tointeger(m.jobs))
    fact("%s wall", m.seconds and duration.show(m.seconds))
    fact("exit %d", math.tointeger(m.exit_code))
    fact("%s", m.started_at)
    local words = { "tfl" }
    for i, word in ipairs(m.argv) do words[i + 1] = summary.quote(word) end
    local title = #names > 3 and ("%d scenarios"):format(#names) or table.concat(names, ", ")
    m.title = title == "" and "matrix" or "matrix: " .. title
    local again = m.state == "done" and words[2] and table.concat(words, " ") or "tfl matrix --resume " .. summary.quote(m.dir)
    return shell.header(m.title, m.state ~= "done" and not m.verdict and "not over" or m.verdict, facts, again)
end

local function count(cells)
    local totals = {}
    for _, cell in ipairs(cells) do totals[cell.word] = (totals[cell.word] or 0) + 1 end
    return totals
end

local function figures(m)
    local tiles, totals, known = {}, count(m.cells), {}
    for _, word in ipairs(ORDER) do
        known[word] = true
        local n = totals[word] or (word == "pass" or word == "fail") and 0
        if n then tiles[#tiles + 1] = shell.tile(word, html.number(n), nil, "totals." .. word:gsub(" ", "_"), n) end
    end
    for word, n in pairs(totals) do
        if not known[word] then tiles[#tiles + 1] = shell.tile(html.text(word, 40), html.number(n)) end
    end
    return shell.tiles(tiles)
end

--- Where the page tells more of a cell.
local function link(cell, content, attributes)
    return ('<a href="#%s-%d"%s>%s</a>'):format(cell.passed and "cell" or "why", cell.number, attributes or "", content)
end

local function sum_of(row)
    local totals, parts, least, most = count(row.cells), {}, nil, nil
    for _, cell in ipairs(row.cells) do
        local s = cell.seconds
        if s then least, most = math.min(least or s, s), math.max(most or s, s) end
    end
    parts[1] = ("%d of %d pass"):format(totals.pass or 0, #row.cells)
    if most then parts[2] = #row.cells == 1 and html.seconds(most) or ("%.1f–%.1f s"):format(least, most) end
    return table.concat(parts, " · ")
end

local function grid(m)
    local out, many = {}, false
    for _, row in ipairs(m.rows) do
        local marks = {}
        many = many or #row.cells > LARGE
        for i, cell in ipairs(row.cells) do
            breathe(i)
            local about = ("%s: %s%s%s"):format(seed_of(cell), html.text(cell.word, 40), cell.code and cell.code ~= "ok" and ", "
                .. html.text(cell.code, 80) or "", cell.seconds and ", " .. html.seconds(cell.seconds) or "")
            local mark = cell.state == "done" and shell.mark(cell.verdict) or cell.state == "running" and "▸" or "·"
            marks[i] = link(cell, mark, (' class="mark %s" title="%s" aria-label="%s" data-mark="cell"'):format(
                shell.class(cell.state == "done" and cell.verdict or nil), about, about))
        end
        out[#out + 1] = ('<p class="who">%s%s</p><div class="marks">%s</div><div class="sum">%s</div>'):format(html.text(row.name, 200),
            row.flaky and '<span class="flaky">flaky</span>' or "", table.concat(marks), sum_of(row))
    end
    return shell.section("grid", "Cells", '<p class="about">A row for each combination, a mark for each seed. Arrow keys go from mark to '
        .. 'mark, Enter to what is told of it.</p><div class="grid-rows' .. (many and " many" or "") .. '">' .. table.concat(out)
        .. "</div>")
end

local function flaky(m)
    local out = {}
    for _, row in ipairs(m.rows) do
        local parts, by_word = {}, {}
        for _, cell in ipairs(row.flaky and row.cells or {}) do
            by_word[cell.word] = by_word[cell.word] or {}
            table.insert(by_word[cell.word], link(cell, html.text(cell.seed or "?")))
        end
        for _, word in ipairs { "fail", "inconclusive", "pass" } do
            local seeds = by_word[word]
            if seeds and word == "pass" and #seeds > PASSES then
                parts[#parts + 1] = ("pass with %d others"):format(#seeds)
            elseif seeds then
                parts[#parts + 1] = ("%s with seed%s %s"):format(word, #seeds == 1 and "" or "s", table.concat(seeds, ", "))
            end
        end
        if row.flaky then
            out[#out + 1] = ('<li data-row="flaky"><b>%s</b>: %s</li>'):format(html.text(row.name, 200), table.concat(parts, "; "))
        end
    end
    if #out == 0 then return "" end
    return shell.section("flaky", "Flaky", '<p class="about">Seeds of one combination that do not agree.</p><ul class="notes">'
        .. table.concat(out) .. "</ul>")
end

--- Which cells are told with what their folders have: of each row and code the first one before the second, while there is place.
local function in_turn(bad)
    local nth, seen = {}, {}
    for i, cell in ipairs(bad) do
        local key = ("%s\n%s"):format(cell.name, cell.code)
        seen[key] = (seen[key] or 0) + 1
        nth[i] = { cell = cell, turn = seen[key] }
    end
    table.sort(nth, function(a, b) return a.turn < b.turn or a.turn == b.turn and a.cell.number < b.cell.number end)
    return nth
end

--- What the run folder of a cell says: expectations, problems, faults, nodes, ends of logs.
local function details_of(cell)
    local ok, run = pcall(folder.read, cell.run)
    if not ok then return nil end
    run.within = true
    local parts = { sections.problems(run), sections.expectations(run), sections.faults(run), sections.nodes(run), sections.logs(run) }
    for _, note in ipairs(run.notes) do parts[#parts + 1] = '<p class="about">' .. html.text(note, 400) .. "</p>" end
    return table.concat(parts)
end

--- The details of as many cells as there is place for.
local function take_details(bad)
    local details, bytes, events = {}, 0, 0
    for _, one in ipairs(in_turn(bad)) do
        local cell = one.cell
        local size = cell.run and folder.events_size(cell.run) or 0
        if cell.run and cell.state == "done" and events + size <= EVENTS_BYTES and bytes < DETAILS_BYTES then
            local content = details_of(cell)
            events = events + size
            if content and bytes + #content <= DETAILS_BYTES then details[cell], bytes = content, bytes + #content end
        end
    end
    return details
end

--- All cells that are no pass, those too that say nothing.
local function failed(m)
    local bad, out = {}, {}
    for _, cell in ipairs(m.cells) do
        if not cell.passed then bad[#bad + 1] = cell end
    end
    if #bad == 0 then return "" end
    local details, longest = take_details(bad), math.max(160, math.min(8000, MESSAGES_BYTES // #bad))
    for i, cell in ipairs(bad) do
        breathe(i)
        local more = ""
        if details[cell] then
            more = "<details><summary>what its folder says</summary>" .. details[cell] .. "</details>"
        end
        if cell.run then
            more = ('%s<p class="about">All of it, with charts: <code>tfl report %s</code></p>'):format(more,
                html.text(summary.quote(cell.run)))
        end
        out[i] = ('<li class="problem cell-fail %s" id="why-%d" data-row="failed">%s<h3>%s %s</h3>%s%s%s%s</li>'):format(
            shell.class(cell.state == "done" and cell.verdict or nil), cell.number, shell.badge(cell.word), html.text(cell.name, 200),
            seed_of(cell), cell.code and ' <code class="code">' .. html.text(cell.code, 80) .. "</code>" or "",
            (cell.message or "") ~= "" and "<pre>" .. html.text(cell.message, longest) .. "</pre>" or "", shell.command(cell.again), more)
    end
    return shell.section("failed", ("Not passed (%s)"):format(html.number(#bad)), '<ul class="problems">' .. table.concat(out) .. "</ul>")
end

--- The names of parameters, as they come.
local function parameters(m)
    local names, seen = {}, {}
    for _, cell in ipairs(m.cells) do
        for name in pairs(cell.params) do
            if not seen[name] then seen[name], names[#names + 1] = true, name end
        end
    end
    table.sort(names)
    return names
end

local function cells(m)
    local names, rows, head = parameters(m), {}, { "scenario" }
    for _, name in ipairs(names) do head[#head + 1] = html.text(name, 40) end
    for _, title in ipairs { "deployer", { "seed", "n" }, "verdict", "code", { "seconds", "n" }, "again" } do head[#head + 1] = title end
    for i, cell in ipairs(m.cells) do
        breathe(i)
        local row = { html.text(cell.scenario or cell.name, 80) }
        for _, name in ipairs(names) do row[#row + 1] = html.text(cell.params[name] or "–", 80) end
        local last = {
            html.text(cell.deployer or "?", 40), { html.text(cell.seed or "?"), "n" }, shell.badge(cell.word),
            cell.passed and "" or link(cell, html.text(cell.code or "why", 80)),
            { cell.seconds and ("%.1f"):format(cell.seconds) or "–", "n" },
            "<code>" .. html.text(cell.again or "–", 1000) .. "</code>" .. (cell.kept and ' <small class="code">kept</small>' or ""),
        }
        table.move(last, 1, #last, #row + 1, row)
        row.attributes = { id = "cell-" .. cell.number, class = cell.passed and "passed" or nil, ["data-row"] = "cell" }
        rows[i] = row
    end
    return shell.section("all", "All cells", '<label class="check" hidden><input type="checkbox" id="passes" checked>show passes</label>'
        .. html.table(("%s cells, each with the command that runs it by itself"):format(html.number(#rows)), head, rows,
        { class = "cells" }))
end

--- The page of a matrix's folder. Raises usage when it cannot be read.
---@param dir string
---@return string html
function M.of(dir)
    local m = matrix_folder.read(dir)
    if m.state ~= "done" then
        table.insert(m.notes, 1, m.state == "running" and "The matrix was not over when its folder was read; cells that are missing have "
            .. "no verdict yet." or "The matrix was ended before all cells were run (" .. (m.state or "unknown") .. ").")
    end
    local head = header(m)
    return shell.page(("%s · %s"):format((m.verdict or "not over"):upper(), m.title), head, table.concat {
        shell.notes(m.notes), figures(m), flaky(m), grid(m), failed(m), cells(m),
    })
end

return M
