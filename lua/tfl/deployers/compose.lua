--- The compose deployer: nodes are containers of this host's Docker engine. The compose tool makes them, the Engine API does all else.
--- To the runner it is the local deployer, but that nodes live somewhere else: their ports, files, states, readiness and exits are kept
--- where those of local nodes are. A node has the same port numbers in its container as outside, its files by a bind mount, and finds
--- the others by their names. Where links can be faulty it finds the relays of tfl, which stand at the address of this host that
--- containers see: nothing of tfl has to be in an image, and one relay does for every deployer.
local attach = require "tfl.deployers.attach"
local base = require "tfl.deployers.local"
local deployers = require "tfl.deployers"
local engines = require "tfl.deployers.compose.engine"
local errors = require "tfl.errors"
local gather = require "tfl.deployers.gather"
local images = require "tfl.deployers.compose.images"
local proc = require "tfl.core.proc"
local purge = require "tfl.deployers.compose.purge"
local settings = require "tfl.deployers.compose.settings"
local stack = require "tfl.deployers.compose.stack"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local tool = require "tfl.deployers.compose.tool"
local wait = require "tfl.core.wait"

local Local = base.class
local Compose = setmetatable({}, { __index = Local })
Compose.__index = Compose
for name, method in pairs(require "tfl.deployers.compose.watch") do Compose[name] = method end

local STOP_SECONDS, CLEANUP_SECONDS, KILL_SECONDS = 10, 3, 10
local DOCTOR_SECONDS = 5 -- for one answer

local M = {
    name = "compose",
    hop_ms = 20,
    genesis_delay_ms = function(n) return 2000 + 300 * n end, -- containers come up one by one, about four in a second
    capabilities = {
        start = true, stop = true, restart = true, kill = true, pause = true, resume = true, logs = true, start_node = true,
        snapshot = true, partition = true, isolate = true, link = true,
    },
    why = { inbound = "they have one address for all who dial them, and of containers it cannot be told who does" },
    defaults = function() return settings.cluster() end,
    ready_seconds = settings.ready_seconds,
    keeps = settings.preserves, -- the folder of the run is where its containers have their files
}

---@param options table {run_id, dir, problem, say}
---@return table deployer
function M.new(options)
    local made = setmetatable(base.new(options), Compose)
    made.run_id, made.problem, made.say = options.run_id, options.problem, options.say
    made.project = "tfl-" .. options.run_id:lower():gsub("[^%w_-]", "-")
    made.own, made.tasks = {}, {}
    made.batch = gather.new(function(batch) made:make(batch) end)
    return made
end

function Compose:genesis_delay_ms(n) return M.genesis_delay_ms(n) end
function Compose:capabilities() return self.can or M.capabilities end

-- ---- where nodes live

function Compose:site(node)
    local site, there = Local.site(self, node), self.attached and self.attached.nodes[node.name]
    if there then site.cwd = there.folder end
    site.host, site.dirs = "0.0.0.0", { run = "/node", data = "/node/data", log = "/node/logs" }
    site.tracing = settings.tracing(self.cluster, node)
    site.image = { programs = "/usr/local/bin", circuits = "/opt/circuits" }
    site.gateway = #self.settings.extra_hosts > 0 and "host.docker.internal" or nil
    return site
end

function Compose:host(node, for_nodes) return for_nodes and node.name or self.settings.host end

function Compose:seen(node)
    local site = self:site(node)
    site.host = self.settings.host
    return site
end

function Compose:fetch() end -- all that a node needs is in its image

--- Looks whether everything is there, and begins to watch, before anything is made.
function Compose:prepare(plan)
    self.settings, self.cluster = settings.read(self.say), settings.cluster()
    images.name() -- what it refuses, it does so before anybody is asked
    self.engine = engines.new()
    self.engine:version()
    tool.find()
    if self.attached then return self:join(plan) end
    images.need(self.engine, images.name(), self.say)
    local id = proc.exec { "sh", "-c", 'echo "$(id -u):$(id -g)"' }
    self.user = id.stdout:match "%d+:%d+"
    self.labels = { ["tfl.run"] = self.run_id, ["tfl.state"] = proc.state_dir() }
    if not self.settings.preserve then self.ledger = proc.ledger_add(purge.undo(self.engine, self.run_id)) end
    if plan.links then self:prepare_links() end
    Local.prepare(self, plan)
    self:begin_watch("tfl.run=" .. self.run_id)
end

--- Takes over a stack that is up. Raises usage when it is not one of this plan.
function Compose:join(plan)
    self.project = self.attached.project
    attach.join(self.attached, plan)
    for _, node in ipairs(plan.nodes) do
        self.own[node.name] = { name = node.name, gone = wait.signal(), id = self.attached.nodes[node.name].id }
    end
    Local.prepare(self, plan)
    self:begin_watch(self.attached.label)
end

--- Nodes of a stack that is attached to have the ports that they have.
function Compose:add_nodes(nodes)
    if not self.attached then return Local.add_nodes(self, nodes) end
    for _, node in ipairs(nodes) do self.addresses[node.index] = self.attached.nodes[node.name].ports end
    table.move(nodes, 1, #nodes, #self.nodes + 1, self.nodes)
end

--- The address of this host on a network: the engine does not always tell it, and then it is the first of the subnet.
local function gateway(network)
    local list = type(network) == "table" and network.IPAM and network.IPAM.Config
    local config = type(list) == "table" and list[1] or {}
    local a, b, c, d = (config.Subnet or ""):match "^(%d+)%.(%d+)%.(%d+)%.(%d+)/"
    return config.Gateway or d and ("%s.%s.%s.%d"):format(a, b, c, tonumber(d) + 1) or nil
end

--- Relays listen at this host's address on Docker's own bridge, which all containers reach.
function Compose:prepare_links()
    local ok, bridge = pcall(self.engine.network, self.engine, "bridge")
    self.relay_host = ok and gateway(bridge)
    if not self.relay_host then
        error(errors.new("spawn", "link faults: Docker's network `bridge` has no address of this host, at which relays could listen (%s)",
            ok and "no subnet" or bridge.message), 0)
    end
end

-- ---- start

--- What the compose file says of a node. Peers reach each other without published ports, relays do not.
local function service_of(self, node, spec)
    local own, ports = self.own[node.name], {}
    for name, port in pairs(self.addresses[node.index]) do
        local host = name ~= (node.kind.peer_port or "p2p") and self.settings.host or self.links and "127.0.0.1"
        if host then ports[#ports + 1] = ("%s:%d:%d"):format(host, port, port) end
    end
    table.sort(ports)
    local labels, named = { ["tfl.node"] = node.name, ["tfl.links"] = self.links and "true" or nil }, {}
    for name, port in pairs(self.addresses[node.index]) do named[#named + 1] = ("%s:%d"):format(name, port) end
    table.sort(named)
    labels["tfl.ports"] = table.concat(named, " ")
    for name, value in pairs(self.labels) do labels[name] = value end
    local environment = { TFL_NODE = node.name }
    for name, value in pairs(spec.env or {}) do environment[name] = value end
    own.image = spec.image or images.name()
    return stack.service {
        service = node.name, image = own.image, program = { spec.argv[1] }, arguments = table.move(spec.argv, 2, #spec.argv, 1, {}),
        environment = environment, user = self.user, folder = spec.cwd, ports = ports, extra_hosts = self.settings.extra_hosts,
        labels = labels, stop_signal = "SIG" .. (spec.stop_signal or "TERM"),
    }
end

--- Starts the container that the node has, or has one made when it has none, or one that is not as it should be now.
function Compose:launch(node, spec)
    local own = self.own[node.name] or { name = node.name, gone = wait.signal() }
    self.own[node.name] = own
    if self.attached then return self:take(own, spec) end
    self.core:lay_out(node.name)
    local block = service_of(self, node, spec)
    own.died, own.signal = nil, spec.stop_signal or "TERM"
    local since
    if own.id and own.block == block then
        since = task.wall_ms() / 1000
        self.engine:start(own.id)
    else
        if own.id then self.engine:remove(own.id) end
        own.id, own.block = nil, block
        self.batch:add(own)
    end
    self:begun(own, spec, since)
end

--- A container runs now: it is looked after from here on.
function Compose:begun(own, spec, since)
    self.core:adopt(own.name)
    own.running = true
    own.follow = self:spawn("logs", self.follow, self, own, spec.log, since)
    if own.died then self:ended(own) return end
    own.pid = self.engine:inspect(own.id).State.Pid
end

--- The same for a node of a stack that is attached to: it runs already, or has been stopped.
function Compose:take(own, spec)
    local container = self.engine:inspect(own.id)
    local since = task.wall_ms() / 1000
    local words = table.move(container.Args, 1, #container.Args, 2, { container.Path })
    if table.concat(words, "\0") ~= table.concat(spec.argv, "\0") then
        errors.usage("%s: a container of a stack that is attached to keeps its arguments; it was made with: %s", own.name,
            table.concat(words, " "))
    end
    own.died, own.signal = nil, spec.stop_signal or "TERM"
    local file = spec.files["deployment.yaml"]
    if not own.taken and file and file.content ~= sys.read_file(spec.cwd .. "/deployment.yaml") then
        errors.usage("--attach %s: %s has another deployment.yaml than this scenario gives its nodes: its topology, wallets or kind differ",
            self.project, own.name)
    end
    if not container.State.Running and not own.taken then
        self.say(("%s was exited (%s), started again"):format(own.name, container.State.ExitCode))
        self.event("node_was_exited", { node = own.name, code = container.State.ExitCode })
    end
    own.taken = true
    if not container.State.Running then
        self.core:lay_out(own.name)
        self.engine:start(own.id)
    elseif container.State.Paused then
        self.engine:unpause(own.id)
    end
    self:begun(own, spec, since)
end

--- Renders the file with all nodes there have been, and has those of the batch made.
function Compose:make(batch)
    local blocks, names = {}, {}
    for _, node in ipairs(self.nodes) do
        local own = self.own[node.name]
        if own then blocks[#blocks + 1] = own.block end
    end
    for i, own in ipairs(batch) do
        names[i] = own.name
        if own.image ~= images.name() then images.need(self.engine, own.image, self.say) end
    end
    local file = self.dir .. "/docker-compose.yml"
    sys.write_file(file, stack.file(blocks, self.labels), true)
    local ok, err = pcall(tool.up, self.project, file, names, self.dir .. "/logs/compose.log", self.engine.host)
    if not ok then
        if type(err) == "table" and err.message:find("annot assign requested address", 1, true) then
            err.message = ("COMPOSE_RUNNER_HOST=%s is no address of this host: %s"):format(self.settings.host, err.message)
        end
        error(err, 0)
    end
    for _, row in ipairs(self.engine:containers("tfl.run=" .. self.run_id)) do
        local own = self.own[row.Labels["tfl.node"]]
        if own then own.id = row.Id end
    end
    for _, own in ipairs(batch) do
        if not own.id then
            error(errors.new("spawn", "%s: the compose tool made no container for it; see %s/logs/compose.log", own.name, self.dir), 0)
        end
    end
end

--- In a container of its own, like the node's, but without a network.
function Compose:command(spec, program)
    local words = { "docker", "-H", self.engine.host, "run", "--rm", "--network=none", "--user=" .. self.user, "--read-only",
        "--cap-drop=ALL", "--security-opt=no-new-privileges", "--workdir=/node", ("--volume=%s:/node"):format(spec.cwd) }
    for label, value in pairs(self.labels) do words[#words + 1] = ("--label=%s=%s"):format(label, value) end
    for key, value in pairs(spec.env or {}) do words[#words + 1] = ("--env=%s=%s"):format(key, value) end
    table.move({ "--entrypoint=" .. (program or spec.argv[1]), spec.image or images.name() }, 1, 2, #words + 1, words)
    return words
end

-- ---- stop

local function wait_gone(own, seconds)
    local deadline = task.now() + seconds
    while own.running and task.now() < deadline do own.gone:wait(deadline - task.now()) end
    return not own.running
end

--- Ends a node: its signal, and SIGKILL when that did not do within the time.
function Compose:stop(name, options)
    local own, how = self.own[name], options and options.how or "graceful"
    if own.running and self:state(name) == "paused" then self:resume(name) end
    self.core:mark(name, "stopping")
    if how ~= "kill" then
        self.engine:kill(own.id, how == "graceful" and own.signal or how)
        if wait_gone(own, options and options.timeout or STOP_SECONDS) then return end
    end
    self.engine:kill(own.id, "KILL")
    if wait_gone(own, KILL_SECONDS) then return end
    local err = errors.new("timeout", "%s: its container is there still, %ds after SIGKILL", name, KILL_SECONDS)
    err.node = name
    error(err, 0)
end

function Compose:kill(name) self:stop(name, { how = "kill" }) end

local function switch(verb, call, to, back)
    return function(self, name)
        self.core:mark(name, to)
        local ok, err = pcall(self.engine[call], self.engine, self.own[name].id)
        if ok then return end
        self.core:mark(name, back)
        if type(err) == "table" then err.message, err.node = ("%s: cannot %s it: %s"):format(name, verb, err.message), name end
        error(err, 0)
    end
end
Compose.pause = switch("pause", "pause", "paused", "running")
Compose.resume = switch("resume", "unpause", "running", "paused")

--- The pid of the container's program, as this host knows it.
function Compose:pid(name)
    local own = self.own[name]
    return own and own.running and own.pid or nil
end

-- ---- the end

--- Ends all nodes at once, then takes away what the run has made; with COMPOSE_RUNNER_PRESERVE all stays as it is.
function Compose:cleanup()
    self.closing = true
    self.batch:cancel()
    local tasks, first = {}, nil
    local preserve = self.attached or self.settings and self.settings.preserve
    for name, own in pairs(self.own) do
        if own.running and not preserve and not self.lost then
            tasks[#tasks + 1] = task.spawn("stop", self.stop, self, name, { timeout = CLEANUP_SECONDS })
        end
    end
    for _, one in ipairs(tasks) do one:wait() end
    if self.ledger and not self.lost then -- what a lost engine still has stays in the ledger
        local ok, err = pcall(purge.run, self.engine, "tfl.run=" .. self.run_id)
        if ok then
            proc.ledger_done(self.ledger)
        else
            first = err
            if type(err) == "table" then err.message = err.message .. "; what is left, `tfl clean` removes once the engine answers" end
        end
    elseif preserve and not self.lost and next(self.own) then
        self.say(("the stack stays: -d compose --attach %s drives it, `tfl clean` removes it"):format(self.project))
    end
    self:end_watch()
    self:let_go()
    Local.cleanup(self)
    if first then error(first, 0) end
end

--- What `tfl doctor` says of Docker: rows of {name, ok, message}.
function M.doctor()
    local row = deployers.doctor_row
    local engine
    local rows = {
        row("engine", function()
            engine = engines.new()
            engine.seconds = DOCTOR_SECONDS
            return ("%s at %s"):format(engine:version().Version, engine.host)
        end),
        row("tool", tool.version),
    }
    if not rows[1].ok then return rows end -- it would not answer the next question either
    rows[3] = row("image", function()
        return engine:image(images.name()) and images.name() or images.name() .. ": not made yet, the first run makes it"
    end)
    return rows
end

return M
