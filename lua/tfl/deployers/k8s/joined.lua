--- The k8s deployer for nodes that are there already (k8s/attach.lua): it follows, asks and controls them, and takes nothing away.
local attach = require "tfl.deployers.attach"
local compose_settings = require "tfl.deployers.compose.settings"
local errors = require "tfl.errors"
local http = require "tfl.core.http"
local json = require "tfl.core.json"
local k8s = require "tfl.deployers.k8s"
local local_deployer = require "tfl.deployers.local"
local node_specs = require "tfl.node_specs"
local settings = require "tfl.deployers.k8s.settings"
local task = require "tfl.core.task"

local K8s, Local = k8s.class, local_deployer.class
local Joined = setmetatable({}, { __index = K8s })
Joined.__index = Joined

local M = {}

local GONE_SECONDS = 90 -- for a pod of others to end

---@param options table as k8s.new takes it
---@return table deployer
function M.new(options) return setmetatable(k8s.new(options), Joined) end

function Joined:capabilities() return self.can end

--- Looks whether the nodes are those of the plan, and begins to watch.
function Joined:prepare(plan)
    local stack = self.attached
    self.settings, self.shared, self.cluster, self.undos = settings.read(), compose_settings.cluster(), stack.cluster, {}
    self.run = { namespace = stack.namespace, run = stack.run, image = stack.image, labels = {}, machines = {} }
    self.selector = stack.selector
    if not stack.others then attach.join(stack, plan) end
    Local.prepare(self, plan)
    self:connect()
    if stack.others then self:read_time(plan) end
end

--- The port of the API among those of a pod: the one that --attach names, that of the kind, or the only one.
local function api_port(stack, node, there)
    local name, tcp, names = node.kind.api_port or not node.kind.relay and "http" or nil, {}, {}
    for _, port in ipairs(there.ports) do
        if (port.protocol or "TCP") == "TCP" then
            tcp[#tcp + 1] = port.containerPort
            names[#tcp] = (port.name or "?") .. " " .. port.containerPort
            if stack.api and (port.name == stack.api or tostring(port.containerPort) == stack.api) then return port.containerPort end
            if not stack.api and port.name == name then return port.containerPort end
        end
    end
    local said = math.tointeger(tonumber(stack.api))
    if said then return said end -- pods need not say their ports
    if not stack.api and #tcp == 1 then return tcp[1] end
    errors.usage("--attach %s: the pod %s has %s; give the port of its API, --attach %s:PORT", stack.project, there.pod,
        stack.api and ("no port named %s (there are: %s)"):format(stack.api, table.concat(names, ", "))
        or #tcp == 0 and "no ports in its description"
        or ("several ports (%s) and none is named %s"):format(table.concat(names, ", "), name),
        stack.selector)
end

--- Nodes have the ports that they have.
function Joined:add_nodes(nodes)
    local stack = self.attached
    for _, node in ipairs(nodes) do
        local there, ports = stack.nodes[node.name], {}
        if not stack.others then
            for i, name in ipairs(node_specs.ports(node.kind)) do ports[name] = k8s.FIRST_PORT + i - 1 end
        else
            for _, port in ipairs(there.ports) do ports[port.name or tostring(port.containerPort)] = port.containerPort end
            ports[node.kind.api_port or "http"] = api_port(stack, node, there)
        end
        self.addresses[node.index] = ports
        local own = self:own_node(node.name, there.object, there.pod)
        own.container, own.wanted, own.node_ports, own.replicas = there.container, { image = there.image }, there.node_ports, there.replicas
        own.before = there.seen and { uid = there.seen.metadata.uid, count = self:restarts(own, there.seen) }
        if self.settings.node_host and not own.node_ports then
            errors.usage("K8S_RUNNER_NODE_HOST: %s has no Service with a NodePort that tfl has made; leave it out, and nodes are reached "
                .. "through the API server", there.pod)
        end
    end
    table.move(nodes, 1, #nodes, #self.nodes + 1, self.nodes)
end

--- When genesis was, and how long slots are, a node of others says itself.
function Joined:read_time(plan)
    local stack, node = self.attached, plan.nodes[1]
    if not plan.slots then
        stack.genesis_time_ms = task.wall_ms() // 1
        return
    end
    local url = node_specs.url(self:seen(node), self.addresses[node.index][node.kind.api_port or "http"]) .. "/time/info"
    local ok, answer = pcall(http.request, { url = url, timeout = 10, who = node.name })
    local said = ok and answer.status == 200 and json.decode(answer.body) or nil
    if type(said) ~= "table" or math.type(said.genesis_time_unix_ms) ~= "integer" or math.type(said.slot_duration_ms) ~= "integer" then
        local why = not ok and answer.message or ("HTTP %d: %s"):format(answer.status, answer.body:sub(1, 200))
        error(errors.new("not_ready", "--attach %s: the pod %s does not say when its genesis was (GET /time/info; nodes of June 2026 and "
            .. "later do): %s", stack.project, self.own[node.name].pod, why), 0)
    elseif said.slot_duration_ms ~= plan.slot_ms then
        errors.usage("--attach %s: its slots are of %d ms, and those of the scenario of %d ms: CONSENSUS_SLOT_TIME=%g", stack.project,
            said.slot_duration_ms, plan.slot_ms, said.slot_duration_ms / 1000)
    end
    stack.genesis_time_ms = said.genesis_time_unix_ms
end

--- Of a chain of others nobody here can say it.
function Joined:genesis_id()
    if self.attached.others then return false end
    return Local.genesis_id(self)
end

-- ---- verbs

local function refuse_changes(node, options)
    for _, name in ipairs { "args", "config", "wipe" } do
        if options and options[name] then
            errors.usage("%s: %s: a node that is attached to keeps its arguments, files and disk", node.name, name)
        end
    end
end

function Joined:start(node, options)
    refuse_changes(node, options)
    if not self.attached.others or node.kind.await then return Local.start(self, node, options) end
    local site, dialect = self:seen(node), node.kind.dialect
    local port = site.ports[node.kind.api_port or "http"]
    local spec = {
        name = node.name, argv = self.attached.nodes[node.name].command, env = {}, files = {}, ports = { http = port }, dialect = dialect,
        url = node_specs.url(site, port), ready = { path = "/cryptarchia/info", peers = math.min(1, #self.plan.nodes - 1) },
        stop_signal = "TERM", cwd = site.cwd, log = site.log,
    }
    self.core:add(spec)
    self.specs[node.name], self.log_from[node.name] = spec, 0
    self:launch(node, spec)
end

function Joined:restart(node, options)
    refuse_changes(node, options)
    Local.restart(self, node, options)
end

--- Is it what this scenario would have made? Raises usage.
local function check_same(self, node, spec)
    local there, file = self.attached.nodes[node.name], spec.files["deployment.yaml"]
    if table.concat(there.command, "\0") ~= table.concat(spec.argv, "\0") then
        errors.usage("%s: a node that is attached to keeps its arguments; it was made with: %s", node.name,
            table.concat(there.command, " "))
    elseif file and file.content ~= there.files["deployment.yaml"] then
        errors.usage("--attach %s: %s has another deployment.yaml than this scenario gives its nodes: its topology, wallets or kind differ",
            self.attached.project, node.name)
    end
end

--- Says what happened to a node while nobody looked.
local function tell_of_ends(self, own)
    local restarts = own.before and own.before.count or 0
    if own.replicas ~= 0 and restarts == 0 then return end
    self.say(own.replicas == 0 and ("%s was stopped, started again"):format(own.name)
        or ("%s has ended %d time%s before, and the cluster started it again"):format(own.name, restarts, restarts == 1 and "" or "s"))
    self.event("node_was_exited", { node = own.name, restarts = restarts })
end

function Joined:launch(node, spec)
    local own, others = self.own[node.name], self.attached.others
    self.core:lay_out(node.name)
    if own.taken then
        own.trouble, own.failing, own.warning, own.why = nil, nil, nil, nil
        if not others then own.running, own.spent = nil, own.uid or own.spent end
    elseif others then
        self.say(("%s is the pod %s"):format(own.name, own.pod))
        self.event("node_attached", { node = own.name, pod = own.pod })
    else
        check_same(self, node, spec)
        own.signal = spec.stop_signal or "TERM"
    end
    if not own.taken then tell_of_ends(self, own) end
    if not others and own.replicas == 0 then self:scale(own, 1) end
    own.taken = true
    self:begun(own, spec)
end

--- How many pods are wanted of nodes of others is theirs to say.
function Joined:scale(own, replicas)
    if not self.attached.others then K8s.scale(self, own, replicas) end
end

--- Ends a node of others by deleting its pod, which its StatefulSet makes again.
function Joined:stop(name, options)
    if not self.attached.others then return K8s.stop(self, name, options) end
    local own = self.own[name]
    self.core:mark(name, "stopping")
    own.spent, own.running = own.uid, nil
    self.cluster:ask("DELETE", self.cluster:path("pods", own.pod), { body = {
        apiVersion = "v1", kind = "DeleteOptions", preconditions = { uid = own.uid },
        gracePeriodSeconds = options and options.how == "kill" and 0 or nil,
    } })
    local deadline = task.now() + GONE_SECONDS
    while own.up and task.now() < deadline do own.changed:wait(deadline - task.now()) end
    if not own.up then return end
    local err = errors.new("timeout", "%s: its pod %s is there still, %ds after it was deleted", name, own.pod, GONE_SECONDS)
    err.node = name
    error(err, 0)
end

--- In the node's own container.
function Joined:command(spec, program)
    local own = self.own[spec.name]
    return self.cluster:words { "exec", "-n", self.run.namespace, own.pod, "-c", own.container, "--", program or spec.argv[1] }
end

--- Lets go of the nodes, which stay.
function Joined:cleanup()
    K8s.cleanup(self)
    if next(self.own) then self.say(("the nodes stay; %s"):format(k8s.how_to_attach(self.attached.namespace, self.attached.project))) end
end

return M
