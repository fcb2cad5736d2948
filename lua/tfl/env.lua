--- The variables of the environment that tfl and its scripts look at. This one table makes `tfl help env` and the table of the
--- README, says which spec shows the effect of each, and what is misspelt. A new one: add a row, then
--- `lua5.4 scripts/lint/environment.lua --write` puts it into the README; that check also fails while the spec does not mention it.
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

local M = {}

local DAY = 86400

--- {name, what it does (`code` in backticks), spec of its effect, again = true: it goes into the command that runs it again; a table by
--- deployer: into those of these}
M.rows = {
    { "CONSENSUS_SLOT_TIME", "length of a slot: bare seconds (`0.2`) or `200ms`", "cli", again = true },
    { "CONSENSUS_ACTIVE_SLOT_COEFF", "chance that a slot has a leader, above 0 and at most 1", "cli", again = true },
    { "LOGOS_BLOCKCHAIN_BINARIES_TAR", "bundle whose programs are the nodes; `TFL_NODE_BIN` wins over it", "bundle", again = true },
    { "LOGOS_BLOCKCHAIN_DEMO_NODES", "number of nodes, as `-n`", "cli" },
    { "LOGOS_BLOCKCHAIN_DEMO_RUN_SECS", "duration of the window in seconds, as `-t`", "cli" },
    { "LOGOS_BLOCKCHAIN_TESTS_KEEP_LOGS", "set: keep node data and logs of runs that pass, too", "env" },
    { "LOGOS_BLOCKCHAIN_NODE_BIN",
        "the program of the kind `logos` (else `logos-blockchain-node` on `PATH`), and what goes into bundles as such",
        "kinds/logos_run", again = true },
    { "LOGOS_BLOCKCHAIN_NODE_VERSION", "form of its files: `JUN` (the default) or `AUG`", "kinds/logos_run", again = true },
    { "LOGOS_BLOCKCHAIN_CIRCUITS",
        "folder of its circuits (`~/.logos-blockchain-circuits`; `AUG` needs none), and what goes into the image as such",
        "kinds/logos_run", again = true },
    { "LOGOS_BLOCKCHAIN_CIRCUITS_URL", "where `setup-logos-blockchain-circuits.sh` fetches them", "circuits" },
    { "LOGOS_BLOCKCHAIN_CIRCUITS_SHA256", "their checksum, when there is none beside them; `none`: unchecked", "circuits" },
    { "LOGOS_BLOCKCHAIN_CFGSYNC_PORT", "nothing (there is no cfgsync server): `-d compose` says so when it is set", "deployers/compose" },
    { "LOGOS_BLOCKCHAIN_METRICS_QUERY_URL",
        "the Prometheus of `expect_metric` and `ctx:telemetry()`, as `http://127.0.0.1:9090`", "metrics" },
    { "LOGOS_BLOCKCHAIN_GRAFANA_URL", "Grafana, for the line `TESTNET_ENDPOINTS`", "logs" },
    { "LOGOS_BLOCKCHAIN_METRICS_OTLP_INGEST_URL",
        "where nodes of the kind `logos` push their metrics by OTLP over HTTP", "kinds/logos_run" },
    { "LOGOS_BLOCKCHAIN_OTLP_METRICS_ENDPOINT", "the same over gRPC (over HTTP when the URL has a path)", "kinds/logos_run" },
    { "LOGOS_BLOCKCHAIN_OTLP_ENDPOINT", "the same, when neither of these two is set", "kinds/logos_run" },
    { "LOGOS_BLOCKCHAIN_LOG_LEVEL", "of the nodes' logs: `error`, `warn`, `info` (the default), `debug`, `trace`", "logs" },
    { "LOGOS_BLOCKCHAIN_LOG_FILTER", "given to nodes of the kind `logos` as `--log-filter`; `tfl-node` has none", "logs" },
    { "LOGOS_BLOCKCHAIN_LOG_DIR", "folder to which each run copies the logs of its nodes at its end", "logs" },
    { "LOGOS_BLOCKCHAIN_TESTS_TRACING", "`true`: nodes log at `debug`, unless `LOGOS_BLOCKCHAIN_LOG_LEVEL` says otherwise", "logs" },
    { "LBC_ROOT_DIR", "given to the real node as it is; the circuits when not set", "kinds/logos_run" },
    { "POL_PROOF_DEV_MODE", "given to the real node as it is; `true` when not set", "kinds/logos_run" },
    { "LOGOS_BLOCKCHAIN_TESTNET_IMAGE", "name of the image (`logos-blockchain-testing:local`)", "image",
        again = { compose = true, k8s = true } },
    { "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD", "`1` (any value but `0` and `false`): the image that is there is used whatever it is",
        "image" },
    { "LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD", "`1` (any value but `0` and `false`): it is built anew though nothing has changed", "image" },
    { "COMPOSE_RUNNER_HOST", "`-d compose`: the address of this host at which ports of nodes are published (`127.0.0.1`)",
        "deployers/compose" },
    { "COMPOSE_RUNNER_HOST_GATEWAY", "what `host.docker.internal` is in containers: `host-gateway` (the default), an address, or `disable`",
        "deployers/compose" },
    { "COMPOSE_RUNNER_HTTP_TIMEOUT_SECS", "how long containers may take to be ready; wins over `TFL_READY_SECONDS`", "deployers/compose" },
    { "COMPOSE_RUNNER_PRESERVE", "set: containers and network stay when the run is over, until `tfl clean`", "deployers/compose" },
    { "TESTNET_RUNNER_PRESERVE", "the same", "deployers/compose" },
    { "LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY", "`-d k8s`: `IfNotPresent` (the default), `Always` or `Never`", "deployers/k8s" },
    { "K8S_RUNNER_NAMESPACE",
        "the namespace (one of the run's own, `tfl-…`); one that is there already stays, and only what the run made goes",
        "deployers/k8s_settings", again = { k8s = true } },
    { "K8S_RUNNER_RELEASE",
        "prefix of the names of all objects of a run, for several in one namespace, and the name of its release in helm",
        "deployers/k8s_settings", again = { k8s = true } },
    { "K8S_RUNNER_NODE_HOST",
        "name or address of a node of the cluster: nodes are reached there by NodePorts, not through the API server",
        "deployers/k8s_settings", again = { k8s = true } },
    { "K8S_RUNNER_DEPLOYMENT_TIMEOUT_SECS", "how long a pod may take until it runs (180)", "deployers/k8s_settings" },
    { "K8S_RUNNER_HTTP_TIMEOUT_SECS", "how long pods that run may take to be ready; wins over `TFL_READY_SECONDS`",
        "deployers/k8s_settings" },
    { "K8S_RUNNER_DEBUG", "set: tell what kubectl says, and all events of the run's objects", "deployers/k8s_settings" },
    { "K8S_RUNNER_PRESERVE", "set: what a run has made stays in the cluster, until `tfl clean` or the command that is told",
        "deployers/k8s_settings" },
    { "KUBECONFIG", "read by kubectl: which cluster `-d k8s` speaks to", "deployers/k8s" },
    { "DOCKER_HOST", "the Docker engine: `unix:///PATH` (`/var/run/docker.sock`), or `tcp://IP:PORT` of one that shares this host's files",
        "deployers/engine" },
    { "TESTNET_PRINT_ENDPOINTS",
        "set: once nodes are ready, a line `TESTNET_ENDPOINTS prometheus=URL\\|- grafana=URL\\|- node-0=URL …` on stdout",
        "deployers/compose" },
    { "SLOW_TEST_ENV", "`true`: a slow machine; deadlines and the time before genesis double", "cli", again = true },
    { "TFL_LOG", "tfl's own log: `info`, `warn,feed=debug` (`RUST_LOG` when unset)", "cli" },
    { "TFL_LOG_FORMAT", "`json`: tfl's own log as one JSON object a line (`text`)", "logs" },
    { "TFL_NODE_BIN", "program to run instead of the `tfl-node` beside `tfl`", "cli", again = true },
    { "TFL_PORTS", "ports that nodes may use, `24000-24999` (20000-32767)", "cli" },
    { "TFL_READY_SECONDS", "how long nodes may take to be ready (30, and 0.1 for each node)", "hang" },
    { "XDG_STATE_HOME", "runs and ledgers lie under `$XDG_STATE_HOME/tfl` (`~/.local/state`)", "env" },
    { "NO_COLOR", "set: no colours", "env" },
    { "GITHUB_STEP_SUMMARY", "file to whose end `tfl matrix` adds its summary, unless `--markdown` names one", "matrix" },
}

--- Of tfl's own making (what it tells its nodes), and those of its tests.
M.inner = {
    "TFL_RUN_ID", "TFL_NODE", "TFL_POD", "TFL_POD_IP", "TFL_TEST_SEED", "TFL_TEST_MARK", "TFL_TEST_JOBS", "TFL_TEST_KUBECONFIG",
    "TFL_TEST_K8S_IMAGE", "TFL_K8S_DIR", "TFL_COUNTS", "TFL_FUZZ_SECONDS", "TFL_SPECS",
}

--- Prefixes that are tfl's: what begins so and is not known is misspelt, or of another version.
M.PREFIXES = { "LOGOS_BLOCKCHAIN_", "TFL_", "K8S_RUNNER_", "COMPOSE_RUNNER_" }

--- The text of `tfl help env`.
---@return string
function M.help()
    local lines, width = { "Environment (flags win over it, it wins over the script's defaults):" }, 0
    for _, row in ipairs(M.rows) do width = math.max(width, #row[1]) end
    for _, row in ipairs(M.rows) do
        lines[#lines + 1] = ("  %s%s  %s"):format(row[1], (" "):rep(width - #row[1]), (row[2]:gsub("`", ""):gsub("\\|", "|")))
    end
    return table.concat(lines, "\n") .. "\n"
end

--- The rows of the README's table.
---@return string
function M.markdown()
    local lines = {}
    for i, row in ipairs(M.rows) do lines[i] = ("| `%s` | %s |"):format(row[1], row[2]) end
    return table.concat(lines, "\n") .. "\n"
end

--- Names of the rows, in order.
---@return string[]
function M.names()
    local names = {}
    for i, row in ipairs(M.rows) do names[i] = row[1] end
    return names
end

local function prefix_of(name)
    for _, prefix in ipairs(M.PREFIXES) do
        if name:sub(1, #prefix) == prefix then return prefix end
    end
end

--- Does a name have all words of another, as METRICS_QUERY_URL those of METRICS_URL?
local function has_words(name, other)
    for word in other:gmatch "[^_]+" do
        if not ("_" .. name .. "_"):find("_" .. word .. "_", 1, true) then return false end
    end
    return other ~= ""
end

--- The near one among those of the same prefix: what all of them begin with says nothing.
local function hint(name, prefix)
    local ends, rest, more = {}, name:sub(#prefix + 1), nil
    for _, known in ipairs(M.names()) do
        local its = known:sub(#prefix + 1)
        if prefix_of(known) == prefix then
            ends[#ends + 1] = its
            if has_words(its, rest) and not (more and #more <= #its) then more = its end
        end
    end
    local near = suggest.near(rest, ends) or more
    return near and ('; did you mean %s%s?'):format(prefix, near) or ""
end

--- The value of a variable; nil when it is not set, or empty.
---@param name string
---@return string|nil
function M.get(name)
    local value = os.getenv(name)
    return value ~= "" and value or nil
end

--- Is a switch on: any value but `0` and `false`?
---@param name string
---@return boolean
function M.is_set(name)
    local value = M.get(name)
    return value ~= nil and value ~= "0" and value ~= "false"
end

--- A variable that says how long something may take. Raises usage.
---@param name string
---@return number|nil seconds
function M.seconds(name)
    local text = M.get(name)
    local value = tonumber(text)
    if text and not (value and value > 0 and value <= DAY) then
        errors.usage("%s=%s: a number of seconds above 0, at most %d, was expected", name, text, DAY)
    end
    return value
end

--- A refused value as a message shows it: whatever is wrong with it, what may be a user, a password or a token is not told.
---@param value string
---@return string
function M.shown(value) return value:find "[@?#]" and "*" or value end

--- What is to be said of names that look like tfl's and are not: a line each. Values are told nobody.
---@param names string[]
---@return string[]
function M.warnings(names)
    local known, lines = {}, {}
    for _, name in ipairs(M.names()) do known[name] = true end
    for _, name in ipairs(M.inner) do known[name] = true end
    for _, name in ipairs(names) do
        local prefix = prefix_of(name)
        if prefix and not known[name] then
            lines[#lines + 1] = ("%s is set, and there is no such variable%s (tfl help env)"):format(name, hint(name, prefix))
        end
    end
    table.sort(lines)
    return lines
end

--- The names in a block of NAME=value, each ended by a zero byte, as /proc/self/environ has it.
---@param block string
---@return string[]
function M.names_in(block)
    local names = {}
    for entry in block:gmatch "[^%z]+" do
        local name = entry:match "^([^=]+)="
        if name then names[#names + 1] = name end
    end
    return names
end

return M
