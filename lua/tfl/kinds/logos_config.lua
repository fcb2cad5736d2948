--- Keys, genesis and files of the real node, logos-blockchain-node, in the forms of June (JUN) and August 2026 (AUG): everything
-- follows from the seed, the node's index and what the cluster fixes. Bytes are raw strings in here and hex in the files.
local errors = require "tfl.errors"
local files = require "tfl.kinds.files"

local merge, ordered = files.merge, files.ordered

local M = {}

-- The notes of a node: stake, funds, and one for blend, in this order. All of them take part in the lottery, so the funds are as much as
-- the stake: shares of the whole stay those of the stakes.
M.STAKE, M.BLEND = 100000, 1
M.NOTES_MAX = 255 -- of the genesis transfer
local ZERO = ("\0"):rep(32)

--- Bytes as hex digits.
---@param bytes string
---@return string
function M.hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end
local hex = M.hex

---@class tfl.LogosKeys raw strings of 32 bytes; sk and pk are field elements, little-endian
---@field node {seed:string, pub:string} Ed25519
---@field blend {seed:string, pub:string} Ed25519
---@field peer_id string
---@field stake {sk:string, pk:string}
---@field fund {sk:string, pk:string}
---@field blend_zk {sk:string, pk:string}

--- All keys of a node.
---@param seed integer
---@param index integer
---@return tfl.LogosKeys
function M.keys(seed, index)
    local core = require "tfl.core.keys"
    local function ed25519(name)
        local bytes = core.derive(seed, ("logos/%d/%s"):format(index, name))
        return { seed = bytes, pub = core.ed25519_public(bytes) }
    end
    local function zk(name)
        local sk = core.field(core.derive(seed, ("logos/%d/%s"):format(index, name)))
        return { sk = sk, pk = core.zk_public(sk) }
    end
    local node = ed25519 "node"
    return {
        node = node, peer_id = core.peer_id(node.pub), blend = ed25519 "blend",
        stake = zk "stake", fund = zk "fund", blend_zk = zk "blend-zk",
    }
end

--- "/ip4/127.0.0.1/udp/3000/quic-v1" and its binary form.
---@param host string
---@param port integer
---@return string text, string bytes
function M.multiaddr(host, port)
    local a, b, c, d = host:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$"
    a, b, c, d = tonumber(a), tonumber(b), tonumber(c), tonumber(d)
    if not a or math.max(a, b, c, d) > 255 then
        errors.bad_config("kind logos: %s is no IPv4 address; this kind writes no others", errors.show(host))
    end
    return ("/ip4/%s/udp/%d/quic-v1"):format(host, port),
        "\4" .. string.char(a, b, c, d) .. "\x91\x02" .. string.pack(">I2", port) .. "\xcd\x03"
end

---@class tfl.LogosCluster
---@field name string of the protocols and the chain
---@field seed integer
---@field genesis_time integer seconds since 1970
---@field slot_ms integer
---@field security_param integer
---@field active_slot_ratio {numerator:integer, denominator:integer}
---@field version "JUN"|"AUG"
---@field funds? integer notes that the funds of a node are in (1)
---@field nodes {index:integer, host?:string, blend_port:integer, stake?:integer}[] one without stake has no notes

--- {value, key} of each note of a node.
local function notes_of(keys, stake, funds)
    local list = { { stake, keys.stake } }
    for i = 1, funds do list[i + 1] = { stake // funds + (i <= stake % funds and 1 or 0), keys.fund } end
    list[#list + 1] = { M.BLEND, keys.blend_zk }
    return list
end

--- The genesis transaction and block.
---@param cluster tfl.LogosCluster
---@return {ops:table[], tx_hash:string, note_ids:string[], locked_note_id:string, header_id:string, root:string} root: of the body
function M.genesis(cluster)
    local core = require "tfl.core.keys"
    local notes, outputs, first, locked = {}, {}, nil, nil
    for _, node in ipairs(cluster.nodes) do
        local keys, stake = M.keys(cluster.seed, node.index), node.stake or M.STAKE
        first = first or stake > 0 and node
        for _, note in ipairs(stake > 0 and notes_of(keys, stake, cluster.funds or 1) or {}) do
            notes[#notes + 1] = string.pack("<I8", note[1]) .. note[2].pk
            outputs[#outputs + 1] = ordered({ value = note[1], pk = hex(note[2].pk) }, "value", "pk")
        end
        locked = locked or first and #notes
    end
    if not first then errors.bad_config("kind logos: no node has a stake, so nobody could lead") end
    if #notes > M.NOTES_MAX then
        errors.bad_config("kind logos: %d nodes; the genesis transfer has room for the notes of 85", #cluster.nodes)
    end
    local transfer = "\0" .. string.char(#notes) .. table.concat(notes)
    local transfer_id, ids = core.hash("OPERATION_ID_V1", transfer), {}
    for i, note in ipairs(notes) do
        ids[i] = core.zk_note_id(transfer_id, i - 1, string.unpack("<I8", note), note:sub(9))
    end
    local nonce = core.field(core.derive(cluster.seed, "logos/nonce"))
    local aug = cluster.version == "AUG"
    local stone = string.pack(aug and "<s1I4" or "<s8I8", cluster.name, cluster.genesis_time) .. nonce
    local inscribe = ZERO .. string.pack("<s4", stone) .. ZERO .. ZERO
    local keys = M.keys(cluster.seed, first.index)
    local locator, locator_bytes = M.multiaddr(first.host or "127.0.0.1", first.blend_port)
    local declare = "\0\1" .. string.pack("<s2", locator_bytes) .. keys.blend.pub .. keys.blend_zk.pk .. ids[locked]
    local tx_hash = core.hash("MANTLE_TXHASH_V1", "\3\0" .. transfer .. "\17" .. inscribe .. "\32" .. declare)
    local root = aug and core.hash("BODY_ROOT_V1", "\0" .. tx_hash) or tx_hash -- no uncles, one transaction
    return {
        tx_hash = tx_hash, root = root, note_ids = ids, locked_note_id = ids[locked],
        header_id = core.hash("BLOCK_ID_V1", "\1" .. ZERO .. ("\0"):rep(8) .. root .. ("\0"):rep(32 + 32 + 128 + 32)),
        ops = {
            ordered({ opcode = 0, payload = ordered({ inputs = {}, outputs = outputs }, "inputs", "outputs") },
                "opcode", "payload"),
            ordered({ opcode = 17, payload = ordered({ channel_id = hex(ZERO), inscription = hex(stone), parent = hex(ZERO),
                signer = hex(ZERO) }, "channel_id", "inscription", "parent", "signer") }, "opcode", "payload"),
            ordered({ opcode = 32, payload = ordered({ service_type = "BN", locators = { locator },
                provider_id = hex(keys.blend.pub), zk_id = hex(keys.blend_zk.pk), locked_note_id = hex(ids[locked]) },
                "service_type", "locators", "provider_id", "zk_id", "locked_note_id") }, "opcode", "payload"),
        },
    }
end

local function genesis_block(cluster, tagged)
    local genesis, zero, aug = M.genesis(cluster), hex(ZERO), cluster.version == "AUG"
    local root = aug and "body_root" or "block_root"
    local zk_sig = { pi_a = zero, pi_b = zero:rep(2), pi_c = zero }
    return ordered({
        header = ordered({ version = "Bedrock", parent_block = zero, slot = 0, [root] = hex(genesis.root),
            proof_of_leadership = ordered({ proof = zero:rep(4), entropy_contribution = zero, leader_key = zero,
                voucher_cm = zero }, "proof", "entropy_contribution", "leader_key", "voucher_cm") },
            "version", "parent_block", "slot", root, "proof_of_leadership"),
        uncle_headers = aug and {} or nil,
        signature = zero:rep(2),
        transactions = { ordered({ mantle_tx = { ops = genesis.ops }, ops_proofs = {
            tagged("!ZkSig", zk_sig), tagged("!Ed25519Sig", zero:rep(2)),
            tagged("!ZkAndEd25519Sigs", ordered({ zk_sig = zk_sig, ed25519_sig = zero:rep(2) }, "zk_sig", "ed25519_sig")),
        } }, "mantle_tx", "ops_proofs") },
    }, "header", "uncle_headers", "signature", "transactions")
end

M.MIN_SLOT_MS = 1000

--- deployment.yaml, the same on all nodes, as a table for core.yaml.emit. Of AUG, what is known: the values of its keys pow_config and
-- uncle_reference_window_in_block are not, so they are left out, and `more` is where they come from.
---@param cluster tfl.LogosCluster
---@param more? table merged over it
---@return table
function M.deployment(cluster, more)
    local yaml = require "tfl.core.yaml"
    if cluster.slot_ms < M.MIN_SLOT_MS then
        errors.bad_config("kind logos: slots of %d ms; the real node takes no less than 1 s", cluster.slot_ms)
    end
    local service = { inactivity_period = 1, epoch = 0 }
    if cluster.version ~= "AUG" then service.lock_period, service.retention_period = 10, 1 end
    local name, ratio = "/" .. cluster.name, cluster.active_slot_ratio
    return merge({
        blend = {
            common = { num_blend_layers = 1, minimum_network_size = 30, protocol_name = name .. "/blend/1.0.0",
                data_replication_factor = 0 },
            core = {
                scheduler = { cover = { message_frequency_per_round = 1.0 },
                    delayer = { maximum_release_delay_in_rounds = 1 } },
                minimum_messages_coefficient = 1, normalization_constant = 1.03, activity_threshold_sensitivity = 1,
            },
        },
        network = { kademlia_protocol_name = name .. "/kad/1.0.0", identify_protocol_name = name .. "/identify/1.0.0",
            chain_sync_protocol_name = name .. "/chainsync/1.0.0" },
        cryptarchia = {
            epoch_config = { epoch_stake_distribution_stabilization = 3, epoch_period_nonce_buffer = 3,
                epoch_period_nonce_stabilization = 4 },
            security_param = cluster.security_param,
            slot_activation_coeff = ordered({ numerator = ratio.numerator, denominator = ratio.denominator },
                "numerator", "denominator"),
            learning_rate = 0.1,
            sdp_config = {
                service_params = { BN = service },
                min_stake = { threshold = 1, timestamp = 0 },
            },
            gossipsub_protocol = name .. "/cryptarchia/1.0.0",
            genesis_block = genesis_block(cluster, yaml.tagged),
        },
        time = { slot_duration = files.duration(cluster.slot_ms) },
        mempool = { pubsub_topic = name .. "/mempool/1.0.0" },
    }, more or {})
end

---@class tfl.LogosNode
---@field index integer
---@field name string
---@field host? string
---@field ports {p2p:integer, blend:integer, http:integer} p2p and blend are of UDP
---@field dirs {data:string, log:string}
---@field peers {host?:string, port:integer}[] whom it dials
---@field level? string
---@field otlp? {endpoint:string, service_name:string, protocol:string}

--- user.yaml of one node, as a table for core.yaml.emit. It holds secrets: write it for its owner alone.
---@param seed integer
---@param node tfl.LogosNode
---@return table
function M.user(seed, node)
    local yaml = require "tfl.core.yaml"
    local keys, host, peers = M.keys(seed, node.index), node.host or "127.0.0.1", {}
    for i, peer in ipairs(node.peers) do peers[i] = (M.multiaddr(peer.host or "127.0.0.1", peer.port)) end
    local stake, fund, blend = hex(keys.stake.pk), hex(keys.fund.pk), hex(keys.blend_zk.pk)
    return {
        network = { backend = {
            swarm = { host = host, port = node.ports.p2p, node_key = hex(keys.node.seed) }, initial_peers = peers,
        } },
        blend = {
            non_ephemeral_signing_key_id = hex(keys.blend.pub),
            core = { backend = { listening_address = (M.multiaddr(host, node.ports.blend)) },
                zk = { secret_key_kms_id = blend } },
        },
        cryptarchia = { service = { bootstrap = { prolonged_bootstrap_period = "1.000000000" } },
            leader = { wallet = { funding_pk = fund } } },
        sdp = { wallet = { funding_pk = fund } },
        api = { backend = { listen_address = ("%s:%d"):format(host, node.ports.http) } },
        kms = { backend = { keys = {
            [hex(keys.blend.pub)] = yaml.tagged("!Ed25519", hex(keys.blend.seed)), [stake] = yaml.tagged("!Zk", hex(keys.stake.sk)),
            [fund] = yaml.tagged("!Zk", hex(keys.fund.sk)), [blend] = yaml.tagged("!Zk", hex(keys.blend_zk.sk)),
        } } },
        wallet = { known_keys = { [stake] = stake, [fund] = fund, [blend] = blend }, voucher_master_key_id = stake },
        tracing = { logger = { file = { directory = node.dirs.log, prefix = node.name .. ".log", appender_type = "Simple" },
            stdout = true, stderr = false }, level = node.level or "INFO", metrics = node.otlp and yaml.tagged("!Otlp", node.otlp) },
        state = { base_folder = node.dirs.data },
    }
end

return M
