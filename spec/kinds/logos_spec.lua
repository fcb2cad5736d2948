-- The files of kind logos: the same for the same seed, another key everywhere for another node, hashes that independent code
-- (spec/support/logos_genesis.py) found in these very files.
local inside = require "spec.topology.inside"
local support = require "spec.support"

support.guard()

local MAKE = [[
    local seed, slot_ms = ...
    local config = require "tfl.kinds.logos_config"
    local cluster = {
        name = "tfl-spec", seed = seed, genesis_time = 1780000000, slot_ms = slot_ms or 1000, security_param = 20,
        active_slot_ratio = { numerator = 1, denominator = 5 }, nodes = {},
    }
    local out = { users = {} }
    for i = 0, 3 do cluster.nodes[i + 1] = { index = i, blend_port = 3400 + i } end
    for i = 0, 3 do
        local peers = {}
        for j = 0, i - 1 do peers[j + 1] = { port = 3000 + j } end
        out.users[i + 1] = config.user(seed, { index = i, name = "node-" .. i, peers = peers, dirs = { data = "data", log = "log" },
            ports = { p2p = 3000 + i, blend = 3400 + i, http = 8080 + i } })
    end
    out.deployment = config.deployment(cluster)
    local genesis = config.genesis(cluster)
    local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
    out.tx_hash, out.header_id = hex(genesis.tx_hash), hex(genesis.header_id)
    out.locked_note_id, out.last_note_id = hex(genesis.locked_note_id), hex(genesis.note_ids[#genesis.note_ids])
    return out
]]

local made
local function files()
    made = made or inside(MAKE)(42)
    assert.is_nil(made.error)
    return made
end

describe("the files of kind logos", function()
    it("are byte-identical for equal seeds, and others for another seed", function()
        local again, other = inside(MAKE)(42), inside(MAKE)(43)
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
