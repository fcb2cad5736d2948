--- summary.json: everything a run came to, as one table; and the parts of a plan that are worth keeping.
local env = require "tfl.env"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local node_logs = require "tfl.node_logs"
local task = require "tfl.core.task"
local verdict = require "tfl.verdict"

local M = {}

--- What `init` hooks get as topology.
---@param plan table
---@return table
function M.topology(plan)
    local data = plan.topology:data()
    data.describe = plan.topology:describe()
    return data
end

--- plan.json: without keys.
function M.plan(plan)
    return {
        scenario = plan.name, file = plan.file, deployer = plan.deployer, seed = plan.seed, run_id = plan.run_id,
        genesis_time_ms = plan.genesis_time_ms, genesis_id = plan.genesis_id, params = M.object(plan.params),
        topology = plan.topology:data(), liveness = plan.liveness, wallets = plan.wallets,
        again = M.again(plan), transactions = plan.load and plan.load:data() or nil, chaos = plan.chaos and plan.chaos:data() or nil,
    }
end

--- A table that is an object in JSON even when it is empty.
function M.object(t) return setmetatable(t, { __jsontype = "object" }) end

local function quote(text)
    text = tostring(text)
    if text:match "^[%w%._/%-=:,%+]+$" then return text end
    return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- The command that runs this again.
function M.again(plan)
    local words = { "tfl", quote(plan.file) }
    if plan.deployer ~= "local" then words[#words + 1] = "-d " .. plan.deployer end
    words[#words + 1] = "-n " .. plan.topology:started_count()
    local seconds = plan.window_slots * plan.slot_seconds
    words[#words + 1] = string.format("-t %ss", (string.format("%.3f", seconds):gsub("%.?0+$", "")))
    words[#words + 1] = "--seed " .. plan.seed
    if plan.backend.attached then words[#words + 1] = "--attach " .. quote(plan.backend.attached.project) end
    if plan.replay then words[#words + 1] = "--replay " .. quote(plan.replay) end
    local names = {}
    for name in pairs(plan.params) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do words[#words + 1] = "-p " .. quote(name .. "=" .. tostring(plan.params[name])) end
    for _, row in ipairs(env.rows) do
        local again = row.again == true or row.again and row.again[plan.deployer]
        local value = again and os.getenv(row[1])
        if value and value ~= "" then table.insert(words, 1, row[1] .. "=" .. quote(value)) end
    end
    return table.concat(words, " ")
end

local function expectations(run)
    local list = {}
    for _, owner in ipairs(run.owners) do
        local j = owner.judgement
        if j and (owner.kind == "expectation" or j.verdict ~= "pass") then
            local figures = {}
            for name, value in pairs(j.figures or {}) do figures[name] = value end
            for name, value in pairs(owner.figures) do figures[name] = value end
            list[#list + 1] = {
                name = owner.name, verdict = j.verdict, code = j.code, message = j.message, figures = M.object(figures),
                units = next(owner.units) and owner.units or nil,
            }
        end
    end
    return list
end

local function nodes_detail(run, figures)
    local seen, list = {}, {}
    for _, node in ipairs(figures and figures.nodes or {}) do seen[node.name] = node end
    for i, node in ipairs(run.nodes) do
        local view, exit = seen[node.name] or {}, run.exits[node.name]
        local spec = run.deployer.specs[node.name]
        list[i] = {
            name = node.name, height = view.height or json.null, lib = view.lib_height or json.null,
            tip = view.tip, peers = run.peers[node.name] or json.null, pid = run.pids[node.name] or json.null,
            log = spec and spec.log or json.null, exit = exit and exit.status or json.null,
            crashed = exit and (not exit.asked or exit.crash) or nil,
        }
    end
    return list
end

--- The journal of faults, without what only the run needs.
local function faults(run)
    local list = {}
    for _, fault in ipairs(run.faults:list()) do
        list[#list + 1] = {
            id = fault.id, name = fault.name, verb = fault.verb, targets = fault.targets, by = fault.by, text = fault.text,
            from = fault.t0, to = fault.t1, ready = fault.ready_t, from_slot = fault.slot0, to_slot = fault.slot1,
            counts = fault.counts, bit = fault.bit, error = fault.error,
        }
    end
    return list
end

local function blocks(run, figures)
    local f, liveness = figures or {}, run.plan.liveness
    for _, owner in ipairs(run.expectations) do -- what was asked for under the faults there were
        local judged = owner.name == "consensus_liveness" and owner.judgement and owner.judgement.figures
        liveness = judged and judged.required and judged or liveness
    end
    return {
        expected = liveness and liveness.expected or run.plan.expected_blocks, required = liveness and liveness.required or json.null,
        canonical = f.canonical or 0, observed = f.observed or 0, canonical_height = f.common_height or 0,
        final_height = f.final_height or 0, forks = f.forks or 0, max_reorg_depth = f.max_reorg_depth or 0,
        tip = f.best, common = f.common,
    }
end

--- The heaviest problem, which the summary names as its error.
local function first_error(run)
    local order, best = { usage = 4, fail = 3, infra = 2, interrupted = 1 }, nil
    for _, problem in ipairs(run.problems) do
        if not best or order[problem.verdict] > order[best.verdict] then best = problem end
    end
    return best
end

--- Writes summary.json and closes the record.
---@param run table
---@return table summary
function M.finish(run)
    local plan, figures = run.plan, run.feed_figures
    node_logs.save(run)
    local disk = run.record:error()
    if disk then run:problem("infra", disk) end
    local judged, problem_verdicts = expectations(run), {}
    for i, problem in ipairs(run.problems) do problem_verdicts[i] = problem.verdict end
    local overall = verdict.of_run { expectations = judged, errors = problem_verdicts, interrupted = run.interrupted }
    run:phase "done"
    run.phases[#run.phases] = nil
    local phases = {}
    for i, phase in ipairs(run.phases) do phases[i] = { name = phase.name, seconds = phase.seconds } end
    local problem = first_error(run)
    local summary = {
        version = 1, verdict = overall, exit_code = verdict.exit_code(overall, plan.inconclusive_as),
        scenario = plan.name, file = plan.file, deployer = plan.deployer, seed = plan.seed, nodes = #plan.nodes,
        topology = plan.topology:describe(), run_id = plan.run_id, dir = run.dir,
        started_at = os.date("!%Y-%m-%dT%H:%M:%SZ", run.started_ms // 1000),
        ended_early = run.ended_early, inconclusive_as = plan.inconclusive_as,
        run_seconds = run.ended_early and run.s0 and math.max(0, run.ended_slot - run.s0) * plan.slot_seconds or nil,
        window_seconds = plan.window_slots * plan.slot_seconds, wall_seconds = task.now() - run.t0, phases = phases,
        blocks = blocks(run, figures), propagation_ms = figures and figures.propagation_ms or M.object {},
        faults = faults(run), transactions = plan.load and plan.load:summary() or nil,
        expectations = judged, nodes_detail = nodes_detail(run, figures), host = run.host:summary(),
        problems = run.problems, warnings = run:warned(),
        error = problem and { code = problem.code, message = problem.message, node = problem.node } or json.null,
        log_lines = (overall == "fail" or overall == "infra") and node_logs.trouble(run) or nil, again = M.again(plan),
    }
    run.record:event("verdict", { verdict = overall, exit_code = summary.exit_code })
    local ok, err = pcall(run.record.write, run.record, "summary.json", json.encode(summary, true))
    if not ok then summary.incomplete = errors.text(err) end
    if not ok and summary.verdict == "pass" then
        summary.verdict, summary.exit_code = "infra", 3
        summary.error = { code = err.code or "io", message = err.message or tostring(err) }
    end
    if overall == "pass" and not plan.keep then pcall(run.record.strip, run.record) end
    run.record:close()
    return summary
end

M.quote = quote
return M
