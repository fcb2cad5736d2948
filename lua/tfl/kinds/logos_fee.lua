--- Inscriptions where every transaction pays a fee (AUG): the node adds a transfer of its own wallet that pays, then the inscription is
--- signed, and both are handed in. What the node gives is checked before it is signed.
local errors = require "tfl.errors"
local json = require "tfl.core.json"

local M = {}

local FEE, FEE_BYTE = 10000, 4 -- what may be paid at most: for the operations, and for each byte of the data

local REQUEST = '{"tip":null,"tx_builder":{"mantle_tx":{"ops":[%s]},"ledger_inputs":[],"pending_transfer":{"inputs":[],"outputs":[]},'
    .. '"channel_multi_sig_proofs":{}},"change_public_key":"%s","funding_public_keys":["%s"],"max_tx_fee":%d,"priority_fee_percent":12}'

local function wrong(client, field, expected, seen)
    local err = errors.new("bad_reply", "%s: the answer on /wallet/fund: field %s: expected %s, saw %s", client:name(), field, expected,
        type(seen) == "table" and json.encode(seen):sub(1, 200) or seen and errors.show(seen) or "nothing")
    err.node = client:name()
    error(err, 0)
end

local function bytes_of(client, field, hex, n)
    if type(hex) ~= "string" or #hex ~= 2 * n or not hex:match "^%x*$" then wrong(client, field, 2 * n .. " hex digits", hex) end
    return (hex:gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))
end

local function list_of(client, field, list)
    if type(list) ~= "table" or #list > 255 then wrong(client, field, "a list of up to 255", list) end
    return list
end

--- tx_bytes of the transfer, all of whose outputs must be change.
local function transfer_bytes(client, op, pk)
    local payload = type(op) == "table" and op.opcode == 0 and op.payload or nil
    if type(payload) ~= "table" then wrong(client, "funded_tx.ops[1]", "a transfer", op) end
    local inputs, outputs = list_of(client, "inputs", payload.inputs), list_of(client, "outputs", payload.outputs)
    local parts = { "\0", string.char(#inputs) }
    for _, id in ipairs(inputs) do parts[#parts + 1] = bytes_of(client, "inputs", id, 32) end
    parts[#parts + 1] = string.char(#outputs)
    for _, output in ipairs(outputs) do
        if type(output) ~= "table" or math.type(output.value) ~= "integer" or output.value < 0 then
            wrong(client, "outputs", "a value", output)
        end
        if output.pk ~= pk then wrong(client, "outputs", "change for " .. pk, output.pk) end
        parts[#parts + 1] = string.pack("<i8", output.value) .. bytes_of(client, "outputs", output.pk, 32)
    end
    return table.concat(parts)
end

local function inscription_bytes(client, op, wanted)
    local payload = type(op) == "table" and op.opcode == 17 and op.payload
    for _, name in ipairs { "channel_id", "inscription", "parent", "signer" } do
        if type(payload) ~= "table" or payload[name] ~= wanted.payload[name] then
            wrong(client, "funded_tx.ops[0]", "the inscription that was sent", op)
        end
    end
    local data = bytes_of(client, "inscription", payload.inscription, #payload.inscription // 2)
    return "\17" .. bytes_of(client, "channel_id", payload.channel_id, 32) .. string.pack("<s4", data)
        .. bytes_of(client, "parent", payload.parent, 32) .. bytes_of(client, "signer", payload.signer, 32)
end

--- The values of the wallet's notes at the tip that it paid from, by their ids; nil when the node does not tell.
local function notes_at(client, pk, tip, options)
    if type(tip) ~= "string" or not tip:match "^%x+$" then return nil end
    local reply = client:get(("/wallet/%s/balance?tip=%s"):format(pk, tip), options)
    local ok, told = pcall(json.decode, reply.body)
    return reply.status == 200 and ok and type(told) == "table" and type(told.notes) == "table" and told.notes or nil
end

--- What the transfer spends and gives back to nobody is the fee: the wallet must not pay more than it was allowed to. Inputs that the
--- wallet does not tell the values of are left to the node, which has the same bound.
local function check_fee(client, payload, notes, most)
    local fee = 0
    for _, id in ipairs(payload.inputs) do
        local value = notes and notes[id]
        if math.type(value) ~= "integer" then return end
        fee = fee + value
    end
    for _, output in ipairs(payload.outputs) do fee = fee - output.value end
    if fee < 0 or fee > most then wrong(client, "outputs", ("change that leaves a fee of 0 to %d (max_tx_fee)"):format(most), fee) end
end

--- Pays for an inscription from the wallet of the client's node, signs it, hands it in. Waits.
---@param account userdata that signs
---@param client table
---@param tx {body: string} a lone inscription
---@param pk string of the node's wallet, hex
---@param options? {timeout: number}
---@return string hash
function M.hand_in(account, client, tx, pk, options)
    local keys = require "tfl.core.keys"
    local op = json.decode(tx.body).mantle_tx.ops[1]
    local most = FEE + FEE_BYTE * #op.payload.inscription // 2
    local request = REQUEST:format(json.encode(op), pk, pk, most)
    local reply = client:post("/wallet/fund", request, options)
    local ok, funded = pcall(json.decode, reply.body)
    if reply.status ~= 200 then
        local words = ok and type(funded) == "table" and type(funded.message) == "string" and funded.message or reply.body
        local err = errors.new(reply.status // 100 == 4 and reply.status ~= 404 and "rejected" or "http_status",
            "%s: the answer on /wallet/fund: status %d, expected 200: %s", client:name(), reply.status, words:sub(1, 200))
        err.node = client:name()
        error(err, 0)
    end
    funded = ok and type(funded) == "table" and funded or wrong(client, "(the reply)", "an object", reply.body:sub(1, 80))
    local ops = type(funded.funded_tx) == "table" and funded.funded_tx.ops
    if type(ops) ~= "table" or #ops ~= 2 then wrong(client, "funded_tx.ops", "the inscription and a transfer", ops) end
    if type(funded.transfer_proof) ~= "table" then wrong(client, "transfer_proof", "a proof", funded.transfer_proof) end
    local hash = keys.hash("MANTLE_TXHASH_V1", "\2" .. inscription_bytes(client, ops[1], op) .. transfer_bytes(client, ops[2], pk))
    check_fee(client, ops[2].payload, notes_at(client, pk, funded.tip, options), most)
    hash = hash:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
    client:submit_transaction(('{"mantle_tx":{"ops":%s},"ops_proofs":[{"Ed25519Sig":"%s"},%s]}'):format(json.encode(ops),
        account:sign(hash), json.encode(funded.transfer_proof)), options)
    return hash
end

return M
