--- From a plan's nodes to node_specs: what kinds are told of a node, and what they make of it. The part of starting a node that
--- all deployers share; where a node is to live (addresses, folders), the deployer says.
local client = require "tfl.core.client"
local errors = require "tfl.errors"
local foreign = require "tfl.foreign"
local node_logs = require "tfl.node_logs"
local telemetry = require "tfl.telemetry"

local Specs = {}
Specs.__index = Specs

local M = {}

--- Where a deployer puts a node.
---@class tfl.Site
---@field host string the address it binds
---@field ports table<string, integer> by the names of its kind
---@field dirs {run:string, data:string, log:string} as the node sees them
---@field cwd string absolute: where its files are written
---@field log string absolute: where its output goes
---@field image? {programs: string, circuits: string} folders of the image it runs in; nil: the programs of this host
---@field url? fun(port: integer): string address of a port for HTTP, when it is not that of host and port
---@field gateway? string what this host is called within the image, for URLs that mean this host
---@field bootstrap_ms? integer how long peers may take to dial a node again that came back
---@field tracing? {level: string, logger: table} how it logs, as its file says it; nil: as the kind has it

--- A deployer's side.
---@class tfl.Sites
---@field plan table
---@field nodes fun(): table[] all nodes of the run so far
---@field site fun(node: table): tfl.Site
---@field reach fun(from: string, index: integer): {host: string, port: integer}|nil what the node `from` dials to reach another
---@field advertised fun(node: table): {host: string, port: integer}|nil where everybody finds a node that has one address for all

---@param sites tfl.Sites
function M.new(sites) return setmetatable({ sites = sites, own = {}, clusters = {} }, Specs) end

--- Options of a start or restart stay the node's own until others are given: args, config.
---@param node table
---@param options {args: string[]|nil, config: table|function|nil}
function Specs:keep(node, options)
    local own = self.own[node.name] or {}
    self.own[node.name] = own
    for _, name in ipairs { "args", "config" } do
        if options[name] ~= nil then own[name] = options[name] end
    end
end

--- What a kind is told of one node.
---@param node table
---@return tfl.KindNode
function Specs:about(node)
    local sites, own = self.sites, self.own[node.name] or {}
    local site, peers, logs = sites.site(node), {}, node_logs.settings()
    local by_index = {}
    for _, other in ipairs(sites.nodes()) do by_index[other.index] = other.name end
    for i, index in ipairs(node.dials) do
        local at = sites.reach(node.name, index) or {}
        peers[i] = { name = by_index[index], index = index, host = at.host, port = at.port }
    end
    return {
        index = node.index, name = node.name, degree = node.degree, leads = node.stake > 0, peers = peers, host = site.host,
        ports = site.ports, dirs = site.dirs, keys = { node_key = node.node_key, leader_key = node.leader_key },
        image = site.image, tracing = site.tracing, bootstrap_ms = site.bootstrap_ms, level = logs.level, log_filter = logs.filter,
        otlp = telemetry.otlp(sites.plan, node.name, site.gateway),
        args = own.args, config = own.config, settings = node.kind.settings or {},
    }
end

--- What all nodes of a cluster share, as a kind is told of it.
---@return tfl.KindCluster
function Specs:cluster()
    local plan, sites, nodes = self.sites.plan, self.sites, {}
    for i, node in ipairs(sites.nodes()) do
        local site, at = sites.site(node), sites.advertised(node) or {}
        nodes[i] = { name = node.name, index = node.index, ports = site.ports, stake = node.stake, host = at.host, port = at.port }
    end
    return {
        name = plan.name, run_id = plan.run_id, seed = plan.seed, chain_id = plan.chain_id, genesis_time_ms = plan.genesis_time_ms,
        nonce = plan.nonce, slot_ms = plan.slot_ms, security_param = plan.security_param, active_slot_ratio = plan.f_ratio,
        stakes = plan.stakes, notes = plan.notes, wallets = plan.wallets, nodes = nodes,
    }
end

--- What a kind's nodes share: what the kind made of the cluster once, or the cluster as it is.
function Specs:deployment(kind)
    if kind.deployment and not self.clusters[kind] then self.clusters[kind] = kind.deployment(self:cluster()) end
    return self.clusters[kind] or self:cluster()
end

--- The id of the genesis block, when the plan's kind makes a genesis of its own; else nil. Once genesis time is set.
---@return string|nil
function Specs:genesis_id()
    local kind = self.sites.plan.kind
    return kind.genesis_id and kind.genesis_id(self:deployment(kind), kind.settings)
end

--- The node_spec of a node, with where it lives. Runs the kind's functions: in a task; raises what they raise, and bad_config.
---@param node table of run.nodes, with its kind
---@return tfl.NodeSpec
function Specs:make(node)
    local kind = node.kind
    local spec = kind.spec(self:about(node), self:deployment(kind))
    local site = self.sites.site(node)
    spec.name, spec.cwd, spec.log = node.name, site.cwd, site.log
    return spec
end

--- The address of a port for HTTP.
---@param site tfl.Site
---@param port integer
---@return string
function M.url(site, port) return site.url and site.url(port) or ("http://%s:%d"):format(site.host, port) end

--- The client of a node by its kind.
---@param node table
---@param site tfl.Site
---@param url? string of its API, when others see it elsewhere than at the site
---@return table|userdata client
function M.client(node, site, url)
    local kind = node.kind
    local port = site.ports[kind.api_port or not kind.relay and "http"]
    url = port and (url or M.url(site, port))
    if kind.dialect and not kind.lua_dialect then return client.new { name = node.name, url = url, dialect = kind.dialect } end
    return foreign.client(node, url and client.new { name = node.name, url = url, dialect = "http" }, site)
end

--- The ports a kind wants for each node, by name.
---@param kind table
---@return string[]
function M.ports(kind) return kind.ports or { "http", "p2p" } end

--- A node may become one of another kind when that has the same ports: they are reserved, and others dial them.
---@param node table
---@param kind table
function M.check_change(node, kind)
    local had, wants = table.concat(M.ports(node.kind), ", "), table.concat(M.ports(kind), ", ")
    if had ~= wants then
        errors.usage("restart{kind = …}: %s has the ports {%s} as a %s, and the kind %s has {%s}; they must be the same", node.name, had,
            node.kind.name, kind.name, wants)
    elseif not node.kind.dialect ~= not kind.dialect then
        errors.usage("restart{kind = …}: the kind %s of %s %s, and the kind %s %s; both must, or none", node.kind.name, node.name,
            node.kind.dialect and "has a chain dialect" or "has none", kind.name, kind.dialect and "has one" or "has none")
    end
end

return M
