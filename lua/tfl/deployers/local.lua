--- The local deployer: nodes are processes of this host. The C deployer (tfl.core.local) does the work; here a plan's
--- nodes become node_specs.
local core = require "tfl.core.local"
local client = require "tfl.core.client"
local errors = require "tfl.errors"
local links = require "tfl.core.links"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"

local Local = {}
Local.__index = Local

local M = {
    name = "local",
    hop_ms = 10, -- worst way of a block over one link of this host, for Δ
    genesis_delay_ms = function(n) return 1000 + 10 * n end, -- JUDGING, Time
    capabilities = {
        start = true, stop = true, restart = true, kill = true, pause = true, resume = true, logs = true,
        partition = true, isolate = true, link = true, start_node = true, snapshot = true,
    },
}

---@param options table {run_id, dir}
---@return table deployer
function M.new(options)
    return setmetatable({
        core = core.new { run_id = options.run_id, dir = options.dir }, dir = options.dir, specs = {}, addresses = {},
        names = {}, own = {}, relays = {},
    }, Local)
end

function Local:genesis_delay_ms(n) return M.genesis_delay_ms(n) end
function Local:capabilities() return M.capabilities end

--- Reserves the addresses of all nodes.
function Local:prepare(plan)
    self.plan = plan
    if plan.links then self.links = links.new { seed = plan.seed } end
    self:add_nodes(plan.nodes)
end

--- The same for nodes that come later.
function Local:add_nodes(nodes)
    local ports = self.core:reserve(2 * #nodes)
    for i, node in ipairs(nodes) do
        self.addresses[node.index], self.names[node.index] = { http = ports[2 * i - 1], p2p = ports[2 * i] }, node.name
    end
end

--- The port at which one node finds another: of the relay between them when links can be faulty.
---@param from string
---@param index integer of the other
---@return integer
local function peer_port(self, from, index)
    local to = self.addresses[index]
    if not self.links then return to.p2p end
    local name = self.names[index]
    local key = from .. "/" .. name
    if not self.relays[key] then
        local port = self.core:reserve(1)[1]
        self.core:unbind(port)
        self.links:edge { from = from, to = name, listen = port, target = to.p2p }
        self.relays[key] = port
    end
    return self.relays[key]
end

--- What the node `from` dials to reach the node of that index.
---@return string address "/ip4/127.0.0.1/tcp/20040"
function Local:peer_address(from, index) return "/ip4/127.0.0.1/tcp/" .. peer_port(self, from, index) end

--- Is it an address of that node: its own, or that of a relay to it?
---@param index integer
---@param address string
function Local:is_at(index, address)
    local port = math.tointeger(tonumber(address:match "/tcp/(%d+)"))
    local found = port == self.addresses[index].p2p
    for key, relay in pairs(self.relays) do found = found or relay == port and key:match "/(.*)$" == self.names[index] end
    return port ~= nil and found
end

--- Puts a link fault in force: {rules, cut | latency, jitter, rate, loss}, see tfl.core.links. Gives its number.
function Local:link_fault(spec) return self.links:fault(spec) end
function Local:link_heal(id) return self.links:heal(id) end
function Local:link_counts(id) return self.links:counts(id) end

--- What the kind is told of one node.
local function kind_node(self, node)
    local peers, own = {}, self.own[node.name] or {}
    for i, index in ipairs(node.dials) do peers[i] = { port = peer_port(self, node.name, index) } end
    local folder = string.format("%s/nodes/%s", self.dir, node.name)
    return {
        index = node.index, name = node.name, degree = node.degree, leads = node.stake > 0, peers = peers,
        ports = self.addresses[node.index],
        dirs = { run = folder, data = folder .. "/data", log = self.dir .. "/logs" },
        keys = { node_key = node.node_key, leader_key = node.leader_key }, args = own.args, config = own.config,
    }
end

local function cluster(self)
    if not self.cluster then
        local plan = self.plan
        self.cluster = plan.kind.deployment {
            chain_id = plan.chain_id, genesis_time_ms = plan.genesis_time_ms, nonce = plan.nonce, slot_ms = plan.slot_ms,
            security_param = plan.security_param, active_slot_ratio = plan.f_ratio, stakes = plan.stakes,
            notes = plan.notes,
        }
    end
    return self.cluster
end

--- Options of a start or restart stay the node's own until others are given: args, config.
local function keep_options(self, node, options)
    local own = self.own[node.name] or {}
    self.own[node.name] = own
    for _, name in ipairs { "args", "config" } do
        if options[name] ~= nil then own[name] = options[name] end
    end
end

--- Starts a node: asks the kind how, then the C deployer. Raises spawn, wrong_state.
---@param node table
---@param options? {args: string[], config: table|function}
function Local:start(node, options)
    keep_options(self, node, options or {})
    local about = kind_node(self, node)
    local spec = self.plan.kind.spec(about, cluster(self))
    spec.name, spec.cwd = node.name, about.dirs.run
    spec.log = string.format("%s/logs/logos-blockchain-node-%d.log", self.dir, node.index)
    self.core:add(spec)
    self.specs[node.name] = spec
    self.core:start(node.name)
end

--- Ends a node that runs, and starts it again with its data, or without (wipe).
---@param node table
---@param options {wipe: boolean, args: string[], config: table|function, how: string, timeout: number}
function Local:restart(node, options)
    local name = node.name
    local state = self.core:state(name)
    if state == "running" or state == "paused" or state == "stopping" then
        self.core:stop(name, { how = options.how, timeout = options.timeout })
    end
    if options.wipe then
        local data = self:data_dir(node)
        local result = proc.exec { "rm", "-rf", "--", data }
        if result.code ~= 0 then
            error(errors.new("io", "%s: its data in %s could not be removed: %s", name, data, result.stderr), 0)
        end
    end
    self:start(node, options)
end

function Local:stop(name, options) self.core:stop(name, { how = options and options.how, timeout = options and options.timeout }) end
function Local:kill(name) self.core:kill(name) end
function Local:pause(name) self.core:pause(name) end
function Local:resume(name) self.core:resume(name) end
function Local:state(name) return self.specs[name] and self.core:state(name) or "not started" end

function Local:client(node)
    return client.new {
        name = node.name, url = "http://127.0.0.1:" .. self.addresses[node.index].http, dialect = self.plan.kind.dialect,
    }
end

--- Waits until all named nodes are ready; raises not_ready, naming the first that is not and the end of its log.
---@param names string[]
---@param seconds number for all together
---@param wanted? table<string, integer> peers that a node is to have; default: its degree
function Local:wait_ready(names, seconds, wanted)
    local degrees = {}
    for _, name in ipairs(names) do
        if not self.specs[name] then errors.usage("%s: it was never started, so it cannot become ready", name) end
        degrees[name] = wanted and wanted[name] or self.specs[name].ready.peers
    end
    self.core:wait_ready(names, { within = seconds, peers = degrees })
end

function Local:next_exit() return self.core:next_exit() end
function Local:logs(name, bytes) return self.core:logs(name, bytes) end
function Local:pid(name) return self.specs[name] and self.core:pid(name) end
function Local:alive(name) return self.specs[name] ~= nil and self.core:alive(name) end

function Local:cleanup()
    if self.links then self.links:close() end
    self.core:cleanup()
end

--- Where a node's chain lies.
function Local:data_dir(node) return kind_node(self, node).dirs.data end

--- What `tfl doctor` says of this host: rows of {name, ok, message}.
function M.doctor()
    local rows = {}
    local node = require("tfl.kinds.reference").program()
    local stat = sys.stat(node)
    local usable = stat and stat.type == "file" and stat.executable
    rows[1] = { name = "tfl-node", ok = usable and true or false,
        message = usable and node or node .. ": not an executable file; build it, or set TFL_NODE_BIN" }
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
