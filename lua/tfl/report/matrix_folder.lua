--- What the folder of a matrix says, in a form that a page can rely on. No cell is left out: of one that cannot be read that much is told.
local errors = require "tfl.errors"
local folder = require "tfl.report.folder"
local results = require "tfl.matrix.results"
local shape = require "tfl.report.shape"
local sys = require "tfl.core.sys"
local wait = require "tfl.core.wait"

local M = {}

local BREATH = 500 -- cells in one go

local number, text, integer = "number", "string", "integer"

local matrix_shape = {
    version = number, argv = { text }, state = text, verdict = text, exit_code = number, jobs = number, started_at = text, seconds = number,
    shard = { index = integer, of = integer }, totals = { cells = integer },
}

local cell_shape = {
    name = text, scenario = text, file = text, params = { ["*"] = text }, deployer = text, seed = integer, state = text, kept = "boolean",
    verdict = text, code = text, message = text, exit_code = number, seconds = number, dir = text, again = text,
}

---@class tfl.ReportCell
---@field word string what it came to: its verdict, or "running", "waiting", "not run", "unknown"
---@field passed boolean
---@field run string|nil its run folder, when there is one

---@class tfl.ReportMatrix
---@field dir string
---@field cells tfl.ReportCell[]
---@field rows {name: string, cells: tfl.ReportCell[], flaky: boolean|nil}[] cells that differ in the seed alone
---@field notes string[]

--- Called for each of many cells, which take seconds on a busy machine: all else gets its turn meanwhile.
---@param i integer
function M.breathe(i)
    if i % BREATH == 0 then wait.sleep(0) end
end

--- A cell as the page has it; whatever is no pass for certain is none.
local function cell_of(m, value, i)
    local cell = shape(value, cell_shape)
    cell.number = i
    local done = cell.state == "done"
    cell.word = done and (cell.verdict or "unknown") or cell.state == "not_run" and "not run" or cell.state or "unknown"
    cell.passed = done and cell.verdict == "pass"
    cell.name = cell.name or "?"
    local dir = cell.dir
    local inside = dir and dir ~= "" and dir:sub(1, 1) ~= "/" and not ("/" .. dir .. "/"):find("/../", 1, true)
    local path = inside and m.dir .. "/" .. dir
    cell.run = path and sys.stat(path) and path or nil
    return cell
end

--- The cells that differ in the seed alone, by rows; a cell's row is its `group`. Those that do not agree are flaky.
local function rows_of(cells)
    local rows = results.rows(cells, "name")
    for _, row in ipairs(rows) do
        for _, cell in ipairs(row.cells) do cell.group = row end
    end
    for _, one in ipairs(results.flaky(cells)) do one.group.flaky = true end
    return rows
end

--- Is that the folder of a matrix?
---@param dir string
function M.is(dir) return sys.stat(dir .. "/matrix.json") ~= nil or sys.stat(dir .. "/.tfl-matrix") ~= nil end

--- Reads it. Raises usage when there is nothing to be read.
---@param dir string
---@return tfl.ReportMatrix
function M.read(dir)
    local m = { dir = dir, notes = {}, cells = {} }
    local content = folder.json(m, "matrix.json")
    if not content then errors.usage("report %s: %s", dir, m.notes[1]) end
    for name, value in pairs(shape(content, matrix_shape)) do m[name] = value end
    local list = type(content.cells) == "table" and content.cells or {}
    for i, value in ipairs(list) do
        M.breathe(i - 1) -- to read them all took its time, too
        m.cells[i] = cell_of(m, value, i)
    end
    if m.totals.cells and m.totals.cells ~= #m.cells then
        m.notes[#m.notes + 1] = ("matrix.json counts %d cells and lists %d."):format(m.totals.cells, #m.cells)
    end
    m.rows = rows_of(m.cells)
    return m
end

return M
