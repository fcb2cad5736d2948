-- The files of kind logos: the same for the same seed, another key everywhere for another node, hashes that independent code
-- (spec/support/logos_genesis.py) found in these very files.
local inside = require "spec.topology.inside"
local support = require "spec.support"

support.guard()

local MAKE = [[
    local seed, slot_ms, version = ...
    local emit = require("tfl.core.yaml").emit
    local config = require "tfl.kinds.logos_config"
    local cluster = {
        name = "tfl-spec", seed = seed, genesis_time = 1780000000, slot_ms = slot_ms or 1000, security_param = 20,
        active_slot_ratio = { numerator = 1, denominator = 5 }, nodes = {}, version = version or "JUN",
    }
    local out = { users = {} }
    for i = 0, 3 do cluster.nodes[i + 1] = { index = i, blend_port = 3400 + i } end
    for i = 0, 3 do
        local peers = {}
        for j = 0, i - 1 do peers[j + 1] = { port = 3000 + j } end
        out.users[i + 1] = emit(config.user(seed, { index = i, name = "node-" .. i, peers = peers, dirs = { data = "data", log = "log" },
            ports = { p2p = 3000 + i, blend = 3400 + i, http = 8080 + i } }))
    end
    out.deployment = emit(config.deployment(cluster))
    local genesis = config.genesis(cluster)
    local hex = config.hex
    out.tx_hash, out.header_id = hex(genesis.tx_hash), hex(genesis.header_id)
    out.locked_note_id, out.last_note_id = hex(genesis.locked_note_id), hex(genesis.note_ids[#genesis.note_ids])
    return out
]]

local made = {}
local function files(version)
    version = version or "JUN"
    made[version] = made[version] or inside(MAKE)(42, 1000, version)
    assert.is_nil(made[version].error)
    return made[version]
end

describe("the files of kind logos", function()
    it("are byte-identical for equal seeds, and others for another seed", function()
        local again, other = inside(MAKE)(42, 1000, "JUN"), inside(MAKE)(43, 1000, "JUN")
        assert.same(files(), again)
        assert.not_equal(files().deployment, other.deployment)
        for i = 1, 4 do assert.not_equal(files().users[i], other.users[i]) end
    end)

    it("have no key twice", function()
        local seen, count = {}, 0
        for i, user in ipairs(files().users) do
            local here = {}
            for key in user:gmatch(("%x"):rep(64)) do here[key] = true end
            for key in pairs(here) do
                assert.is_nil(seen[key], ("node %d and node %s share %s"):format(i, seen[key], key))
                seen[key], count = i, count + 1
            end
        end
        assert.equal(4 * 9, count) -- the seed of the network key, then secret and public of blend and of three ZK keys
    end)

    it("hold the hashes that independent code finds in them", function()
        assert.equal("6aea4102b7c894bbc0e821d68d2aeb57050f7469eb74a60fb6c598850840ebc6", files().tx_hash)
        assert.equal("bc3884b89db3ec64ba57b0e41e22c9a565c9574fc2465ffe655ab261326a41df", files().header_id)
        assert.equal("4808cbf802d3279ea0106a64794e382a3e9dce3e15184d1614269da2801a2f19", files().locked_note_id)
        assert.equal("817983e27c075a212611b7f9e90e714d9aaedca6eff05206cc0a4f26f709a92e", files().last_note_id)
        assert.truthy(files().deployment:find("block_root: '?6aea4102b7c894bbc0e821d68d2aeb57050f7469eb74a60fb6c598850840ebc6"))
        assert.truthy(files().deployment:find("locked_note_id: '?4808cbf802d3279ea0106a64794e382a3e9dce3e15184d1614269da2801a2f19"))
    end)

    it("of August have another genesis, and the keys that came and went", function()
        local june, august = files(), files "AUG"
        assert.same(june.users, august.users)
        assert.equal("fc78564093a8f1c0db0d7a7772287748b3a61895c7271959bf0470ddcfe710bd", august.tx_hash)
        assert.equal("d599a4b4606ad25f8f78e3a75fc94f0dddbf6551614eba93a5e62ba9f2897e07", august.header_id)
        assert.truthy(august.deployment:find("body_root: '?f99445fc7d6a1894ca061cd6910282d30c473e9ce86d236e6a9fd3f0813d0738"))
        for _, key in ipairs { "body_root:", "uncle_headers: []" } do
            assert.is_nil(june.deployment:find(key, 1, true))
            assert.truthy(august.deployment:find(key, 1, true), key)
        end
        for _, key in ipairs { "block_root:", "lock_period:", "retention_period:" } do
            assert.truthy(june.deployment:find(key, 1, true), key)
            assert.is_nil(august.deployment:find(key, 1, true))
        end
    end)

    it("give notes to those that have a stake, and take what a build wants beyond them", function()
        local got = inside [[
            local config = require "tfl.kinds.logos_config"
            local cluster = { name = "n", seed = 1, genesis_time = 1, slot_ms = 1000, security_param = 2, version = "AUG",
                active_slot_ratio = { numerator = 1, denominator = 2 },
                nodes = { { index = 0, stake = 0, blend_port = 1 }, { index = 1, stake = 7, blend_port = 2 } } }
            local made = config.deployment(cluster, { cryptarchia = { pow_config = { x = 1 }, security_param = 9 } }).cryptarchia
            local ops, keys = config.genesis(cluster).ops, config.keys(1, 1)
            local out = { values = {}, more = { made.pow_config.x, made.security_param, made.learning_rate } }
            for i, note in ipairs(ops[1].payload.outputs) do out.values[i] = note.value end
            out.declares = ops[3].payload.provider_id == config.hex(keys.blend.pub) and ops[3].payload.locators[1]
            cluster.nodes[2].stake = 0
            out.nobody = select(2, pcall(config.genesis, cluster)).message
            return out
        ]]()
        assert.same({ 7, 7, 1 }, got.values)
        assert.same({ 1, 9, 0.1 }, got.more)
        assert.equal("/ip4/127.0.0.1/udp/2/quic-v1", got.declares)
        assert.truthy(got.nobody:find "no node has a stake")
    end)

    it("dial by QUIC whom the node dials", function()
        assert.truthy(files().users[1]:find("initial_peers: []", 1, true))
        assert.truthy(files().users[3]:find(
            "    initial_peers:\n    - /ip4/127.0.0.1/udp/3000/quic-v1\n    - /ip4/127.0.0.1/udp/3001/quic-v1\n", 1, true))
        assert.truthy(files().users[3]:find("prolonged_bootstrap_period: '1.000000000'", 1, true))
    end)

    it("are refused for slots that the node does not take", function()
        local refused = inside(MAKE)(42, 999)
        assert.equal("bad_config", refused.code)
        assert.truthy(refused.error:find("slots of 999 ms", 1, true))
    end)

    it("are refused for hosts that are no IPv4 addresses, and for more nodes than a genesis transfer has notes for", function()
        local address = inside [[ return (require("tfl.kinds.logos_config").multiaddr(..., 3000)) ]]
        assert.equal("/ip4/10.0.0.255/udp/3000/quic-v1", address "10.0.0.255")
        for _, host in ipairs { "10.0.0.256", "localhost", "::1", "" } do assert.equal("bad_config", address(host).code) end
        local genesis = inside [[
            local nodes = {}
            for i = 1, ... do nodes[i] = { index = i - 1, blend_port = 3400 } end
            return #require("tfl.kinds.logos_config").genesis { name = "n", seed = 1, genesis_time = 1, nodes = nodes }.note_ids
        ]]
        assert.equal(255, genesis(85))
        assert.truthy(genesis(86).error:find("86 nodes", 1, true))
    end)
end)
