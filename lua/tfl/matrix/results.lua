--- What a matrix came to: matrix.json (its format is in engine/record/README.md), JUnit, and the sums both rest on.
local json = require "tfl.core.json"
local junit = require "tfl.junit"
local object = require("tfl.summary").object
local sys = require "tfl.core.sys"
local verdict = require "tfl.verdict"

local M = {}

local VERDICTS = { "pass", "fail", "inconclusive", "infra", "usage", "interrupted" }

--- How many cells came to what; `not_run` counts the rest.
---@param cells tfl.MatrixCell[]
---@return table<string, integer>
function M.totals(cells)
    local totals = { cells = #cells, not_run = 0 }
    for _, word in ipairs(VERDICTS) do totals[word] = 0 end
    for _, cell in ipairs(cells) do
        local word = cell.state == "done" and cell.verdict or "not_run"
        totals[word] = totals[word] + 1
    end
    return totals
end

--- The cells that have a value in common, in order.
---@param cells table[]
---@param key string
---@return table[] rows {[key] = that value, cells = list}…
function M.rows(cells, key)
    local rows, by_value = {}, {}
    for _, cell in ipairs(cells) do
        local value = cell[key]
        local row = by_value[value]
        if not row then
            row = { [key] = value, cells = {} }
            by_value[value], rows[#rows + 1] = row, row
        end
        row.cells[#row.cells + 1] = cell
    end
    return rows
end

--- Groups whose seeds do not agree: {group, verdicts = {pass = seeds, fail = seeds, inconclusive = seeds}}. What says nothing of the
--- chain (infra, an interrupted run) is no disagreement.
---@param cells tfl.MatrixCell[]
---@return table[]
function M.flaky(cells)
    local list, by_group, order = {}, {}, {}
    for _, cell in ipairs(cells) do
        local word = cell.state == "done" and cell.verdict
        if word == "pass" or word == "fail" or word == "inconclusive" then
            local seen = by_group[cell.group]
            if not seen then
                seen = {}
                by_group[cell.group], order[#order + 1] = seen, cell.group
            end
            seen[word] = seen[word] or {}
            table.insert(seen[word], cell.seed)
        end
    end
    for _, group in ipairs(order) do
        local kinds = 0
        for _ in pairs(by_group[group]) do kinds = kinds + 1 end
        if kinds > 1 then list[#list + 1] = { group = group, verdicts = by_group[group] } end
    end
    return list
end

--- "fail with seeds 2, 7; inconclusive with seed 9": the seeds of all verdicts but pass.
---@param verdicts table<string, integer[]>
---@return string
function M.flaky_text(verdicts)
    local parts = {}
    for _, word in ipairs(VERDICTS) do
        local seeds = word ~= "pass" and verdicts[word]
        if seeds then
            local shown = table.concat(seeds, ", ", 1, math.min(#seeds, 20)) .. (#seeds > 20 and (" and %d more"):format(#seeds - 20) or "")
            parts[#parts + 1] = ("%s with seed%s %s"):format(word, #seeds == 1 and "" or "s", shown)
        end
    end
    return table.concat(parts, "; ")
end

--- The exit code: the worst of the cells that came to an end.
---@param m table the matrix {cells, stopped}
---@return integer
function M.exit_code(m)
    local code = m.stopped == "interrupted" and 130 or 0
    for _, cell in ipairs(m.cells) do
        if cell.state == "done" then code = verdict.worse_exit(code, cell.exit_code) end
    end
    return code
end

local function params_of(group)
    local params = {}
    for _, pair in ipairs(group.params) do params[pair[1]] = pair[2] end
    return object(params)
end

local function entry(cell)
    local group = cell.group
    return {
        name = group.label, scenario = group.name, file = group.file, params = params_of(group), deployer = group.deployer,
        seed = cell.seed, state = cell.state, kept = cell.kept, verdict = cell.verdict, code = cell.code, message = cell.message,
        exit_code = cell.exit_code, seconds = cell.seconds, dir = cell.dir, again = cell.again, source = group.source,
    }
end

--- matrix.json.
---@param m table
---@return string
function M.json(m, pretty)
    local cells, flaky = {}, {}
    for i, cell in ipairs(m.cells) do cells[i] = entry(cell) end
    for i, one in ipairs(M.flaky(m.cells)) do
        local group = one.group
        flaky[i] = {
            name = group.label, scenario = group.name, params = params_of(group), deployer = group.deployer, verdicts = one.verdicts,
        }
    end
    local code, command = m.over and M.exit_code(m) or nil, table.concat(m.argv, "\n")
    return json.encode({
        version = 1, argv = m.argv, redacted = sys.redact(command) ~= command or nil,
        state = m.over and (m.stopped or "done") or "running", exit_code = code,
        verdict = code and verdict.of_exit(code), shard = m.shard or json.null, jobs = m.jobs,
        started_at = m.started_at, seconds = m:seconds(), totals = M.totals(m.cells), flaky = flaky, cells = cells,
    }, pretty)
end

--- JUnit XML of all cells; one that has no summary, or was not run, is there too.
---@param m table
---@return string
function M.junit(m)
    local summaries = {}
    for i, cell in ipairs(m.cells) do
        local group, detail = cell.group, cell.detail or { expectations = {}, problems = {} }
        local expectations, problems = detail.expectations, detail.problems
        if cell.state ~= "done" then
            expectations = { { name = "run", verdict = "inconclusive", code = "not_run", message = m.stopped or "" } }
        elseif #expectations + #problems == 0 then
            problems = { { verdict = cell.verdict, code = cell.code, message = cell.message } }
        end
        summaries[i] = {
            scenario = group.label, file = group.file, deployer = group.deployer, seed = cell.seed, topology = detail.topology,
            given = group.params, wall_seconds = cell.seconds or 0, started_at = cell.started_at or m.started_at, again = cell.again,
            dir = cell.path, expectations = expectations, problems = problems, inconclusive_as = cell.inconclusive_as,
        }
    end
    return junit.render(summaries)
end

M.VERDICTS = VERDICTS
return M
