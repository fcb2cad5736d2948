--- A matrix for people: rows of marks (on a terminal, live and at the end), lines, and Markdown for the summary of a CI step.
local duration = require "tfl.duration"
local results = require "tfl.matrix.results"
local sys = require "tfl.core.sys"
local text = require "tfl.text"
local verdict = require "tfl.verdict"

local M = {}

--- What is shown one by one; all of it is in matrix.json.
local SHOWN, SHOWN_MARKDOWN, ROWS, TEXT = 20, 50, 200, 400

local function mark_of(cell)
    if cell.state == "done" then return (text.mark(cell.verdict)), cell.verdict end
    return cell.state == "running" and "▸" or "·", "pass"
end

--- A mark for each seed, or the number of each mark when these are more than fit.
---@param row table
---@param width integer
---@param colour boolean
---@return string
function M.marks(row, width, colour)
    local out, count, order = {}, {}, {}
    for _, cell in ipairs(row.cells) do
        local mark, word = mark_of(cell)
        local painted = cell.state == "done" and text.paint(mark, word, colour) or mark
        out[#out + 1] = painted
        if not count[painted] then order[#order + 1] = painted end
        count[painted] = (count[painted] or 0) + 1
    end
    if #out <= math.max(8, width) then return table.concat(out) end
    for i, painted in ipairs(order) do order[i] = painted .. " " .. count[painted] end
    return table.concat(order, "  ")
end

--- Cuts to that many characters.
local function cut(line, width)
    line = sys.redact(line)
    local n = utf8.len(line)
    return n and n > width and line:sub(1, utf8.offset(line, width) - 1) .. "…" or line
end

--- The names of the rows, all as wide as the widest, and that width.
function M.names(rows, most)
    local names, width = {}, 0
    for i, row in ipairs(rows) do
        names[i] = cut(text.clean(row.group.label), most)
        width = math.max(width, utf8.len(names[i]))
    end
    for i, name in ipairs(names) do names[i] = name .. (" "):rep(width - utf8.len(name)) end
    return names, width
end

--- "10 pass · 1 fail · 1 not run".
---@param totals table<string, integer>
---@return string
function M.counts(totals)
    local parts = {}
    for _, word in ipairs(results.VERDICTS) do
        if totals[word] > 0 then parts[#parts + 1] = ("%d %s"):format(totals[word], word) end
    end
    if totals.not_run > 0 then parts[#parts + 1] = totals.not_run .. " not run" end
    if totals.cells == 0 then parts[1] = "nothing to run" end
    return table.concat(parts, " · ")
end

--- The line of a cell that has ended.
---@param cell tfl.MatrixCell
---@return string
function M.line(cell)
    local _, word = text.mark(cell.verdict)
    local why = cell.verdict ~= "pass" and ("  %s: %s"):format(cell.code, cell.message:match "^[^\n]*") or ""
    return ("%-5s %s  %.1fs%s"):format(word, text.clean(cell:name()), cell.seconds, text.clean(why))
end

--- Cells that came to something else than a pass.
local function problems(m)
    local list = {}
    for _, cell in ipairs(m.cells) do
        if cell.state == "done" and cell.verdict ~= "pass" then list[#list + 1] = cell end
    end
    return list
end

--- Rows to be shown, and how many are not: of very many those that hold something else than passes come first.
local function telling(rows)
    if #rows <= ROWS then return rows, 0 end
    local shown, passes = {}, {}
    for _, row in ipairs(rows) do
        local sums = results.totals(row.cells)
        table.insert(sums.pass == #row.cells and passes or shown, row)
    end
    table.move(passes, 1, #passes, #shown + 1, shown)
    return table.move(shown, 1, ROWS, 1, {}), #rows - ROWS
end

--- "12 cells (shard 2 of 4) · 2 jobs".
local function size(m)
    local shard = m.shard and (" (shard %d of %d)"):format(m.shard.index, m.shard.of) or ""
    return ("%d cell%s%s · %d job%s"):format(#m.cells, #m.cells == 1 and "" or "s", shard, m.jobs,
        m.jobs == 1 and "" or "s")
end

--- The end of a matrix on stdout.
---@param m table
---@param colour boolean
---@param columns integer
---@return string
function M.summary(m, colour, columns)
    local code, flaky = results.exit_code(m), {}
    local came = verdict.of_exit(code)
    local _, word = text.mark(came)
    for _, one in ipairs(results.flaky(m.cells)) do flaky[one.group] = results.flaky_text(one.verdicts) end
    local out = { ("%s  matrix  %s · %.1fs wall · %s · exit %d"):format(text.paint(word, came, colour), size(m), m:seconds(),
        M.counts(results.totals(m.cells)), code) }
    local rows, hidden = telling(results.rows(m.cells, "group"))
    local names, width = M.names(rows, 60)
    for i, row in ipairs(rows) do
        local note = flaky[row.group] and "  flaky: " .. flaky[row.group] or ""
        out[#out + 1] = ("  %s  %s%s"):format(names[i], M.marks(row, columns - width - 4, colour), note)
    end
    if hidden > 0 then out[#out + 1] = ("  … %d rows more in matrix.json"):format(hidden) end
    local bad = problems(m)
    for i = 1, math.min(#bad, SHOWN) do
        local cell = bad[i]
        out[#out + 1] = ("  %s %s"):format(text.paint(text.mark(cell.verdict), cell.verdict, colour), text.clean(cell:name()))
        out[#out + 1] = ("      %s"):format(text.clean(("%s: %s"):format(cell.code, cell.message)):gsub("\n+$", ""):gsub("\n", "\n      "))
        out[#out + 1] = "      evidence  " .. text.home(cell.path)
        out[#out + 1] = "      again     " .. text.clean(cell.again)
    end
    if #bad > SHOWN then out[#out + 1] = ("  … %d more in matrix.json"):format(#bad - SHOWN) end
    out[#out + 1] = "  evidence  " .. text.home(m.dir)
    if m.stopped then out[#out + 1] = "  go on     tfl matrix --resume " .. text.clean(m.quoted_dir) end
    return table.concat(out, "\n") .. "\n"
end

--- Text in Markdown and in HTML within it: nothing in it means anything there. A summary of a CI step may have 1 MiB.
local function md(value)
    local line = cut(text.plain(value), TEXT):gsub("\n", " ")
    return (line:gsub('[&<>"\'|`*_~%[%]#!\\@$:]', function(c) return ("&#%d;"):format(c:byte()) end))
end

--- Markdown: the verdict, a table of the groups, flaky ones, and what did not pass.
---@param m table
---@return string
function M.markdown(m)
    local totals, code = results.totals(m.cells), results.exit_code(m)
    local _, word = text.mark(verdict.of_exit(code))
    local out = { ("### %s: tfl matrix, %s"):format(word, M.counts(totals)), "",
        size(m) .. " · " .. duration.show(m:seconds()), "", "| cells | seeds | pass | other |", "|---|---|---|---|" }
    local rows, hidden = telling(results.rows(m.cells, "group"))
    for _, row in ipairs(rows) do
        local sums = results.totals(row.cells)
        local pass = sums.pass
        sums.pass = 0
        out[#out + 1] = ("| %s | %s | %d of %d | %s |"):format(md(row.group.label), M.marks(row, 40, false), pass, #row.cells,
            M.counts(sums))
    end
    if hidden > 0 then out[#out + 1] = ("| … %d more | | | |"):format(hidden) end
    local flaky = results.flaky(m.cells)
    if #flaky > 0 then
        table.move({ "", "**Flaky**", "" }, 1, 3, #out + 1, out)
        for i = 1, math.min(#flaky, SHOWN_MARKDOWN) do
            out[#out + 1] = ("- %s: %s"):format(md(flaky[i].group.label), results.flaky_text(flaky[i].verdicts))
        end
        if #flaky > SHOWN_MARKDOWN then out[#out + 1] = ("- … %d more"):format(#flaky - SHOWN_MARKDOWN) end
    end
    local bad = problems(m)
    if #bad > 0 then table.move({ "", "**Not passed**", "" }, 1, 3, #out + 1, out) end
    for i = 1, math.min(#bad, SHOWN_MARKDOWN) do
        local cell = bad[i]
        out[#out + 1] = ("- %s **%s** %s: %s<br><code>%s</code>"):format(text.mark(cell.verdict), md(cell:name()), md(cell.code),
            md(cell.message), md(cell.again))
    end
    if #bad > SHOWN_MARKDOWN then out[#out + 1] = ("- … %d more"):format(#bad - SHOWN_MARKDOWN) end
    return table.concat(out, "\n") .. "\n"
end

return M
