--- One cell of a matrix: a run of tfl in a process of its own, and what it came to. A cell without a summary is told, never left out.
local json = require "tfl.core.json"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local text = require "tfl.text"
local verdict = require "tfl.verdict"

local M = {}
local Cell = {}
Cell.__index = Cell

--- What a run has for its clean-up after Ctrl-C; then its guardian does it.
local CLEAN_UP_SECONDS = 60
local USAGE, INTERRUPTED = 2, 130

---@class tfl.MatrixCell
---@field group tfl.MatrixGroup
---@field seed integer
---@field dir string relative to the matrix's folder
---@field again string the command that runs it by itself
---@field state "waiting"|"running"|"done"|"not_run"
---@field kept boolean|nil an earlier matrix in this folder ran it
---@field verdict string|nil
---@field code string|nil
---@field message string|nil
---@field exit_code integer|nil
---@field seconds number|nil
---@field detail table|nil what JUnit needs of its summary

---@param fields table {group, seed, dir, path = absolute folder, again}
---@return tfl.MatrixCell
function M.new(fields)
    fields.state = "waiting"
    return setmetatable(fields, Cell)
end

--- Its name for people.
function Cell:name() return ("%s seed %d"):format(self.group.label, self.seed) end

--- The summary in its folder, or nil.
function Cell:summary()
    local content = sys.read_file(self.path .. "/summary.json")
    local summary = content and json.decode(content)
    local whole = type(summary) == "table" and type(summary.verdict) == "string" and math.type(summary.exit_code) == "integer"
        and pcall(verdict.exit_code, summary.verdict)
    return whole and summary or nil
end

--- What the verdict of a summary rests on: {code, message}. Of several expectations the first, but safety before all others.
local function reason(summary)
    if type(summary.error) == "table" then return summary.error end
    local found
    for _, e in ipairs(summary.expectations or {}) do
        if e.verdict == summary.verdict and e.verdict ~= "pass" and (not found or e.name == "safety") then found = e end
    end
    if found then return { code = found.code, message = ("%s: %s"):format(found.name, found.message) } end
    return { code = summary.verdict == "pass" and "ok" or summary.verdict, message = "" }
end

--- Ends the cell with a verdict of this table's own.
function Cell:finish(word, code, message, seconds)
    self.state, self.verdict, self.code = "done", word, code
    self.message, self.seconds = text.plain(message or ""), seconds
    self.exit_code = verdict.exit_code(word, self.inconclusive_as)
    self.started_at = self.started_at or os.date("!%Y-%m-%dT%H:%M:%SZ", task.wall_ms() // 1000)
end

--- Ends the cell with what its summary says.
function Cell:take(summary)
    local why = reason(summary)
    self.started_at = summary.started_at
    self:finish(summary.verdict, why.code, why.message, summary.wall_seconds or self.t0 and task.now() - self.t0 or 0)
    self.detail = { expectations = summary.expectations or {}, problems = summary.problems or {}, topology = summary.topology }
end

local function judge(cell, ended)
    local summary, seconds = cell:summary(), task.now() - cell.t0
    if summary and summary.exit_code == ended.code then return cell:take(summary) end
    local tail = ended.tail == "" and "it said nothing" or "its output ends:\n" .. ended.tail
    if summary then
        cell:finish("infra", "tfl_died", ("tfl ended with %s, though its summary says %s; %s"):format(ended.status, summary.verdict, tail),
            seconds)
    elseif ended.code == INTERRUPTED or ended.signal == "SIGINT" then
        cell:finish("interrupted", "interrupted", "it was asked to end before its run began", seconds)
    elseif ended.code == USAGE then
        cell:finish("usage", "refused", ended.tail, seconds)
    else
        if ended.tail:match "^tfl: [^\n]+$" then tail = ended.tail:sub(6) end
        cell:finish("infra", "no_summary", ("tfl ended with %s, without a summary: %s"):format(ended.status, tail), seconds)
    end
end

--- Runs it and waits for its end.
---@param words string[] arguments of every run: --keep, --inconclusive
function Cell:run(words)
    local group = self.group
    local argv = { sys.exe(), "run", group.file, "-d", group.deployer, "--seed", self.seed, "--out", self.path, "--quiet" }
    for _, pair in ipairs(group.params) do table.move({ "-p", pair[1] .. "=" .. pair[2] }, 1, 2, #argv + 1, argv) end
    table.move(words, 1, #words, #argv + 1, argv)
    self.state, self.t0 = "running", task.now()
    local ok, process = pcall(proc.start, argv)
    if not ok then return self:finish("infra", process.code or "spawn", process.message or tostring(process), 0) end
    self.process = process
    while not process:wait(1) and not self.stuck do end
    self.process = nil
    if self.stuck then return self:finish("infra", "stuck", self.stuck, task.now() - self.t0) end
    judge(self, process:result())
end

--- Asks a cell that runs to end, as Ctrl-C does; its guardian cleans up when it does not listen. Does not wait.
function Cell:interrupt()
    local process = self.process
    if not process then return end
    task.spawn("interrupt", function()
        local ok, err = pcall(process.stop, process, "INT", CLEAN_UP_SECONDS)
        if not ok then self.stuck = tostring(err) end -- not even SIGKILL ends it
    end)
end

return M
