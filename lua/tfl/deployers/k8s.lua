--- The k8s deployer: nodes are pods of a cluster that kubectl reaches, each of a StatefulSet and a Service of its own. To the runner it is
--- the local deployer, but that nodes live somewhere else: their states, readiness and exits are kept where those of local nodes are.
--- What is installed is made here once, as plain JSON (k8s/objects.lua); everything else goes through the API and one `kubectl proxy`.
local base = require "tfl.deployers.local"
local gather = require "tfl.deployers.gather"
local clusters = require "tfl.deployers.k8s.cluster"
local compose_settings = require "tfl.deployers.compose.settings"
local errors = require "tfl.errors"
local installs = require "tfl.deployers.k8s.install"
local images = require "tfl.deployers.compose.images"
local json = require "tfl.core.json"
local node_specs = require "tfl.node_specs"
local objects = require "tfl.deployers.k8s.objects"
local proc = require "tfl.core.proc"
local purge = require "tfl.deployers.k8s.purge"
local settings = require "tfl.deployers.k8s.settings"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Local = base.class
local K8s = setmetatable({}, { __index = Local })
K8s.__index = K8s
for _, part in ipairs { "watch", "stop", "beside", "links" } do
    for name, method in pairs(require("tfl.deployers.k8s." .. part)) do K8s[name] = method end
end

local FIRST_PORT = 8080 -- each pod has an address of its own, so all nodes have the same ports
local FAILING_SECONDS = 30 -- of a container that cannot be made: the kubelet has tried two or three times by then
local REDIAL_SECONDS = 10 -- until a cluster sends those who dial a node to its new pod; a busy one takes that long
local AWAY_SECONDS = 60 -- of the API server, at the end: what could not be deleted is tried again

local M = {
    name = "k8s",
    hop_ms = 50,
    genesis_delay_ms = function(n) return 5000 + 500 * n end, -- pods of one machine come up about two in a second
    capabilities = {
        start = true, stop = true, restart = true, kill = true, pause = true, resume = true, logs = true, start_node = true,
        partition = true, isolate = true, link = true,
    },
    relays_apart = true, -- they do not stand still when tfl does
    defaults = function()
        settings.read() -- what it refuses, tfl check does, too
        return compose_settings.cluster()
    end,
    ready_seconds = settings.ready_seconds,
    why = {
        inbound = "they have one address for all who dial them, and of pods it cannot be told who does",
        localhost = "in a pod that is the pod itself, and no name of this host is known there; give an address of it that pods reach",
        snapshot = "the disks of nodes are in the cluster, where tfl cannot copy them",
    },
}

M.class, M.FIRST_PORT = K8s, FIRST_PORT

--- Words on how nodes that stay are found again.
function M.how_to_attach(namespace, selector)
    return ("K8S_RUNNER_NAMESPACE=%s tfl SCENARIO.lua -d k8s --attach %s drives it"):format(namespace, selector)
end

---@param options table {run_id, dir, event, problem, say, stalled}
---@return table deployer
function M.new(options)
    local made = setmetatable(base.new(options), K8s)
    made.run_id, made.problem, made.say, made.stalled = options.run_id, options.problem, options.say, options.stalled
    made.own, made.by_object, made.by_pod, made.tasks = {}, {}, {}, {}
    made.batch = gather.new(function(batch) made:install(batch) end)
    return made
end

function K8s:genesis_delay_ms(n) return M.genesis_delay_ms(n) end
function K8s:capabilities() return M.capabilities end

-- ---- where nodes live

function K8s:site(node)
    local site = Local.site(self, node)
    site.host, site.dirs = "0.0.0.0", { run = "/node", data = "/node/data", log = "/node/logs" }
    site.tracing, site.bootstrap_ms = compose_settings.tracing(self.shared, node), REDIAL_SECONDS * 1000
    site.image = { programs = "/usr/local/bin", circuits = "/opt/circuits" }
    return site
end

function K8s:host(node, for_nodes)
    local own = self.own[node.name]
    return for_nodes and own.object or self.settings.node_host or own.pod
end

function K8s:seen(node)
    local site, own = self:site(node), self.own[node.name]
    site.host = self:host(node)
    site.url = function(port)
        if not self.settings.node_host then return self.cluster:pod_url(own.pod, port) end
        return ("http://%s:%d"):format(site.host, own.node_ports[port])
    end
    return site
end

--- A name for the objects of a node: its own, as far as Kubernetes takes it.
local function object_name(self, node)
    local prefix = self.run.prefix
    local name = prefix .. settings.label(node.name, 50 - #prefix)
    if not name:match "^[a-z]" or self.by_object[name] or name == objects.named(self.run, objects.SWEEPER) then
        name = ("%sn%d-%s"):format(prefix, node.index, settings.label(node.name, 40 - #prefix))
    end
    return (name:gsub("%-+$", ""))
end

--- Looks whether everything is there, has the ledger know how to undo it, then makes the namespace and begins to watch.
function K8s:prepare(plan)
    self.settings, self.shared = settings.read(), compose_settings.cluster()
    self.cluster = clusters.new()
    local run = settings.run_label(self.run_id)
    local namespace = self.settings.namespace or "tfl-" .. run
    self.run = {
        namespace = namespace, run = run, prefix = self.settings.release and self.settings.release .. "-" or "",
        image = images.name(), pull_policy = self.settings.pull_policy,
        labels = { ["app.kubernetes.io/managed-by"] = "tfl", ["tfl.run"] = run, ["tfl.owner"] = purge.owner() },
        claims = self.cluster:storage_class() ~= nil, machines = {}, node_ports = self.settings.node_host ~= nil,
    }
    local shared = self.cluster:need_rights(self.settings.namespace)
    local release = self.settings.release or settings.label("tfl-" .. run, 53)
    if not self.run.claims then self.run.machines = self.cluster:machines() end
    self.installer = installs.new {
        cluster = self.cluster, namespace = namespace, release = release,
        dir = self.dir .. "/k8s", tell = function(said) if self.settings.debug then self.say(said) end end,
    }
    self.selector = "tfl.run=" .. run
    self.undos = {}
    for i, words in ipairs(installs.undos(namespace, release, shared, self.selector)) do
        self.undos[i] = { argv = self.cluster:words(words) }
    end
    for _, undo in ipairs(self.settings.preserve and {} or self.undos) do
        undo.id = proc.ledger_add { undo = "argv", argv = undo.argv, cwd = sys.cwd(), within = 60, patience = AWAY_SECONDS }
    end
    self.first = {}
    if not shared then self.first[1] = objects.namespace(self.run) end
    if not self.run.claims then table.insert(self.first, objects.sweeper(self.run)) end
    Local.prepare(self, plan)
    self:connect()
end

--- Opens the way to the API, and begins to watch.
function K8s:connect()
    local port = self.core:reserve(1)[1]
    self.core:unbind(port)
    self.cluster:open(port, self.run.namespace, function(err) self:lost(err) end)
    self:begin_watch()
    if self.links then self.links:begin() end
end

--- Installs objects: those that are new ("create"), or as they are to be from now on ("apply").
function K8s:put(how, items)
    self.installer[how](self.installer, items, function(object) return self.by_object[object].replicas end)
end

--- What is known of a node here.
function K8s:own_node(name, object, pod)
    local own = { name = name, object = object, pod = pod, changed = wait.signal(), disk = 0, revision = 0 }
    self.own[name], self.by_object[object], self.by_pod[pod] = own, own, own
    return own
end

--- Gives the nodes their names and ports, and has their Services made, by which they find each other.
function K8s:add_nodes(nodes)
    local items = self.first or {}
    self.first = nil
    for _, node in ipairs(nodes) do
        local ports = {}
        for i, name in ipairs(node_specs.ports(node.kind)) do ports[name] = FIRST_PORT + i - 1 end
        self.addresses[node.index] = ports
        local object = object_name(self, node)
        self:own_node(node.name, object, object .. "-0")
        items[#items + 1] = objects.service(self.run, { object = object, ports = ports })
    end
    table.move(nodes, 1, #nodes, #self.nodes + 1, self.nodes)
    self:put("create", items)
    if not self.run.node_ports and not self.links then return end
    local services = self.cluster:read { "get", "services", "-n", self.run.namespace, "-l", "tfl.run=" .. self.run.run }
    for _, service in ipairs(services.items) do
        local own = self.by_object[service.metadata.name]
        own.address, own.node_ports = service.spec.clusterIP, {}
        for _, port in ipairs(service.spec.ports) do
            if port.protocol == "TCP" then own.node_ports[port.port] = port.nodePort end
        end
    end
end

-- ---- start

function K8s:check() end -- its files are in the cluster only once it starts, so its program says then what it does not like

--- Why tfl could not see that a node is ready.
local function unreachable(await, own)
    return await and await.tcp and not own.node_host and "its kind is ready when a port accepts, and tfl reaches pods by HTTP only; give "
        .. "it an HTTP path (ready = {http = …}), or set K8S_RUNNER_NODE_HOST" or nil
end

function M.refuses(node) return unreachable(node.kind.await, settings.read()) end

--- What is installed for a node.
local function wanted(self, own, node, spec)
    -- without TFL_RUN_ID: where the cluster is on this host, that would make its nodes processes of the run, which end with it
    local env = { TFL_NODE = node.name, TFL_POD = "1" }
    for name, value in pairs(spec.env or {}) do env[name] = value end
    local refusal = unreachable(spec.await, self.settings)
    if refusal then
        local err = errors.new("unsupported", "%s: %s", node.name, refusal)
        err.node = node.name
        error(err, 0)
    end
    return {
        object = own.object, name = node.name, index = node.index, image = spec.image or self.run.image, argv = spec.argv, env = env,
        files = spec.files or {},
        ports = self.addresses[node.index], api = node.kind.api_port or not node.kind.relay and "http" or nil,
        ready_path = spec.ready and spec.ready.path or spec.await and spec.await.http or nil, stop_signal = spec.stop_signal or "TERM",
        disk = ("%s/%s.%d"):format(objects.disks(self.run), own.object, own.disk),
    }
end

--- Scales its StatefulSet.
function K8s:scale(own, replicas)
    own.replicas = replicas
    local path = ("/apis/apps/v1/namespaces/%s/statefulsets/%s/scale"):format(self.run.namespace, own.object)
    self.cluster:ask("PUT", path, { body = { apiVersion = "autoscaling/v1", kind = "Scale",
        metadata = { name = own.object, namespace = self.run.namespace }, spec = { replicas = replicas } } })
end

--- Installs the nodes that are to start now, which are new or not as they were.
function K8s:install(batch)
    local items = {}
    if self.links then self.links:flush() end
    for _, own in ipairs(batch) do
        own.replicas = 1
        for _, object in ipairs(objects.node(self.run, own.wanted)) do items[#items + 1] = object end
    end
    if not self.told_plan then -- for who attaches to the nodes
        items[#items + 1] = objects.plan(self.run, assert(sys.read_file(self.dir .. "/plan.json")))
        self.told_plan = true
    end
    self:put("apply", items)
end

--- Raises spawn, about it.
local function fail(own, fmt, ...)
    local err = errors.new("spawn", "%s: " .. fmt, own.name, ...)
    err.node = own.name
    error(err, 0)
end

--- Waits until its container runs.
function K8s:wait_running(own)
    local slow = os.getenv "SLOW_TEST_ENV" == "true" and 2 or 1
    local seconds = slow * self.settings.deployment_seconds
    local deadline = task.now() + seconds
    while not own.running do
        local failing = own.failing
        local patience = failing and failing.since + FAILING_SECONDS - task.now() or math.huge
        if own.trouble or patience <= 0 then fail(own, "its pod cannot run: %s", own.trouble or failing.what) end
        if task.now() >= deadline then
            fail(own, "its pod does not run after %gs%s; K8S_RUNNER_DEPLOYMENT_TIMEOUT_SECS gives it longer", seconds,
                own.warning and " (" .. own.warning .. ")" or "")
        end
        own.changed:wait(math.min(deadline - task.now(), patience))
    end
end

function K8s:launch(node, spec)
    local own = self.own[node.name]
    local want = wanted(self, own, node, spec)
    local key = json.encode { want.image, want.argv, want.env, want.files, want.disk, want.stop_signal }
    self.core:lay_out(node.name)
    own.running, own.trouble, own.failing, own.warning, own.why, own.signal = nil, nil, nil, nil, nil, want.stop_signal
    own.spent = own.uid or own.spent
    if own.key == key then
        self:scale(own, 1)
    else
        own.revision = own.revision + 1
        want.files_name = ("%s-files-%d"):format(own.object, own.revision)
        own.wanted = want
        sys.write_file(("%s/k8s/%s-beside.json"):format(self.dir, own.object), json.encode(objects.beside(self.run, want)), true)
        self.batch:add(own)
        own.key = key
    end
    self:begun(own, spec)
end

--- It runs, or is about to: it is looked after from here on.
function K8s:begun(own, spec)
    self:wait_running(own)
    self.core:adopt(own.name)
    own.up, own.doubt, own.silent = true, nil, nil
    own.following = self:spawn("log", self.follow_log, self, own, spec.log, own.running)
    if own.trouble then self:ended(own) end
end

function K8s:wipe(node) -- another folder of its volume; the old one goes with the volume
    local own = self.own[node.name]
    own.disk = own.disk + 1
end

function K8s:pid() return nil end

function K8s:next_exit()
    local exit = Local.next_exit(self)
    local why = exit and not exit.asked and self.own[exit.node].why
    if why then exit.status = ("%s, %s"):format(exit.status, why) end
    return exit
end

-- ---- the end

--- Has everything deleted: it is enough that the cluster has taken that in. What it does not take now the ledger has patience with. With
--- K8S_RUNNER_PRESERVE all stays as it is.
function K8s:cleanup()
    self.closing = true
    self.batch:cancel()
    for _, undo in ipairs(self.undos or {}) do
        local command = table.concat(undo.argv, " ")
        if self.settings.preserve then
            self.say(("what the run has made stays; %s, and this removes it: %s"):format(M.how_to_attach(self.run.namespace, self.selector),
                command))
        else
            local argv = table.move(undo.argv, 1, #undo.argv, 1, { timeout = 60 })
            local ok, result = pcall(proc.exec, argv)
            if ok and result.ok then proc.ledger_done(undo.id) else -- it is in the ledger, which has more patience
                local said = ok and result.stderr:match "[^\n]*" or result.message
                self.say(("%s: %s; tried again for %ds"):format(command, said, AWAY_SECONDS))
            end
        end
    end
    self:end_watch()
    self:let_go()
    if self.cluster then self.cluster:close() end
    Local.cleanup(self)
end

M.doctor = require("tfl.deployers.k8s.doctor").rows

return M
