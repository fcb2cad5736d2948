--- A bound on what Prometheus has seen, judged at the end of the run. Every series that the query gives must hold it. Before it is
--- judged, Prometheus gets time to look at the nodes once more. A Prometheus that does not answer makes this inconclusive and
--- nothing else: it says nothing of the chain.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local task = require "tfl.core.task"
local telemetry = require "tfl.telemetry"
local wait = require "tfl.core.wait"

local Metric = { built_in = true }
Metric.__index = Metric
Metric.__name = "expectation"

local M = {}

local compare = {
    ["<"] = function(a, b) return a < b end, ["<="] = function(a, b) return a <= b end, [">"] = function(a, b) return a > b end,
    [">="] = function(a, b) return a >= b end, ["=="] = function(a, b) return a == b end, ["~="] = function(a, b) return a ~= b end,
}
compare["!="] = compare["~="]

--- The default interval of Prometheus, and some.
local WITHIN = 20

---@param options {query: string, op: string, value: number, name: string|nil, within: any}
---@param name string unless the options have one
---@return table expectation
function M.new(options, name)
    options = errors.options("expect_metric", options, "query", "op", "value", "name", "within")
    local function want(key, fine, expected)
        if not fine then errors.usage("expect_metric: %s = %s: %s was expected", key, errors.show(options[key]), expected) end
    end
    want("query", type(options.query) == "string" and options.query:find "%S", "a query of Prometheus")
    want("op", compare[options.op], '"<", "<=", ">", ">=", "==" or "~="')
    want("value", math.type(options.value) and math.abs(options.value) < math.huge, "a number")
    want("name", options.name == nil or type(options.name) == "string", "a name")
    return setmetatable({
        name = options.name or name, query = options.query, op = options.op, value = options.value,
        within = duration.to_seconds(options.within or WITHIN, { slot_seconds = 1, f = 1 }, "expect_metric, within"),
    }, Metric)
end

function Metric:prepare()
    if telemetry.url_of(telemetry.VARIABLE) then return end
    errors.usage("expect_metric: where is Prometheus? Set %s, as http://127.0.0.1:9090 (scripts/setup/setup-observability.sh starts one)",
        telemetry.VARIABLE)
end

local function show(value)
    if value ~= value then return "NaN" end
    return math.type(value) == "integer" and ("%d"):format(value) or ("%.6g"):format(value)
end

local common = { __name__ = true, run = true, scenario = true, job = true, deployer = true, kind = true }

--- 'instance="…", node="node-2"': what tells series of a run apart.
local function labels(row)
    local parts = {}
    for name, value in pairs(row.labels) do
        if not common[name] then
            parts[#parts + 1] = ("%s=%q"):format(name, value)
        end
    end
    table.sort(parts)
    return #parts > 0 and "{" .. table.concat(parts, ", ") .. "} " or ""
end

--- Has Prometheus looked at all nodes that tfl told it of since then? Of nodes it knows otherwise nobody can tell.
local function is_fresh(prometheus, announced, since)
    if not announced then return true end
    local rows = prometheus:query 'timestamp(up{run="$run"})'
    if #rows == 0 then return false end
    for _, row in ipairs(rows) do
        if row.value < since then return false end
    end
    return true
end

--- The series, once they are fresh or `within` is over. Raises what the queries raise, when they still do then.
local function series(self, run, prometheus)
    run.metrics_from = run.metrics_from or { wall = task.wall_ms() / 1000, now = task.now() } -- one wait for all that is asked
    local since, deadline = run.metrics_from.wall, run.metrics_from.now + self.within
    while true do
        local ok, result = pcall(function()
            local fresh = is_fresh(prometheus, run.announced, since)
            return { fresh = fresh, rows = prometheus:query(self.query) }
        end)
        if not ok then error(result, 0) end
        if result.fresh and #result.rows > 0 or task.now() >= deadline then return result.rows end
        wait.sleep(0.2)
    end
end

--- ", nothing of node-2": nodes that the answer, whose series are of nodes, has no series of.
local function missing(run, rows)
    local there, names = {}, {}
    for _, row in ipairs(rows) do
        if not row.labels.node then return "" end
        there[row.labels.node] = true
    end
    for _, node in ipairs(run.nodes) do
        if run.started[node.name] and not there[node.name] then names[#names + 1] = node.name end
    end
    return #names > 0 and ", nothing of " .. table.concat(names, ", ") or ""
end

function Metric:evaluate(ctx)
    local run = ctx.run
    ctx.owner.looked = true
    local ok, rows = pcall(series, self, run, telemetry.prometheus(run))
    if not ok then
        if type(rows) ~= "table" or rows.code ~= "metrics_unreachable" then error(rows, 0) end
        return ctx:conclude { verdict = "inconclusive", code = "metrics_unreachable", figures = {}, message = rows.message }
    elseif #rows == 0 then
        return ctx:conclude {
            verdict = "inconclusive", code = "no_sample", figures = {},
            message = ("%s: Prometheus has no such series"):format(self.query),
        }
    end
    local holds, low, high, bad = compare[self.op], math.huge, -math.huge, nil
    for _, row in ipairs(rows) do
        low, high = math.min(low, row.value), math.max(high, row.value)
        if not bad and not (holds(row.value, self.value) and row.value == row.value) then bad = row end -- NaN holds no bound
    end
    local figures = { series = #rows, bound = self.value, value = bad and bad.value or low }
    if figures.value ~= figures.value or math.abs(figures.value) == math.huge then figures.value = nil end -- JSON has no such numbers
    local wanted = ("%s %s"):format(self.op, show(self.value))
    if bad then
        return ctx:conclude {
            verdict = "fail", code = "metric_bound", figures = figures,
            message = ("%s: %sis %s, %s was expected"):format(self.query, labels(bad), show(bad.value), wanted),
        }
    end
    ctx:conclude {
        verdict = "pass", code = "ok", figures = figures,
        message = ("%s: %s (%s) in %d series%s"):format(self.query, low == high and show(low) or show(low) .. " to " .. show(high), wanted,
            #rows, missing(run, rows)),
    }
end

return M
