--- The cluster that kubectl reaches: kubectl for what is installed and removed, and one `kubectl proxy` for everything else, which
--- knows how to log in, and lets through only what a run needs of its own namespace. Every method waits.
local errors = require "tfl.errors"
local http = require "tfl.core.http"
local json = require "tfl.core.json"
local lines = require "tfl.deployers.lines"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Cluster = {}
Cluster.__index = Cluster

local M = {}

local SECONDS = 60 -- for one kubectl
local ANSWER_SECONDS, PATIENCE_SECONDS = 10, 60 -- for one answer of the API; how long it may be away before a verb gives up
local PROXY_SECONDS = 20 -- until the proxy serves
local SHOWN = 1200 -- bytes of kubectl's output that an error shows

--- An error of the cluster, or of what leads to it: no mistake of a script that meets it.
local function trouble(code, fmt, ...)
    local err = errors.new(code, fmt, ...)
    err.infra = true
    return err
end

local function try(argv, what)
    argv.timeout = argv.timeout or SECONDS
    local ok, result = pcall(proc.exec, argv)
    if ok then return result end
    if result.code == "timeout" then
        error(trouble("timeout", "kubectl %s did not end within %ds and was killed", what, argv.timeout), 0)
    end
    if result.code ~= "spawn" then error(result, 0) end
    error(trouble("spawn", "kubectl cannot be started (%s): install one from 1.20 on, and have it on PATH", result.message), 0)
end

local NO_QUOTA = "the quota of the namespace does not allow it: fewer nodes (-n), or a bigger quota"
local NO_RIGHT = "the user of this kubeconfig lacks that right (RBAC)"

--- What to do about what the cluster forbids.
---@param text string in small letters
---@return string|nil
function M.forbids(text)
    if not text:find("forbidden", 1, true) then return nil end
    return text:find("quota", 1, true) and NO_QUOTA or NO_RIGHT
end

--- What to do when the API server cannot be reached.
local function unreached()
    local named = os.getenv "KUBECONFIG"
    for path in (named or ""):gmatch "[^:]+" do
        if sys.stat(path) then named = nil end
    end
    if named and named ~= "" then return ("KUBECONFIG=%s: there is no such file"):format(named) end
    return "the API server cannot be reached: is the cluster up, and KUBECONFIG the right one?"
end

--- What kubectl or the API said, as an error that says what to do.
local function told(what, text)
    local said = {}
    for line in text:gmatch "[^\n]+" do -- without the log of its own that kubectl mixes in: E1128 22:30:10.123456 …
        if not line:match "^[EWIF]%d%d%d%d %d%d:%d%d:" then said[#said + 1] = line end
    end
    said = table.concat(said, "\n"):gsub("%s+$", "")
    if #said > SHOWN then said = "… " .. said:sub(-SHOWN):gsub("^%S*%s+", "") end
    local low, hint, code = said:lower(), nil, "spawn"
    local forbidden = M.forbids(low)
    if low:find("being terminated", 1, true) then
        hint = "somebody has the namespace deleted"
    elseif forbidden then
        hint = forbidden
    elseif low:find("unauthorized", 1, true) or low:find("must be logged in", 1, true) then
        hint = "the cluster does not know the credentials of this kubeconfig, or they have expired: log in again"
    elseif low:find("getting credentials", 1, true) then
        hint = "the program that this kubeconfig logs in with has failed"
    elseif low:find("error loading config file", 1, true) then
        hint = "KUBECONFIG must name a file that kubectl can read"
    elseif low:find("already exists", 1, true) then
        hint = "somebody else has objects of these names in the namespace: K8S_RUNNER_RELEASE gives those of this run a prefix"
    elseif low:find("refused", 1, true) or low:find("no such host", 1, true) or low:find("timeout", 1, true)
        or low:find("unable to connect", 1, true) then
        hint, code = unreached(), "connect"
    end
    return trouble(code, "%s: %s%s", what, #said > 0 and said or "it says nothing", hint and "; " .. hint or "")
end

--- kubectl, pinned to the kubeconfig and the context of this moment, so that what undoes a run later speaks to the same cluster.
---@return table cluster
function M.new()
    local found = try({ "kubectl", "config", "current-context", timeout = 20 }, "config current-context")
    local context = found.ok and found.stdout:match "([^\n]+)%s*$" -- what wraps kubectl may say something before it
    local base, kubeconfig = { "kubectl" }, os.getenv "KUBECONFIG"
    if kubeconfig and kubeconfig ~= "" then table.move({ "env", "KUBECONFIG=" .. kubeconfig, "kubectl" }, 1, 3, 1, base) end
    if context then table.move({ "--context", context }, 1, 2, #base + 1, base) end
    return setmetatable({
        base = base, context = context or "(none)", named = context and true or false,
        kubeconfig = kubeconfig ~= "" and kubeconfig or nil,
    }, Cluster)
end

--- A command line of kubectl.
---@param words string[]
---@return string[]
function Cluster:words(words) return table.move(words, 1, #words, #self.base + 1, table.move(self.base, 1, #self.base, 1, {})) end

--- Runs kubectl. Raises spawn, connect, timeout, with what it said.
---@param words string[] also stdin, timeout
---@return string stdout
function Cluster:kubectl(words)
    local argv = self:words(words)
    argv.stdin, argv.timeout = words.stdin, words.timeout or self.seconds
    local what = table.concat(words, " ", 1, math.min(3, #words)):gsub(" %-.*", "")
    local result = try(argv, what)
    if result.ok then return result.stdout end
    error(told("kubectl " .. what, result.stderr:find "%S" and result.stderr or result.stdout), 0)
end

--- The same, as JSON.
function Cluster:read(words)
    table.move({ "-o", "json" }, 1, 2, #words + 1, words)
    local text = self:kubectl(words)
    local answer = json.decode(text)
    if type(answer) == "table" then return answer end
    error(told(("kubectl %s %s -o json"):format(words[1], words[2]), "no JSON: " .. text:sub(1, 200)), 0)
end

--- Raises spawn when the user of the kubeconfig may not do this.
---@param verb string "create"
---@param kind string "namespaces"
---@param namespace string|nil
function Cluster:need_right(verb, kind, namespace)
    local words = { "auth", "can-i", verb, kind }
    if namespace then table.move({ "-n", namespace }, 1, 2, 5, words) end
    local argv = self:words(words)
    argv.timeout = self.seconds
    local result = try(argv, "auth can-i")
    if result.ok then return end
    local said = result.stdout .. result.stderr
    if not said:match "^no" then error(told("kubectl auth can-i", said), 0) end
    error(told(("this user may not %s %s%s"):format(verb, kind, namespace and " in the namespace " .. namespace or ""), "forbidden"), 0)
end

--- Raises spawn when this user may not make and take away what a run needs.
---@param namespace string|nil that K8S_RUNNER_NAMESPACE names
---@return boolean shared it is there already
function Cluster:need_rights(namespace)
    local shared = namespace ~= nil and self:kubectl { "get", "namespace", namespace, "--ignore-not-found", "-o", "name" } ~= ""
    for _, verb in ipairs { "create", "delete" } do
        self:need_right(verb, shared and "statefulsets.apps" or "namespaces", shared and namespace or nil)
    end
    return shared
end

--- The StorageClass that makes volumes when nobody names one; nil: there is none.
---@return string|nil
function Cluster:storage_class()
    local ok, classes = pcall(self.read, self, { "get", "storageclasses" })
    if not ok and classes.code == "connect" then error(classes, 0) end
    for _, class in ipairs(ok and classes.items or {}) do
        if (class.metadata.annotations or {})["storageclass.kubernetes.io/is-default-class"] == "true" then return class.metadata.name end
    end
end

--- Host names of the machines of the cluster that take pods: a disk that is a folder of one of them binds its node to it.
---@return string[]
function Cluster:machines()
    local names, ok, all = {}, pcall(self.read, self, { "get", "nodes" })
    if not ok then
        if M.forbids(all.message:lower()) then
            all.message = all.message .. "; where no StorageClass is the default, disks are folders of machines, and tfl must list these"
        end
        error(all, 0)
    end
    for _, machine in ipairs(all.items) do
        local ready, taken = false, machine.spec.unschedulable
        for _, condition in ipairs(machine.status.conditions or {}) do
            ready = ready or condition.type == "Ready" and condition.status == "True"
        end
        for _, taint in ipairs(machine.spec.taints or {}) do taken = taken or taint.effect ~= "PreferNoSchedule" end
        if ready and not taken then names[#names + 1] = machine.metadata.labels["kubernetes.io/hostname"] end
    end
    if #names == 0 then error(errors.new("spawn", "no machine of the cluster is ready to take pods (kubectl get nodes)"), 0) end
    table.sort(names)
    return names
end

-- ---- the API through the proxy

local function starts(self)
    local words = self:words { "proxy", "--address=127.0.0.1", "--port=" .. self.port, "--accept-paths=" .. self.accept }
    self.process = proc.start(words)
end

--- Starts the proxy, and again when it ends; waits until it serves. Raises connect, with what the API says.
---@param port integer
---@param namespace string all that the proxy lets through
---@param lost fun(err: table) the proxy cannot be had back
function Cluster:open(port, namespace, lost)
    self.port, self.namespace = port, namespace
    self.url = "http://127.0.0.1:" .. port
    self.accept = ("^/api/v1/namespaces/%s/(pods|events)(/.*)?$,^/apis/apps/v1/namespaces/%s/statefulsets/.*/scale$")
        :format(namespace, namespace)
    starts(self)
    self.keeper = task.spawn("proxy", function()
        while true do
            self.process:wait()
            if self.closed then return end
            local tail = self.process:result().tail
            if self.failed_at and task.now() - self.failed_at < 5 then
                return lost(told("kubectl proxy ended", tail))
            end
            self.failed_at = task.now()
            starts(self)
        end
    end)
    local from = task.now()
    while true do
        local ok, err = pcall(self.ask, self, "GET", self:path "pods", { query = "limit=1", patience = 0 })
        if ok then return end
        local silent = err.code == "timeout" or (err.status or 0) >= 500 -- the proxy serves, and nobody answers it
        if err.code ~= "connect" and not silent then error(err, 0) end
        if task.now() - from > (silent and PATIENCE_SECONDS or PROXY_SECONDS) then
            local what = silent and "the API server of the cluster does not answer" or "kubectl proxy does not serve"
            error(trouble("connect", "%s: %s", what, err.message), 0)
        end
        wait.sleep(silent and 0.5 or 0.05)
    end
end

function Cluster:close()
    self.closed = true
    if self.process and not self.process:result() then pcall(self.process.stop, self.process, "TERM", 1) end
    if self.keeper then self.keeper:cancel() end
end

--- "/api/v1/namespaces/NS/pods"
function Cluster:path(kind, name) return ("/api/v1/namespaces/%s/%s%s"):format(self.namespace, kind, name and "/" .. name or "") end

--- The address of a port of a pod, as tfl reaches it.
---@return string
function Cluster:pod_url(pod, port) return ("%s%s:%d/proxy"):format(self.url, self:path("pods", pod), port) end

local function refused(method, path, answer)
    local status = json.decode(answer.body)
    local message = type(status) == "table" and status.message or answer.body:match "[^\n]*"
    local err = told(("Kubernetes: %s %s"):format(method, path), ("%s (HTTP %d)"):format(message, answer.status))
    err.status = answer.status
    return err
end

--- Is it an answer of somebody who cannot reach the API server?
local function away(ok, answer)
    if not ok then return type(answer) == "table" and (answer.code == "connect" or answer.code == "timeout") end
    return answer.status >= 500 or answer.status == 429 -- by the proxy: 500 or 502, by what stands before the API server
end

--- One request. An API server that is away is asked again for a while. Raises connect, timeout, spawn (what it refuses).
---@param method string
---@param path string
---@param options? {query: string, body: table, patience: number}
---@return any answer
function Cluster:ask(method, path, options)
    options = options or {}
    local deadline = task.now() + (options.patience or PATIENCE_SECONDS)
    local url = self.url .. path .. (options.query and "?" .. options.query or "")
    while true do
        local ok, answer = pcall(http.request, {
            url = url, method = method, timeout = ANSWER_SECONDS, body = options.body and json.encode(options.body),
        })
        if not away(ok, answer) or task.now() >= deadline then
            if not ok then error(answer, 0) end
            if answer.status > 299 then error(refused(method, path, answer), 0) end
            return json.decode(answer.body)
        end
        wait.sleep(0.5)
    end
end

--- A stream of text: an iterator of lines, and what closes it. Raises as ask does when it cannot be opened.
---@return fun(): string|nil
---@return fun() close
function Cluster:lines(path, query)
    local stream = http.stream { url = self.url .. path .. "?" .. query, method = "GET" }
    local status = stream:status()
    if status and status > 299 then
        local body = {}
        for chunk in stream.read, stream do body[#body + 1] = chunk end
        stream:close()
        error(refused("GET", path, { status = status, body = table.concat(body) }), 0)
    end
    return lines.of(stream), function() stream:close() end
end

--- Follows all objects of a kind: what there is, then every change, whatever happens to the connection. Ends only with its task.
---@param kind string "pods"
---@param selector string|nil of labels
---@param seen fun(type: string, object: table) type: ADDED, MODIFIED, DELETED
---@param listed fun(items: table[]) all there is at a moment: what is not among them is gone
function Cluster:follow(kind, selector, seen, listed)
    local filter = selector and "&labelSelector=" .. selector:gsub("[^%w%.%-_]", function(c) return ("%%%02X"):format(c:byte()) end) or ""
    while true do
        local close = function() end
        local ok = pcall(function()
            local all = self:ask("GET", self:path(kind), { query = "limit=5000" .. filter, patience = 0 })
            listed(all.items)
            local next_line
            next_line, close = self:lines(self:path(kind),
                ("watch=true&timeoutSeconds=300&resourceVersion=%s%s"):format(all.metadata.resourceVersion, filter))
            for line in next_line do
                local event = json.decode(line)
                if type(event) ~= "table" or event.type == "ERROR" then return end
                if event.type ~= "BOOKMARK" then seen(event.type, event.object) end
            end
        end)
        close()
        wait.sleep(ok and 0.05 or 0.5)
    end
end

return M
