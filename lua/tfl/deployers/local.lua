--- The local deployer: nodes are processes of this host. The C deployer (tfl.core.local) does the work; here a plan's
--- nodes become node_specs.
local core = require "tfl.core.local"
local client = require "tfl.core.client"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"

local Local = {}
Local.__index = Local

local M = {
    name = "local",
    hop_ms = 10, -- worst way of a block over one link of this host, for Δ
    genesis_delay_ms = function(n) return 1000 + 10 * n end, -- JUDGING, Time
}

---@param options table {run_id, dir}
---@return table deployer
function M.new(options)
    return setmetatable({
        core = core.new { run_id = options.run_id, dir = options.dir }, dir = options.dir, specs = {}, addresses = {},
    }, Local)
end

function Local:genesis_delay_ms(n) return M.genesis_delay_ms(n) end

--- Reserves the addresses of all nodes.
function Local:prepare(plan)
    self.plan = plan
    local ports = self.core:reserve(2 * #plan.nodes)
    for i, node in ipairs(plan.nodes) do
        self.addresses[node.index] = { http = ports[2 * i - 1], p2p = ports[2 * i] }
    end
end

--- What the kind is told of one node.
local function kind_node(self, node)
    local peers = {}
    for i, index in ipairs(node.dials) do peers[i] = { port = self.addresses[index].p2p } end
    local folder = string.format("%s/nodes/%s", self.dir, node.name)
    return {
        index = node.index, name = node.name, degree = node.degree, peers = peers, ports = self.addresses[node.index],
        dirs = { run = folder, data = folder .. "/data", log = self.dir .. "/logs" },
        keys = { node_key = node.node_key, leader_key = node.leader_key },
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

--- Starts a node: asks the kind how, then the C deployer.
function Local:start(node)
    local about = kind_node(self, node)
    local spec = self.plan.kind.spec(about, cluster(self))
    spec.name, spec.cwd = node.name, about.dirs.run
    spec.log = string.format("%s/logs/logos-blockchain-node-%d.log", self.dir, node.index)
    self.specs[node.name] = spec
    self.core:add(spec)
    self.core:start(node.name)
end

function Local:client(node)
    local spec = self.specs[node.name]
    return client.new {
        name = node.name, url = "http://127.0.0.1:" .. spec.ports.http, dialect = spec.dialect,
    }
end

--- Waits until all named nodes are ready; raises not_ready, naming the first that is not and the end of its log.
function Local:wait_ready(names, seconds)
    local degrees = {}
    for _, name in ipairs(names) do degrees[name] = self.specs[name].ready.peers end
    self.core:wait_ready(names, { within = seconds, peers = degrees })
end

function Local:next_exit() return self.core:next_exit() end
function Local:logs(name, bytes) return self.core:logs(name, bytes) end
function Local:pid(name) return self.core:pid(name) end
function Local:alive(name) return self.core:alive(name) end
function Local:cleanup() self.core:cleanup() end

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
