--- What a run's folder says, in a form that a page can rely on: each value has the type it should have or is not there, and what could
--- not be read is told in notes. Old, broken and half-written folders are read as far as they go.
local errors = require "tfl.errors"
local events = require "tfl.report.events"
local html = require "tfl.report.html"
local json = require "tfl.core.json"
local shape = require "tfl.report.shape"
local sys = require "tfl.core.sys"

local M = {}

local VERSION = 1
--- Of a log: the end that is shown.
local TAIL_BYTES, TAIL_LINES = 16384, 40

local number, text = "number", "string"
local latency = { n = number, p50 = number, p95 = number, p99 = number, mean = number, max = number }

local summary_shape = {
    version = number, verdict = text, exit_code = number, scenario = text, file = text, deployer = text, seed = number,
    nodes = number, topology = text, run_id = text, started_at = text, ended_early = text, window_seconds = number,
    run_seconds = number, wall_seconds = number, again = text, inconclusive_as = text,
    phases = { { name = text, seconds = number } },
    blocks = {
        expected = number, required = number, canonical = number, observed = number, canonical_height = number,
        final_height = number, forks = number, max_reorg_depth = number, tip = text, common = text,
    },
    propagation_ms = { samples = number, p50 = number, p99 = number, max = number },
    faults = {
        {
            id = number, name = text, verb = text, targets = { text }, by = text, text = text, from = number, to = number,
            ready = number, from_slot = number, to_slot = number, bit = "boolean", error = text,
            counts = { withheld = number, delayed = number, refused = number, bytes = number },
        },
    },
    transactions = {
        planned = number, sent = number, accepted = number, included = number, final = number, rejected = number,
        unanswered = number, lost = number, pending = number, kind = text, users = number,
        latency_ms = { accepted = latency, included = latency, final = latency },
        lag_ms = { n = number, p50 = number, p95 = number, p99 = number, max = number, late = number },
        lost_list = { { hash = text } }, reasons = { { message = text, count = number } },
    },
    expectations = {
        { name = text, verdict = text, code = text, message = text, figures = { ["*"] = number }, units = { ["*"] = text } },
    },
    nodes_detail = {
        {
            name = text, height = number, lib = number, tip = text, peers = number, exit = text, crashed = "boolean", log = text,
        },
    },
    host = { loop_lag_ms = number, psi_full = number, steal = number, oom_kills = number, disk_free_bytes = number,
        clock_jump_ms = number },
    problems = { { verdict = text, code = text, message = text, node = text } },
    warnings = { { code = text, message = text } },
    error = { code = text, message = text, node = text },
}

local plan_shape = {
    scenario = text, file = text, deployer = text, seed = number, run_id = text, again = text, genesis_time_ms = number,
    liveness = { required = number, expected = number, slot_seconds = number },
    topology = {
        slot_duration_ms = number, active_slot_coeff = number, security_param = number, shape = text, kind = text,
        nodes = { { name = text, stake = number } },
    },
    transactions = { planned = number, stages = { { number, number, number, tuple = true } } },
}

--- A JSON file of the folder, or nil and a note why not.
---@param run {dir: string, notes: string[]}
---@param name string
---@return table|nil
function M.json(run, name)
    local content, message = sys.read_file(run.dir .. "/" .. name)
    if not content then
        local there = sys.stat(run.dir .. "/" .. name)
        run.notes[#run.notes + 1] = there and ("%s cannot be read: %s"):format(name, message) or name .. " is not there."
        return nil
    end
    local value, why = json.decode(html.utf8(content)) -- a message may hold the bytes of a node's log
    if type(value) ~= "table" then
        run.notes[#run.notes + 1] = ("%s cannot be read: %s."):format(name, why or "it is no object")
        return nil
    end
    if value.version ~= nil and value.version ~= VERSION then
        run.notes[#run.notes + 1] = ("%s is of version %s; this tfl reads version %d, so it is left out."):format(name,
            tostring(value.version), VERSION)
        return nil
    end
    return value
end

--- The end of a node's log: {lines, cut, name}, or nil when there is none. The folder may have been moved since the run.
---@param run table
---@param node table of nodes_detail
function M.log_tail(run, node)
    local name = node.log and node.log:match "([^/]+)$"
    local path = name and run.dir .. "/logs/" .. name
    local stat = path and sys.stat(path)
    local file = stat and stat.type == "file" and io.open(path, "rb")
    if not file then return nil end
    local size = file:seek "end" or 0
    file:seek("set", math.max(0, size - TAIL_BYTES))
    local content = file:read(TAIL_BYTES) or ""
    file:close()
    local lines = {}
    content = sys.redact(size > TAIL_BYTES and content:gsub("^[^\n]*\n", "", 1) or content)
    for line in content:gmatch "[^\n]+" do lines[#lines + 1] = line end
    local from = math.max(1, #lines - TAIL_LINES + 1)
    return { name = "logs/" .. name, lines = table.move(lines, from, #lines, 1, {}), cut = from > 1 or size > TAIL_BYTES }
end

--- Bytes of the record of a run, which is what reading its folder takes.
---@param dir string
---@return integer
function M.events_size(dir)
    local stat = sys.stat(dir .. "/events.jsonl")
    return stat and stat.size or 0
end

--- Nodes as the plan has them, with what the last events tell of them.
local function nodes_of(run)
    local list = {}
    for i, node in ipairs(run.plan.topology.nodes) do
        local tip, lib = run.events.tips[node.name or ""], run.events.libs[node.name or ""]
        list[i] = {
            name = node.name, log = ("logs/logos-blockchain-node-%d.log"):format(i - 1), tip = run.events.tip[node.name or ""],
            height = tip and tip.height[#tip.height] or nil, lib = lib and lib.height[#lib.height] or nil,
        }
    end
    return list
end

--- Of a run that did not come to its end there is no summary, or the few words of the guardian. The first line of the events and the plan
--- still say which run it was, and the events what happened.
local function stand_in(run)
    local s, head, plan = run.summary, run.events.head, run.plan
    for _, key in ipairs { "scenario", "seed", "run_id", "started_at", "again", "file", "deployer" } do
        s[key] = s[key] or head[key] or plan[key]
    end
    s.verdict = s.verdict or run.events.verdict
    if s.blocks.observed then return end
    run.notes[#run.notes + 1] = "The run did not come to its end, so it has no figures of its own: all here is as the last events tell it."
    s.nodes_detail, s.faults, s.problems, s.warnings = nodes_of(run), run.events.faults, run.events.problems, run.events.warnings
    if s.error.code then table.insert(s.problems, { verdict = s.verdict, code = s.error.code, message = s.error.message }) end
    for i, phase in ipairs(run.events.phases) do
        local next_phase = run.events.phases[i + 1]
        s.phases[i] = { name = phase.name, seconds = (next_phase and next_phase.t or run.events.last_t) - phase.t }
    end
end

---@class tfl.ReportRun
---@field dir string
---@field plan table
---@field summary table
---@field events table of tfl.report.events
---@field notes string[]

--- Reads a run's folder. Raises usage when it is none.
---@param dir string
---@return tfl.ReportRun
function M.read(dir)
    local stat = sys.stat(dir)
    if not stat or stat.type ~= "folder" then errors.usage("report %s: there is no such folder", dir) end
    local known = false
    for _, name in ipairs { "plan.json", "events.jsonl", "summary.json" } do known = known or sys.stat(dir .. "/" .. name) ~= nil end
    if not known then
        errors.usage("report %s: this is no run's folder; it has none of plan.json, events.jsonl and summary.json "
            .. "(the last line but one of a run names its folder)", dir)
    end
    local run = { dir = dir, notes = {} }
    local summary = M.json(run, "summary.json")
    run.summary = shape(summary, summary_shape)
    run.plan = shape(M.json(run, "plan.json"), plan_shape)
    run.events = events.read(dir .. "/events.jsonl", run.notes, VERSION)
    stand_in(run)
    return run
end

return M
