--- Metrics of a run: what Prometheus has seen of its nodes, and where Prometheus finds them. All of it is optional: without the
--- variable there is no query, without the folder of targets nobody is told anything, and neither ever fails a run by itself.
local duration = require "tfl.duration"
local env = require "tfl.env"
local errors = require "tfl.errors"
local http = require "tfl.core.http"
local json = require "tfl.core.json"
local node_logs = require "tfl.node_logs"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"

local M = { VARIABLE = "LOGOS_BLOCKCHAIN_METRICS_QUERY_URL" }

local QUERY_SECONDS = 5
local POINTS = 250 -- of a series, when no step is said

local MAX_PORT = 65535

--- Scheme, user ("me:secret@" or ""), host, port (":9090" or "") and path of a URL; nil when it is none.
local function parts_of(url)
    local scheme, authority, path = url:match "^([Hh][Tt][Tt][Pp][Ss]?)://([^%s/?#]+)([^%s?#]*)$"
    local user, rest = (authority or ""):match "^([^@]*@)([^@]*)$"
    rest = rest or authority or ""
    local host, port = rest:match "^(%[[%x:.]+%])(.*)$"
    if not host then host, port = rest:match "^([%w._-]+)(.*)$" end
    local number = port and tonumber(port:match "^:(%d+)$")
    if not host or port ~= "" and not (number and number >= 1 and number <= MAX_PORT) then return nil end
    return scheme:lower() .. "://", user or "", host, port, path
end

--- A URL out of the environment, without a slash at its end, or nil. Raises usage, without telling what may be a secret.
---@param name string
---@return string|nil
function M.url_of(name)
    local value = env.get(name)
    if not value then return nil end
    local scheme, user, host, port, path = parts_of(value)
    if not scheme then
        errors.usage("%s=%s: a URL, http://HOST:PORT, was expected (characters of a password like / and @ are written %%2F and %%40)", name,
            env.shown(value))
    elseif name == M.VARIABLE and scheme ~= "http://" then
        errors.usage("%s=%s: tfl asks Prometheus by http://, not by https://", name, env.shown(value))
    end
    return scheme .. user .. host .. port .. path:gsub("/+$", "")
end

-- ---- queries

local Prometheus = {}
Prometheus.__index = Prometheus

local special = { NaN = 0 / 0, ["+Inf"] = math.huge, ["-Inf"] = -math.huge }

local function number(text) return special[text] or tonumber(text) end

local function encode(text) return (tostring(text):gsub("[^%w%-_%.~]", function(c) return ("%%%02X"):format(c:byte()) end)) end

--- Seconds since the start of the run, as events have them.
local function since_start(run, unix) return unix - run.started_ms / 1000 end

local function bad_reply(what) error(errors.new("metrics_unreachable", "Prometheus: its answer is not one of its API's (%s)", what), 0) end

local function ask(self, path, arguments, query)
    local words = {}
    for name, value in pairs(arguments) do words[#words + 1] = name .. "=" .. encode(value) end
    table.sort(words)
    local answer = http.request { url = self.url .. path .. "?" .. table.concat(words, "&"), who = "Prometheus", timeout = QUERY_SECONDS }
    local ok, body = pcall(json.decode, answer.body)
    if not ok or type(body) ~= "table" then
        if answer.status ~= 200 then error(errors.new("http_status", "Prometheus: it answers %d to %s", answer.status, path), 0) end
        bad_reply "no JSON"
    elseif body.status == "error" and body.errorType == "bad_data" then
        errors.usage("the query %s is refused: %s", query, tostring(body.error))
    elseif body.status ~= "success" or type(body.data) ~= "table" or type(body.data.result) ~= "table" then
        if body.status == "success" then bad_reply "no result" end
        error(errors.new("http_status", "Prometheus: it answers %d to %s: %s", answer.status, path, tostring(body.error or "?")), 0)
    end
    return body.data
end

--- Asks; gives `data` of the answer. What is wrong with the query is the script's mistake, anything else is metrics_unreachable.
---@package
function Prometheus:ask(path, arguments, query)
    local run = self.run
    -- one that was silent when the run was judged is not waited for again: whatever asks next would be as late
    if run.window_over and run.metrics_silent then error(run.metrics_silent, 0) end
    local ok, data = pcall(ask, self, path, arguments, query)
    if ok then return data end
    if type(data) ~= "table" or data.code == "usage" then error(data, 0) end
    local err = errors.new("metrics_unreachable", "%s", data.message)
    if data.code == "timeout" then run.metrics_silent = err end
    error(err, 0)
end

local function sample(run, pair)
    local value = type(pair) == "table" and number(pair[2])
    if not value or type(pair[1]) ~= "number" then bad_reply "a sample without time and value" end
    return value, since_start(run, pair[1])
end

--- What is true now. `$run` in the query is the id of this run, which the targets that tfl announces have as the label `run`.
---@param query string PromQL
---@return {labels: table<string, string>, value: number, t: number}[] one for each series; t in seconds since the start of the run
function Prometheus:query(query)
    if type(query) ~= "string" then errors.usage("prometheus:query: a query was expected, got %s", errors.show(query)) end
    local data, rows = self:ask("/api/v1/query", { query = self:text(query) }, query), {}
    local result = data.result
    if data.resultType == "matrix" or data.resultType == "string" then
        errors.usage("the query %s gives %s, and one number of each series was expected%s", query,
            data.resultType == "matrix" and "a range of them" or "a text",
            data.resultType == "matrix" and ": min_over_time(…), max_over_time(…), rate(…) make one of it" or "")
    elseif data.resultType == "scalar" then
        result = { { value = result } }
    end
    for i, row in ipairs(result) do
        rows[i] = { labels = row.metric or {} }
        rows[i].value, rows[i].t = sample(self.run, row.value)
    end
    return rows
end

--- What was true, in steps.
---@param query string
---@param options? {since: any, step: any} durations: from so long ago (the start of the run), a point for each step
---@return {labels: table<string, string>, points: {t: number, value: number}[]}[]
function Prometheus:query_range(query, options)
    if type(query) ~= "string" then errors.usage("prometheus:query_range: a query was expected, got %s", errors.show(query)) end
    options = errors.options("prometheus:query_range", options, "since", "step")
    local plan = self.run.plan
    local now = os.time()
    local since = options.since and duration.to_seconds(options.since, plan, "query_range, since") or now - self.run.started_ms / 1000
    local step = options.step and duration.to_seconds(options.step, plan, "query_range, step") or math.max(1, since / POINTS)
    if step <= 0 then errors.usage("prometheus:query_range: step = %s: more than 0 was expected", errors.show(options.step)) end
    local rows = {}
    for i, row in ipairs(self:ask("/api/v1/query_range", {
        query = self:text(query), start = ("%.3f"):format(now - since), ["end"] = now, step = ("%.3f"):format(step),
    }, query).result) do
        rows[i] = { labels = row.metric or {}, points = {} }
        for k, pair in ipairs(row.values or {}) do
            local value, t = sample(self.run, pair)
            rows[i].points[k] = { t = t, value = value }
        end
    end
    return rows
end

--- Where it is.
---@return string url
function Prometheus:base_url() return self.url end

--- The query as it is sent.
---@package
function Prometheus:text(query) return (query:gsub("%$run%f[^%w_]", self.run.plan.run_id)) end

---@param run table
---@return table|nil
function M.prometheus(run)
    local url = M.url_of(M.VARIABLE)
    return url and setmetatable({ url = url, run = run }, Prometheus)
end

-- ---- what nodes push themselves

local INGEST, METRICS, ALL = "LOGOS_BLOCKCHAIN_METRICS_OTLP_INGEST_URL", "LOGOS_BLOCKCHAIN_OTLP_METRICS_ENDPOINT",
    "LOGOS_BLOCKCHAIN_OTLP_ENDPOINT"

local here = { localhost = true, ["127.0.0.1"] = true, ["[::1]"] = true, ["0.0.0.0"] = true }

--- Where the environment says that nodes are to push, and the variable that says it.
local function push_url()
    for _, name in ipairs { INGEST, METRICS, ALL } do
        local url = M.url_of(name)
        if url then return url, name end
    end
end

--- Where a node is to push its metrics by OTLP, when the environment says so. An ingest URL, or one with a path, is HTTP, others gRPC.
---@param plan table
---@param node string
---@param gateway string|nil in containers, what this host is called there: localhost is meant as this host
---@return {endpoint: string, service_name: string, protocol: "Grpc"|"Http"}|nil
function M.otlp(plan, node, gateway)
    local url, variable = push_url()
    if not url then return nil end
    local scheme, user, host, port, rest = parts_of(url)
    return {
        endpoint = gateway and here[host:lower()] and scheme .. user .. gateway .. port .. rest or url,
        service_name = plan.run_id .. "/" .. node, protocol = (variable == INGEST or url:match "^https?://[^/]+/.") and "Http" or "Grpc",
    }
end

-- ---- targets

--- The targets of a run as Prometheus reads them from files (file_sd_configs): nodes of kinds that have a page of metrics.
---@param run table
---@return table[] {targets = {"127.0.0.1:20001"}, labels = {…}}
function M.targets(run)
    local list = {}
    for _, node in ipairs(run.nodes) do
        local page = node.kind.metrics
        local url = page and run.started[node.name] and run.clients[node.name]:base_url() or ""
        local host, path = url:match "^https?://([^/]+)(.*)$"
        if host then
            list[#list + 1] = { targets = { host }, labels = {
                run = run.plan.run_id, scenario = run.plan.name, node = node.name, kind = node.kind.name, deployer = run.plan.deployer,
                __metrics_path__ = path:gsub("/+$", "") .. page,
            } }
        end
    end
    return list
end

--- Says that nodes cannot push to this host by that name, where they cannot.
local function tell_of_host(run)
    local url, variable = push_url()
    local why = run.plan.backend.why and run.plan.backend.why.localhost
    if not url or not why or not here[select(3, parts_of(url)):lower()] then return end
    for _, node in ipairs(run.nodes) do
        if node.kind.otlp or node.kind.await then return run:say("telemetry", ("%s=%s: %s"):format(variable, sys.redact(url), why)) end
    end
end

--- Says once what of the environment the kinds of a run can do nothing with.
local function tell_of_kinds(run)
    if run.kinds_told then return end
    run.kinds_told = true
    tell_of_host(run)
    local told, filter = {}, node_logs.settings().filter
    for _, node in ipairs(run.nodes) do
        local kind = node.kind
        if not told[kind.name] and not kind.await then -- a kind of the user's gets them as n.otlp and n.log_filter
            told[kind.name] = true
            if not kind.otlp and M.otlp(run.plan, node.name) then
                run:say("telemetry", ("the kind %s has no OTLP, so it pushes no metrics; Prometheus can ask it (tfl help metrics)")
                    :format(kind.name))
            end
            if not kind.log_filter and filter then
                run:say("telemetry", ("the kind %s has no log filter: LOGOS_BLOCKCHAIN_LOG_FILTER changes nothing there"):format(kind.name))
            end
        end
    end
end

--- Tells Prometheus of the nodes that were started, when somebody has made the folder for it (setup-observability.sh does). Again
--- when there are more. What goes wrong is said once.
---@param run table
function M.announce(run)
    tell_of_kinds(run)
    local ok, err = pcall(function()
        local folder = proc.state_dir() .. "/targets"
        if not sys.stat(folder) then return end
        local file = ("%s/%s.json"):format(folder, run.plan.run_id)
        if not run.announced then
            run.announced = { file = file, entry = proc.ledger_add { undo = "argv", argv = { "/bin/rm", "-f", "--", file }, within = 5 } }
        end
        sys.write_file(file .. ".new", json.encode(M.targets(run), true))
        os.rename(file .. ".new", file)
    end)
    if not ok and not run.not_announced then
        run.not_announced = true
        run:say("telemetry", "Prometheus is not told of the nodes: " .. errors.text(err))
    end
end

--- Takes that back.
---@param run table
function M.withdraw(run)
    if not run.announced then return end
    os.remove(run.announced.file)
    pcall(proc.ledger_done, run.announced.entry)
    run.announced = nil
end

return M
