--- The built-in kind `reference`: tfl-node, the reference node that comes with tfl (DESIGN §5). A kind turns one node of a
-- plan, with the addresses the deployer has reserved, into a node_spec: plain data that says how it is launched and spoken to.
local errors = require("tfl.errors")
local files = require("tfl.kinds.files")

local ordered = files.ordered

local reference = { name = "reference", dialect = "reference", slots = true, k_deep = true, metrics = "/metrics",
    settings_of = { "program" } }

--- A node as a kind sees it.
---@class tfl.KindNode
---@field index integer
---@field name string "node-0"
---@field dirs {run:string, data:string, log:string} the working folder, the folder of the chain, the folder of logs
---@field ports {http:integer, p2p:integer} reserved by the deployer
---@field host? string the address the node listens at (127.0.0.1)
---@field peers {name:string, index:integer, host?:string, port:integer}[] whom this node dials
---@field keys {node_key:string, leader_key:string} hex seeds
---@field bootstrap_ms? integer how long it waits, with blocks of before and nobody to dial, for a peer that dials it
---@field leads? boolean false: it has no leader key in its file
---@field tracing? {level:string, logger:table} ERROR, WARN, INFO, DEBUG or TRACE; !Stdout or !File {directory: …}
---@field level? string what LOGOS_BLOCKCHAIN_LOG_LEVEL says; wins over tracing
---@field log_filter? string what LOGOS_BLOCKCHAIN_LOG_FILTER says, in the words of the real node
---@field otlp? {endpoint:string, service_name:string, protocol:string} where it is to push its metrics
---@field program? string path of tfl-node
---@field image? {programs:string, circuits:string} folders of the image the node runs in, if it does
---@field settings table what tfl.kind{base = …} sets
---@field args? string[] more arguments
---@field config? table|fun(config:table):table|nil merged into user.yaml, or changes it

--- What all nodes of a cluster share.
---@class tfl.KindCluster
---@field chain_id string
---@field genesis_time_ms integer
---@field nonce string hex
---@field slot_ms integer
---@field security_param integer
---@field active_slot_ratio {numerator:integer, denominator:integer}
---@field stakes {key:string, stake:integer}[]
---@field notes? {value:integer, pk:string}[] the first notes of the ledger
---@field name string of the scenario
---@field run_id string
---@field seed integer
---@field nodes {name:string, index:integer, ports:table<string, integer>, stake:integer, host:string, port:integer}[] all nodes; host and
--- port: where the others find it, when it has one address for all

--- user.yaml of one node, as a table for core.yaml.emit.
---@param node tfl.KindNode
---@param tagged fun(tag:string, value:any):any
---@param null any
---@return table
function reference.user_config(node, tagged, null)
    local peers = {}
    for i, peer in ipairs(node.peers) do
        local host = peer.host or "127.0.0.1"
        peers[i] = ("/%s/%s/tcp/%d"):format(host:match("^[%d%.]+$") and "ip4" or "dns4", host, peer.port)
    end
    local host, said = node.host or "127.0.0.1", node.tracing or {}
    return ordered({
        network = {
            backend = ordered({
                swarm = ordered({ host = host, port = node.ports.p2p, node_key = node.keys.node_key }, "host", "port"),
                initial_peers = peers,
            }, "swarm", "initial_peers"),
        },
        cryptarchia = (node.bootstrap_ms or node.leads ~= false) and {
            service = node.bootstrap_ms and {
                bootstrap = { prolonged_bootstrap_period = files.duration(node.bootstrap_ms) },
            },
            leader = node.leads ~= false and { key = node.keys.leader_key } or nil,
        } or nil,
        api = { backend = { listen_address = ("%s:%d"):format(host, node.ports.http) } },
        state = { base_folder = node.dirs.data },
        tracing = { level = node.level or said.level or "INFO", logger = said.logger or tagged("!Stdout", null) },
    }, "network", "cryptarchia", "api", "state", "tracing")
end

--- deployment.yaml, the same on all nodes, as a table for core.yaml.emit.
---@param cluster tfl.KindCluster
---@return table
function reference.deployment_config(cluster)
    local stakes = {}
    for i, s in ipairs(cluster.stakes) do
        stakes[i] = ordered({ key = s.key, stake = s.stake }, "key", "stake")
    end
    local notes
    if cluster.notes and #cluster.notes > 0 then
        notes = {}
        for i, note in ipairs(cluster.notes) do
            notes[i] = ordered({ value = note.value, pk = note.pk }, "value", "pk")
        end
    end
    return ordered({
        chain_id = cluster.chain_id,
        cryptarchia = ordered({
            security_param = cluster.security_param,
            slot_activation_coeff = ordered({
                numerator = cluster.active_slot_ratio.numerator,
                denominator = cluster.active_slot_ratio.denominator,
            }, "numerator", "denominator"),
            nonce = cluster.nonce,
            genesis_time_unix_ms = cluster.genesis_time_ms,
            stakes = stakes,
            notes = notes,
        }, "security_param", "slot_activation_coeff", "nonce", "genesis_time_unix_ms", "stakes", "notes"),
        time = { slot_duration = files.duration(cluster.slot_ms) },
    }, "chain_id", "cryptarchia", "time")
end

--- What TFL_NODE_BIN says, or nil.
local function named_program()
    local named = os.getenv("TFL_NODE_BIN")
    return named ~= "" and named or nil
end

--- Called on the host before its nodes get addresses: fetches the program if need be. May wait.
---@param settings table of the kind
function reference.fetch(settings)
    if not settings.program and not named_program() then
        require("tfl.bundle").open()
    end
end

--- Path of tfl-node: TFL_NODE_BIN, else in the bundle, else beside the running tfl.
---@return string
function reference.program()
    local path = named_program() or require("tfl.bundle").program("tfl-node")
    if path then
        return path
    end
    local exe = require("tfl.core.sys").exe()
    return (exe:match("^(.*)/[^/]*$") or ".") .. "/tfl-node"
end

--- The text of deployment.yaml. Make it once for a cluster: it holds all stakes.
---@param cluster tfl.KindCluster
---@return string
function reference.deployment(cluster)
    return require("tfl.core.yaml").emit(reference.deployment_config(cluster))
end

---@class tfl.NodeSpec
---@field argv string[]
---@field env table<string, string>
---@field files table<string, {content:string, mode:integer}>
---@field ports {http:integer, p2p:integer}
---@field ready {path:string, peers:integer} ready when the path answers 200 and there are that many peers
---@field dialect string
---@field stop_signal string

--- The node_spec of one node.
---@param node tfl.KindNode
---@param cluster tfl.KindCluster|string the cluster, or the text of its deployment.yaml
---@return tfl.NodeSpec
function reference.spec(node, cluster)
    local yaml = require("tfl.core.yaml")
    for _, key in ipairs({ "node_key", "leader_key" }) do
        if not tostring(node.keys[key]):match("^" .. ("%x"):rep(64) .. "$") then
            errors.bad_config("%s: %s must be 64 hex digits", node.name, key)
        end
    end
    local program = node.settings.program or node.image and node.image.programs .. "/tfl-node" or reference.program()
    local argv = { program, "user.yaml", "--deployment", "deployment.yaml" }
    table.move(node.args or {}, 1, #(node.args or {}), #argv + 1, argv)
    return {
        argv = argv,
        env = {},
        files = {
            ["user.yaml"] = {
                content = yaml.emit(files.configured(node, reference.user_config(node, yaml.tagged, yaml.null))),
                mode = tonumber("600", 8), -- it holds the node's keys
            },
            ["deployment.yaml"] = {
                content = type(cluster) == "string" and cluster or reference.deployment(cluster),
                mode = tonumber("644", 8),
            },
        },
        ports = node.ports,
        ready = { path = "/cryptarchia/info", peers = node.degree or #node.peers },
        dialect = reference.dialect,
        stop_signal = "TERM",
    }
end

return reference
