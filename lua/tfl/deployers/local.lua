--- The local deployer: nodes are processes of this host. The C deployer (tfl.core.local) does the work; here a plan's
--- nodes become node_specs.
local core = require "tfl.core.local"
local errors = require "tfl.errors"
local links = require "tfl.core.links"
local node_specs = require "tfl.node_specs"
local proc = require "tfl.core.proc"
local readiness = require "tfl.readiness"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"

local Local = {}
Local.__index = Local

local HOST = "127.0.0.1"
local CHECK_SECONDS = 30 -- for a program to read its files and say that it can

local M = {
    name = "local",
    hop_ms = 10, -- worst way of a block over one link of this host, for Δ
    genesis_delay_ms = function(n) return 1000 + 10 * n end, -- JUDGING, Time
    capabilities = {
        start = true, stop = true, restart = true, kill = true, pause = true, resume = true, logs = true,
        partition = true, isolate = true, link = true, inbound = true, start_node = true, snapshot = true,
    },
}

M.class = Local -- of which a deployer of the user's is one (tfl.deployers.custom)

---@param options table {run_id, dir, event = fn(type, fields) of the record}
---@return table deployer
function M.new(options)
    return setmetatable({
        core = core.new { run_id = options.run_id, dir = options.dir }, dir = options.dir, specs = {}, addresses = {},
        nodes = {}, relays = {}, inbound = {}, event = options.event, log_from = {},
    }, Local)
end

--- Where a node lives.
---@return tfl.Site
function Local:site(node)
    local folder = string.format("%s/nodes/%s", self.dir, node.name)
    return {
        host = self:host(node), ports = self.addresses[node.index], cwd = folder,
        dirs = { run = folder, data = folder .. "/data", log = self.dir .. "/logs" },
        log = string.format("%s/logs/logos-blockchain-node-%d.log", self.dir, node.index),
    }
end

--- The port at which a node listens for others.
local function own_port(self, index)
    local node = self.nodes[index + 1]
    return self.addresses[index][node.kind.peer_port or "p2p"]
end

--- The port at which one node finds another: of the relay between them when links can be faulty.
---@param from string
---@param index integer of the other
---@return {host: string, port: integer}
function Local:peer_at(from, index)
    local port, node = own_port(self, index), self.nodes[index + 1]
    local name = node.name
    if self.inbound[name] then return { host = HOST, port = self.inbound[name] } end
    if not self.links or not port then return { host = self:host(node, true), port = port } end
    local key = from .. "/" .. name
    if not self.relays[key] then
        local listen = self:relay_port()
        self.links:edge { from = from, to = name, listen = listen, host = self:target_host(node), target = port }
        self.relays[key] = listen
    end
    return { host = self.relay_host or HOST, port = self.relays[key] }
end

--- The address of a node: that tfl finds it at, or the one the other nodes do.
---@param _ table node
---@param _for_nodes? boolean
function Local:host(_, _for_nodes) return HOST end

function Local:genesis_delay_ms(n) return M.genesis_delay_ms(n) end
function Local:capabilities() return M.capabilities end

function Local:make_links(plan) self.links = links.new { seed = plan.seed, host = self.relay_host } end

--- A port at which a relay can listen.
function Local:relay_port()
    local port = self.core:reserve(1)[1]
    self.core:unbind(port)
    return port
end

--- The literal address of a node, as its relays find it; nil: 127.0.0.1.
---@param _ table node
function Local:target_host(_) end

--- Nodes that have one address for all who dial them get one relay, which finds out who does.
local function add_inbound(self, nodes)
    for _, node in ipairs(nodes) do
        local port = node.kind.relay == "inbound" and own_port(self, node.index)
        if port then
            local listen = self:relay_port()
            self.links:inbound { to = node.name, listen = listen, target = port }
            self.inbound[node.name] = listen
        end
    end
end

--- Reserves the addresses of all nodes.
function Local:prepare(plan)
    self.plan = plan
    if plan.links then self:make_links(plan) end
    self.kinds = node_specs.new {
        plan = plan, nodes = function() return self.nodes end, site = function(node) return self:site(node) end,
        reach = function(from, index) return self:peer_at(from, index) end,
        advertised = function(node)
            local relay = self.inbound[node.name]
            return { host = relay and HOST or self:host(node, true), port = relay or own_port(self, node.index) }
        end,
    }
    self:add_nodes(plan.nodes)
end

--- What a node of its kind needs is there afterwards.
function Local:fetch(node)
    if node.kind.fetch then node.kind.fetch(node.kind.settings or {}) end
end

--- The same for nodes that come later.
function Local:add_nodes(nodes)
    local n = 0
    for _, node in ipairs(nodes) do
        self:fetch(node)
        n = n + #node_specs.ports(node.kind)
    end
    local ports = self.core:reserve(n)
    for i = #nodes, 1, -1 do
        local node, own = nodes[i], {}
        for _, name in ipairs(node_specs.ports(node.kind)) do own[name] = table.remove(ports) end
        self.addresses[node.index] = own
    end
    table.move(nodes, 1, #nodes, #self.nodes + 1, self.nodes)
    if self.links then add_inbound(self, nodes) end
end

--- The genesis that the nodes are given, when their kind makes one of its own.
---@return string|false|nil id false: nobody here knows it
function Local:genesis_id() return self.kinds:genesis_id() end

--- What the node `from` dials to reach the node of that index.
---@return string address "/ip4/127.0.0.1/tcp/20040"
function Local:peer_address(from, index)
    local at = self:peer_at(from, index)
    return ("/%s/%s/tcp/%d"):format(at.host:match "^[%d%.]+$" and "ip4" or "dns4", at.host, at.port)
end

--- Is it an address of that node: its own, or that of a relay to it?
---@param index integer
---@param address string
function Local:is_at(index, address)
    local port, node = math.tointeger(tonumber(address:match "/tcp/(%d+)")), self.nodes[index + 1]
    local host, name = self:host(node, true), node.name
    local found = port == own_port(self, index) and (host == HOST or address:find("/" .. host .. "/", 1, true) ~= nil)
        or port == self.inbound[name]
    for key, relay in pairs(self.relays) do found = found or relay == port and key:match "/(.*)$" == name end
    return port ~= nil and found
end

--- Puts a link fault in force: {rules, cut | latency, jitter, rate, loss}, see tfl.core.links. Gives its number.
function Local:link_fault(spec) return self.links:fault(spec) end
function Local:link_heal(id) return self.links:heal(id) end
function Local:link_counts(id) return self.links:counts(id) end
--- Relays that are not of this process are asked whether they are there, and whether they have stood still. Raises when they are gone.
function Local:link_look() end

--- What tfl.exec takes to run a program as the node's own is run, in its folder; arguments come after it.
---@param spec tfl.NodeSpec
---@param program? string default: the node's own
---@return table
function Local:command(spec, program) return { program or spec.argv[1], cwd = spec.cwd, env = spec.env } end

--- Runs the program's own check of its files before it is started.
function Local:check(node, spec)
    self.core:write(node.name)
    local command = self:command(spec, spec.check[1])
    table.move(spec.check, 2, #spec.check, #command + 1, command)
    command.timeout = CHECK_SECONDS
    local result = proc.exec(command)
    if result.code ~= 0 then
        local said = (result.stderr .. result.stdout):sub(-600)
        local err = errors.new("bad_config", "%s: %s refuses its configuration (%s): %s", node.name, spec.check[1],
            result.signal and "signal " .. tostring(result.signal) or "exit code " .. tostring(result.code),
            #said > 0 and said or "it says nothing")
        err.node = node.name
        error(err, 0)
    end
end

--- Starts a node: asks the kind how, then the C deployer. Raises spawn, wrong_state, and what the kind raises.
---@param node table
---@param options? {args: string[], config: table|function}
function Local:start(node, options)
    self.kinds:keep(node, options or {})
    local spec = self.kinds:make(node)
    if spec.dialect and spec.ports.http then spec.url = spec.url or node_specs.url(self:seen(node), spec.ports.http) end
    self.core:add(spec)
    if spec.check then self:check(node, spec) end
    self.specs[node.name], self.log_from[node.name] = spec, (sys.stat(spec.log) or { size = 0 }).size
    self:launch(node, spec)
    if self.links then self.links:process(node.name, self.core:pid(node.name)) end
end

function Local:launch(node) self.core:start(node.name) end

--- Ends a node that runs, and starts it again with its data, or without (wipe).
---@param node table
---@param options {wipe: boolean, args: string[], config: table|function, how: string, timeout: number}
function Local:restart(node, options)
    local name = node.name
    local state = self.core:state(name)
    if state == "running" or state == "paused" or state == "stopping" then self:stop(name, options) end
    if options.wipe then self:wipe(node) end
    self:start(node, options)
end

--- Takes the data of a node away that does not run.
function Local:wipe(node)
    local data = self:data_dir(node)
    local result = proc.exec { "rm", "-rf", "--", data }
    if result.code ~= 0 then
        error(errors.new("io", "%s: its data in %s could not be removed: %s", node.name, data, result.stderr), 0)
    end
end

function Local:stop(name, options) self.core:stop(name, { how = options and options.how, timeout = options and options.timeout }) end
function Local:kill(name) self.core:kill(name) end
function Local:pause(name) self.core:pause(name) end
function Local:resume(name) self.core:resume(name) end
function Local:state(name) return self.specs[name] and self.core:state(name) or "not started" end

--- Where a node lives, as tfl finds it.
---@return tfl.Site
function Local:seen(node) return self:site(node) end

function Local:client(node) return node_specs.client(node, self:seen(node)) end

--- Waits until all named nodes are ready; raises not_ready, naming the first that is not and the end of its log.
---@param names string[]
---@param seconds number for all together
---@param wanted? table<string, integer> peers that a node is to have; default: its degree
function Local:wait_ready(names, seconds, wanted)
    local degrees, awaited, began = {}, {}, task.now()
    for _, name in ipairs(names) do
        local spec = self.specs[name]
        if not spec then errors.usage("%s: it was never started, so it cannot become ready", name) end
        degrees[name] = spec.ready and (wanted and wanted[name] or spec.ready.peers) or nil
    end
    self.core:wait_ready(names, { within = seconds, peers = degrees })
    for _, node in ipairs(self.nodes) do
        local spec = self.specs[node.name]
        for _, name in ipairs(spec and spec.await and names or {}) do
            if name == node.name then
                awaited[#awaited + 1] = { node = node, await = spec.await, site = self:seen(node), client = self:client(node),
                    log_from = self.log_from[name] }
            end
        end
    end
    readiness.wait(self, awaited, math.max(0, began + seconds - task.now()), function(name, took)
        self.event("node_ready", { node = name, seconds = took })
    end, seconds)
end

--- Waits until what tfl has seen of the nodes is all there was to see: when what lies between is away, until it is back. Raises connect
--- when that takes too long.
---@return number|nil moment (task.now) it was last away
function Local:wait_reachable() end

--- Waits until it is known which nodes have ended: before the run is judged.
function Local:wait_told() end

function Local:next_exit() return self.core:next_exit() end
function Local:logs(name, bytes) return self.core:logs(name, bytes) end
--- The file of a node's log, with .1 the one before it; nil when it is in no file.
function Local:log_path(name) return self.specs[name] and self.specs[name].log end
function Local:pid(name) return self.specs[name] and self.core:pid(name) end
function Local:alive(name) return self.specs[name] ~= nil and self.core:alive(name) end

--- Takes nodes that live elsewhere for stopped: nobody can tell any more.
function Local:let_go()
    for name in pairs(self.specs) do
        if self.core:alive(name) then
            pcall(self.core.mark, self.core, name, "stopping")
            pcall(self.core.mark, self.core, name, "stopped")
        end
    end
end

function Local:cleanup()
    if self.links then self.links:close() end
    self.core:cleanup()
end

--- Where a node's chain lies.
function Local:data_dir(node) return self:site(node).cwd .. "/data" end

--- What `tfl doctor` says of this host: rows of {name, ok, message}.
function M.doctor()
    local rows = {}
    local reference = require "tfl.kinds.reference"
    local found, node = pcall(function()
        reference.fetch {}
        return reference.program()
    end)
    local stat = found and sys.stat(node)
    local usable = stat and stat.type == "file" and stat.executable
    rows[1] = { name = "tfl-node", ok = usable and true or false,
        message = usable and node or not found and node.message or node .. ": not an executable file; build it, or set TFL_NODE_BIN" }
    local ok, ports = pcall(function()
        local probe = core.new { run_id = "doctor", dir = os.getenv "TMPDIR" or "/tmp" }
        local got = probe:reserve(2)
        probe:cleanup()
        return got
    end)
    rows[2] = { name = "ports", ok = ok, message = ok and "free from " .. ports[1] or ports.message }
    rows[3] = { name = "pressure", ok = true, message = sys.psi_full() and "PSI is readable" or
        "no PSI (/proc/pressure): a starved host is told by the nodes' own late slots only" }
    local writable, state = pcall(function()
        local folder = proc.state_dir()
        sys.write_file(folder .. "/.doctor", "")
        os.remove(folder .. "/.doctor")
        return folder
    end)
    rows[4] = { name = "state", ok = writable, message = writable and state or state.message .. "; set XDG_STATE_HOME" }
    return rows
end

return M
