--- The built-in kind `logos`: the real node, logos-blockchain-node, in its form of June (JUN) or August 2026 (AUG). Keys, genesis and
--- files are made by tfl.kinds.logos_config.
local bundle = require "tfl.bundle"
local config = require "tfl.kinds.logos_config"
local env = require("tfl.env").get
local errors = require "tfl.errors"
local files = require "tfl.kinds.files"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"

local M = {
    name = "logos", dialect = "logos", slots = true, k_deep = true, ports = { "http", "p2p", "blend" }, peer_port = "p2p",
    genesis_grain_ms = 1000, -- its files tell the time of genesis in seconds
    settings_of = { "version", "program", "deployment" }, otlp = true, log_filter = true,
    capabilities = {
        link = "its nodes speak QUIC over UDP, and tfl's relays, which make link faults, carry TCP",
        replay = "its ledger needs proofs that tfl cannot check, so the chain cannot be replayed here",
    },
}

local PROGRAM = "logos-blockchain-node"
local VERSIONS = { "JUN", "AUG" }

--- Nodes run in folders of their own.
local function absolute(path) return path:sub(1, 1) == "/" and path or ("%s/%s"):format(sys.cwd(), path) end

local function is_executable(path)
    local stat = sys.stat(path)
    return stat and stat.type == "file" and stat.executable
end

---@class tfl.LogosSettings
---@field version? "JUN"|"AUG" form of the files; LOGOS_BLOCKCHAIN_NODE_VERSION when not said, else JUN
---@field program? string
---@field deployment? table merged into deployment.yaml: what a build wants beyond what tfl knows

--- Settings that tfl.kind gave, checked.
---@param settings table|nil
---@return tfl.LogosSettings
local function checked(settings)
    settings = errors.options("kind logos", settings, "version", "program", "deployment")
    local version = settings.version or env "LOGOS_BLOCKCHAIN_NODE_VERSION" or "JUN"
    if version ~= "JUN" and version ~= "AUG" then
        errors.usage("%s: there is no form %s of the files of %s%s; there are JUN and AUG",
            settings.version and "kind logos, version" or "LOGOS_BLOCKCHAIN_NODE_VERSION", errors.show(version), PROGRAM,
            suggest.hint(tostring(version), VERSIONS))
    elseif settings.deployment ~= nil and type(settings.deployment) ~= "table" then
        errors.usage("kind logos: deployment = %s: a table was expected", errors.show(settings.deployment))
    end
    return { version = version, program = settings.program, deployment = settings.deployment }
end

--- What the settings or LOGOS_BLOCKCHAIN_NODE_BIN say, or nil.
local function named_program(settings) return settings.program or env "LOGOS_BLOCKCHAIN_NODE_BIN" end

--- Path of the node: the setting, LOGOS_BLOCKCHAIN_NODE_BIN, that of the bundle, or where PATH has it.
local function program_of(settings)
    local named = named_program(settings)
    if named and not is_executable(named) then
        errors.usage("kind logos: %s is not an executable file; set LOGOS_BLOCKCHAIN_NODE_BIN to the program %s", named, PROGRAM)
    end
    named = named or bundle.program(PROGRAM)
    if named then return absolute(named) end
    for folder in (os.getenv "PATH" or ""):gmatch "[^:]+" do
        if is_executable(folder .. "/" .. PROGRAM) then return absolute(folder .. "/" .. PROGRAM) end
    end
    errors.usage("kind logos: there is no program %s on PATH; install it, or set LOGOS_BLOCKCHAIN_NODE_BIN to its path", PROGRAM)
end

--- The folder of the circuits. Those of AUG are within its program.
local function circuits()
    local folder = env "LOGOS_BLOCKCHAIN_CIRCUITS" or (os.getenv "HOME" or "") .. "/.logos-blockchain-circuits"
    local stat = sys.stat(folder)
    if not stat or stat.type ~= "folder" then
        errors.usage("kind logos: the circuits are not there: %s is not a folder; install them, or set LOGOS_BLOCKCHAIN_CIRCUITS to "
            .. "where they are", folder)
    end
    return absolute(folder)
end

local function environment(version, image)
    local out = {}
    if not os.getenv "POL_PROOF_DEV_MODE" then out.POL_PROOF_DEV_MODE = "true" end
    if version == "JUN" then
        out.LOGOS_BLOCKCHAIN_CIRCUITS = image and image.circuits or circuits()
        out.LBC_ROOT_DIR = not image and env "LBC_ROOT_DIR" or out.LOGOS_BLOCKCHAIN_CIRCUITS
    end
    return out
end

--- Where the program of its nodes is, or that there is none. Fetches nothing.
---@param settings table of the kind
---@return string
function M.where(settings)
    settings = checked(settings)
    if not named_program(settings) and env "LOGOS_BLOCKCHAIN_BINARIES_TAR" then return "that of LOGOS_BLOCKCHAIN_BINARIES_TAR" end
    local found, path = pcall(program_of, settings)
    return found and path or "none: " .. path.message
end

--- Who a node is to the others: by its own key of the network. Leaders have no key that is known beforehand.
---@param seed integer
---@param index integer
---@return {peer_id: string}
function M.identity(seed, index) return { peer_id = config.keys(seed, index).peer_id } end

--- Called on the host before its nodes get addresses: what they need is there, or it raises usage. May wait.
---@param settings table of the kind
function M.fetch(settings)
    settings = checked(settings)
    if not named_program(settings) then bundle.open() end
    program_of(settings)
    if settings.version == "JUN" then circuits() end
end

--- Refuses a plan that the real node cannot run.
---@param plan table
---@param kind table of the nodes: this one, or one made of it
function M.accept(plan, kind)
    if checked(kind.settings).version == "AUG" and plan.load and plan.load.plan.kind == "inscription" then
        errors.bad_config("transactions_with: in the form AUG every inscription pays a fee by a transfer that its node adds "
            .. "(/wallet/fund), and the load does not ask for that, as client:submit_transaction(wallet:inscription{…}) does; in the form "
            .. "JUN inscriptions are free")
    end
    local version = checked(kind.settings).version
    for _, node in ipairs(plan.nodes) do
        local other = node.kind.genesis_id == M.genesis_id and checked(node.kind.settings).version or version
        if other ~= version then
            errors.bad_config("kind logos: nodes of the forms %s (kind %s) and %s (%s, kind %s) cannot be of one cluster: the genesis "
                .. "block of each is another; give all nodes one version", version, kind.name, other, node.name, node.kind.name)
        end
    end
    if plan.slot_ms < config.MIN_SLOT_MS then
        errors.bad_config("kind logos: slots of %gs; the real node takes no less than 1s: t:slot_duration(\"1s\"), or "
            .. "CONSENSUS_SLOT_TIME=1", plan.slot_seconds)
    end
end

--- Accounts of a scenario: the wallets of the nodes that have a stake, by what each can spend.
---@param plan table
---@return {node:string, pk:string, balance:integer}[]
function M.accounts(plan)
    local list = {}
    for _, node in ipairs(plan.nodes) do
        if node.stake > 0 then
            list[#list + 1] = { node = node.name, pk = config.hex(config.keys(plan.seed, node.index).fund.pk), balance = node.stake }
        end
    end
    return list
end

--- What a transfer of 1 may cost a wallet: with the fee, where there is one (gas and size come to about half of this).
---@param plan table
---@return integer
function M.transfer_cost(plan) return checked(plan.kind.settings).version == "AUG" and 2501 or 1 end

--- Notes that the funds of each node can be in: the genesis has room for them, and each pays for a transfer.
---@param plan table
---@return integer
function M.notes_max(plan)
    local accounts = M.accounts(plan)
    return math.min(config.NOTES_MAX // #accounts - 2, accounts[1].balance // M.transfer_cost(plan))
end

--- The wish that a node makes a transfer of.
---@param from string hex key
---@param to string hex key
---@param amount integer
---@return string
function M.transfer_body(from, to, amount)
    return ('{"tip":null,"change_public_key":"%s","funding_public_keys":["%s"],"recipient_public_key":"%s","amount":%d}'):format(from,
        from, to, amount)
end

--- How inscriptions are paid for: by the wallet of the node they are handed to. nil: they are free.
---@param plan table
---@return nil|fun(account:userdata, client:table, tx:table, options:table|nil):string hash
function M.payer(plan)
    if checked(plan.kind.settings).version ~= "AUG" then return nil end
    return function(account, client, tx, options)
        for _, owner in ipairs(M.accounts(plan)) do
            if owner.node == client:name() then
                return require("tfl.kinds.logos_fee").hand_in(account, client, tx, owner.pk, options)
            end
        end
        errors.usage("client:submit_transaction: %s has no stake, so it has nothing to pay the fee of an inscription with", client:name())
    end
end

--- What logos_config is told of a cluster.
local function logos_cluster(cluster, version)
    local nodes = {}
    for i, node in ipairs(cluster.nodes) do
        nodes[i] = { index = node.index, stake = node.stake, host = node.host, blend_port = node.ports.blend }
    end
    return {
        name = cluster.chain_id, seed = cluster.seed, genesis_time = cluster.genesis_time_ms // 1000, slot_ms = cluster.slot_ms,
        security_param = cluster.security_param, active_slot_ratio = cluster.active_slot_ratio, version = version, nodes = nodes,
        funds = cluster.wallets and cluster.wallets.notes_each,
    }
end

--- The cluster as it is when the first node starts: its genesis holds the notes of all nodes.
---@param cluster tfl.KindCluster
---@return tfl.KindCluster
function M.deployment(cluster) return cluster end

--- The id of the genesis block, 64 hex digits.
---@param cluster tfl.KindCluster
---@param settings? table
---@return string
function M.genesis_id(cluster, settings)
    return config.hex(config.genesis(logos_cluster(cluster, checked(settings).version)).header_id)
end

local texts = setmetatable({}, { __mode = "k" }) -- deployment.yaml by cluster and settings: it is made once

local function deployment_text(cluster, settings)
    local made, of = texts[cluster] or {}, settings.deployment or settings.version
    texts[cluster] = made
    made[of] = made[of] or require("tfl.core.yaml").emit(config.deployment(logos_cluster(cluster, settings.version),
        settings.deployment))
    return made[of]
end

--- The node_spec of one node.
---@param node tfl.KindNode
---@param cluster tfl.KindCluster
---@return tfl.NodeSpec
function M.spec(node, cluster)
    local settings = checked(node.settings)
    local inside = node.image and (settings.program or node.image.programs .. "/" .. PROGRAM)
    local program, user = inside or program_of(settings), config.user(cluster.seed, node)
    local argv = { program, "user.yaml", "--deployment", "deployment.yaml" }
    if node.log_filter then table.move({ "--log-filter", node.log_filter }, 1, 2, #argv + 1, argv) end
    table.move(node.args or {}, 1, #(node.args or {}), #argv + 1, argv)
    return {
        argv = argv,
        env = environment(settings.version, node.image),
        files = {
            ["user.yaml"] = { content = require("tfl.core.yaml").emit(files.configured(node, user)), mode = tonumber("600", 8) },
            ["deployment.yaml"] = { content = deployment_text(cluster, settings), mode = tonumber("644", 8) },
        },
        check = { program, "user.yaml", "--deployment", "deployment.yaml", "--check-config" },
        ports = node.ports,
        ready = { path = "/cryptarchia/info", peers = node.degree or #node.peers },
        dialect = M.dialect,
        stop_signal = "INT", -- TERM kills it on the spot
    }
end

return M
