-- The answers of the real node, in every form of its interface, come to the same Lua values; what is missing is named.
local bodies = require "spec.support.logos_bodies"
local in_run = require "spec.support.in_run"
local support = require "spec.support"

support.guard()

local ASK = [[
    local fake, dir, versions, tip, unknown, path = ...
    local client, core = require "tfl.core.client", require "tfl.core.local"
    local deployer, out = core.new { run_id = "elsewhere", dir = dir }, {}
    local function fails(f, ...)
        local ok, e = pcall(f, ...)
        return ok and "it worked" or e.code .. ": " .. e.message
    end
    for i, version in ipairs(versions) do
        local name, port = "node-" .. i - 1, deployer:reserve(1)[1]
        deployer:add { name = name, argv = { fake, "user.yaml" }, cwd = dir .. "/nodes/" .. name, log = dir .. "/logs/" .. name,
            ports = { http = port }, dialect = "logos", env = { FAKE_MODE = "script=" .. dir .. "/" .. version },
            files = { ["user.yaml"] = { content = "listen_address: 127.0.0.1:" .. port .. "\n", mode = tonumber("600", 8) } } }
        deployer:start(name)
        deployer:wait_ready({ name }, { within = 20, peers = { [name] = 1 } })
        local node = client.new { name = name, url = "http://127.0.0.1:" .. port, dialect = "logos" }
        out[version] = {
            info = node:consensus_info(), network = node:network_info(), headers = node:headers(), block = node:block(tip),
            blocks = node:blocks { slot_from = 0, slot_to = 137 }, balance = math.type(tfl.json.decode(node:get(path).body).balance)
                .. tfl.json.decode(node:get(path).body).balance,
            unknown = fails(node.block, node, unknown),
            error = fails(node.headers, node), info_error = {},
        }
        for _, field in ipairs { "tip", "lib", "slot", "height", "state" } do
            out[version].info_error[field] = fails(node.consensus_info, node)
        end
    end
    deployer:cleanup()
    return out
]]

local BROKEN = { "tip", "lib", "slot", "height", "state" }

--- All answers, by version. After the good info, infos without one field each; after the good headers, an error.
local function asked()
    local dir = support.dir()
    for _, version in ipairs(bodies.versions) do
        local lines, broken = { bodies.script(version) }, bodies.broken_infos(version)
        lines[2] = lines[1]:match("(/cryptarchia/info [^\n]+)") -- the readiness has had the first
        for _, field in ipairs(BROKEN) do lines[#lines + 1] = "/cryptarchia/info 200 " .. broken[field] end
        lines[#lines + 1] = "/cryptarchia/headers " .. lines[1]:match "/mantle/metrics ([^\n]+)"
        support.write(version, table.concat(lines, "\n") .. "\n")
    end
    local out, result = in_run(ASK, support.fake_node(), dir, bodies.versions, bodies.tip, bodies.unknown,
        "/wallet/" .. ("c"):rep(64) .. "/balance")
    assert.is_nil(out.error, result.text)
    return out
end

it("come to the same Lua values in every version", function()
    local out = asked()
    for _, version in ipairs(bodies.versions) do
        local seen, old = out[version], version == "DEC" or version == "J28"
        assert.same({ tip = bodies.tip, lib = bodies.parent, slot = 137, height = 12, state = "Online", online = true,
            lib_slot = not old and 130 or nil, genesis_id = version == "AUG" and bodies.genesis or nil }, seen.info, version)
        assert.same({ n_peers = 1, listen_addresses = { "/ip4/127.0.0.1/udp/3000/quic-v1" }, peer_id = not old and "12D3KooWa" or nil,
            connected_peers = (version == "JUN" or version == "AUG") and { "12D3KooWb" } or {} }, seen.network, version)
        assert.same({ bodies.tip, bodies.parent }, seen.headers, version)
        for _, block in ipairs { seen.block, seen.blocks[1] } do
            assert.same({ bodies.tip, bodies.parent, 137, 1, bodies.tx, 17 }, { block.id, block.parent, block.slot, block.n_transactions,
                block.transactions[1].mantle_tx.hash, block.transactions[1].mantle_tx.ops[1].opcode }, version)
        end
        assert.equal("integer" .. bodies.balance, seen.balance, version)
        assert.truthy(seen.unknown:find "^not_found: .*there is no such block", seen.unknown)
        assert.truthy(seen.error:find "status 500, expected 200: The mempool is away$", seen.error)
        for _, field in ipairs(BROKEN) do
            local message = seen.info_error[field]
            assert.truthy(message:find("^bad_reply: node%-%d: .*/cryptarchia/info: field " .. field .. ": expected .* saw nothing"),
                version .. ": " .. message)
        end
    end
end)
