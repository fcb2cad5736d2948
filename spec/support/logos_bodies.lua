--- One chain, told by nodes of five times: what the real node answers in each form of its interface. The same facts in all of them,
--- each with a field that nobody knows.
local M = { versions = { "DEC", "J28", "APR", "JUN", "AUG" } }

local function id(digit) return digit:rep(64) end
M.genesis, M.parent, M.tip, M.tx, M.unknown = id "1", id "2", id "a", id "9", id "e"
M.balance = "18014398509481985" -- 2^54 + 1

local OLD = { DEC = true, J28 = true }

local function info(version)
    local view = ([["lib":"%s","tip":"%s","slot":137,"height":12,"news":{"a":[1]}]]):format(M.parent, M.tip)
    if OLD[version] then return ('{%s,"mode":"Online"}'):format(view) end
    view = '"lib_slot":130,' .. view
    if version == "APR" then return ('{%s,"mode":"Online"}'):format(view) end
    if version == "JUN" then return ('{"cryptarchia_info":{%s},"mode":{"Started":"Online"}}'):format(view) end
    return ('{"cryptarchia_info":{"genesis_id":"%s",%s,"state":"Online"},"phase":"Following"}'):format(M.genesis, view)
end

local function transaction(version)
    local inscription = OLD[version] and "[104,101,108,108,111]" or '"68656c6c6f"'
    local op = ([[{"opcode":17,"payload":{"channel_id":"%s","inscription":%s,"parent":"%s","signer":"%s"}}]]):format(id "5",
        inscription, id "0", id "d")
    local proofs = ([["ops_proofs":[{"Ed25519Sig":"%s"}]]):format(id "7":rep(2))
    if not OLD[version] then return ('{"mantle_tx":{"hash":"%s","ops":[%s]},%s]}'):format(M.tx, op, proofs) end
    return ([[{"mantle_tx":{"hash":"%s","ops":[%s],"ledger_tx":{"inputs":[],"outputs":[]},"execution_gas_price":0,
        "storage_gas_price":0},%s],"ledger_tx_proof":{"pi_a":[1,2],"pi_b":[3],"pi_c":[4]}}]]):gsub("\n%s+", ""):format(M.tx, op, proofs)
end

--- The block; raw: as /storage/block gives it.
local function block(version, raw)
    local proof = ([["proof_of_leadership":{"proof":"%s","entropy_contribution":"%s","leader_key":"%s","voucher_cm":"%s"}]]):format(
        id "3":rep(4), id "4", id "d", id "6")
    local head = ([[%s"parent_block":"%s","slot":137,"%s":"%s",%s]]):format(raw and '"version":"Bedrock",'
        or ('"id":"%s",'):format(M.tip), M.parent, version == "AUG" and "body_root" or "block_root", id "8", proof)
    return ('{"header":{%s},%s"transactions":[%s]%s,"news":true}'):format(head, version == "AUG" and '"uncle_headers":[],' or "",
        transaction(version), raw and (',"signature":"%s"'):format(id "7":rep(2)) or "")
end

local function network(version)
    local out = { '"listen_addresses":["/ip4/127.0.0.1/udp/3000/quic-v1"]', '"n_peers":1', '"n_connections":1',
        '"n_pending_connections":0', '"news":null' }
    if not OLD[version] then out[#out + 1] = '"peer_id":"12D3KooWa"' end
    if version == "JUN" or version == "AUG" then out[#out + 1] = '"connected_peers":["12D3KooWb"]' end
    if version == "AUG" then out[#out + 1] = '"discovered_peers":["12D3KooWb"],"n_discovered_peers":1' end
    return "{" .. table.concat(out, ",") .. "}"
end

local function failure(version, status, message)
    return version == "AUG" and ('%d {"code":%d,"message":"%s"}'):format(status, status, message) or ("%d %s"):format(status, message)
end

--- Lines of a script for the fake node: PATH STATUS BODY.
---@param version string
---@return string
function M.script(version)
    local rows = {
        "/cryptarchia/info 200 " .. info(version),
        "/network/info 200 " .. network(version),
        ('/cryptarchia/headers 200 ["%s","%s"]'):format(M.tip, M.parent),
        ("/cryptarchia/blocks 200 [%s]"):format(block(version)),
        ('/wallet/%s/balance 200 {"tip":"%s","balance":%s,"address":"%s"}'):format(id "c", M.tip, M.balance, id "c"),
        "/mantle/metrics " .. failure(version, 500, "The mempool is away"),
    }
    if OLD[version] then -- of several answers for one path the requests get one after the other
        rows[#rows + 1] = "/storage/block 200 " .. block(version, true) .. "\n/storage/block 200 null"
    else
        rows[#rows + 1] = ("/cryptarchia/blocks/%s 200 %s"):format(M.tip, block(version))
        rows[#rows + 1] = ("/cryptarchia/blocks/%s %s"):format(M.unknown, version == "AUG" and failure(version, 404, "Not found") or "404 ")
    end
    if version == "JUN" or version == "AUG" then rows[#rows + 1] = ('/mempool/view 200 ["%s"]'):format(M.tx) end
    return table.concat(rows, "\n") .. "\n"
end

--- Infos of that version, each without one of the fields it must have: by the field's name.
---@param version string
---@return table<string, string>
function M.broken_infos(version)
    local out, whole = {}, info(version)
    for _, name in ipairs { "tip", "lib", "slot", "height" } do
        out[name] = whole:gsub(('"%s":[^,}]+,'):format(name), "", 1)
    end
    out.state = version == "AUG" and whole:gsub(',"state":"Online"', "") or whole:gsub(',"mode":.*$', "}")
    return out
end

return M
