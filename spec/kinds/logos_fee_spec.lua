-- Paying for an inscription: what a node adds to it is checked, field by field, before anything is signed.
local inside = require "spec.topology.inside"
local support = require "spec.support"

support.guard()

local RUN = [[
    local spoil, status, notes = ...
    local fee, core, json = require "tfl.kinds.logos_fee", require "tfl.core.wallet", require "tfl.core.json"
    local account, pk = core.new { seed = 1, index = 0 }, ("0a"):rep(32)
    local tx, seen = account:inscription { data = "hello", channel = "c" }, {}
    local client = { name = function() return "node-3" end }
    function client:post(path, text)
        seen.path, seen.request = path, json.decode(text)
        local funded = {
            tip = ("2c"):rep(32),
            funded_tx = { ops = { seen.request.tx_builder.mantle_tx.ops[1],
                { opcode = 0, payload = { inputs = { ("1b"):rep(32) }, outputs = { { value = 9007199254740993, pk = pk } } } } } },
            transfer_proof = { ZkSig = { pi_a = "00" } },
        }
        local change = assert(load("local reply, ops = ...; " .. (not status and spoil or "")))
        change(funded, funded.funded_tx.ops)
        return { status = status or 200, body = status and (spoil or "no") or json.encode(funded) }
    end
    function client:get(path)
        seen.asked = path
        return { status = notes and 200 or 404, body = notes or "no" }
    end
    function client:submit_transaction(text) seen.submitted = json.decode(text) end
    seen.hash = fee.hand_in(account, client, tx, pk)
    return seen
]]

describe("an inscription that is paid for", function()
    it("is signed with the transfer that pays", function()
        local seen = inside(RUN)()
        assert.equal("/wallet/fund", seen.path)
        assert.same({ ("0a"):rep(32) }, seen.request.funding_public_keys)
        local ops = seen.submitted.mantle_tx.ops
        assert.same({ 17, 0 }, { ops[1].opcode, ops[2].opcode })
        assert.equal(9007199254740993, ops[2].payload.outputs[1].value)
        assert.equal(128, #seen.submitted.ops_proofs[1].Ed25519Sig)
        assert.same({ ZkSig = { pi_a = "00" } }, seen.submitted.ops_proofs[2])
        assert.truthy(seen.hash:match("^" .. ("%x"):rep(64) .. "$"))
    end)

    it("is not signed when the node has changed it, pays others, or leaves something out", function()
        local cases = {
            { "ops[1].payload.inscription = 'ff'", "funded_tx.ops%[0%]: expected the inscription that was sent" },
            { "ops[1].payload.signer = nil", "funded_tx.ops%[0%]" },
            { "ops[1].opcode = 0", "funded_tx.ops%[0%]" },
            { "ops[2].opcode = 19", "funded_tx.ops%[1%]: expected a transfer" },
            { "ops[2].payload.outputs[1].pk = ('0c'):rep(32)", "outputs: expected change for 0a" },
            { "ops[2].payload.outputs[1].value = '7'", "outputs: expected a value" },
            { "ops[2].payload.inputs[1] = 'xy'", "inputs: expected 64 hex digits, saw \"xy\"" },
            { "ops[2].payload.inputs = nil", "inputs: expected a list" },
            { "ops[3] = ops[2]", "funded_tx.ops: expected the inscription and a transfer, saw %[{\"" },
            { "ops[2] = 3", "funded_tx.ops%[1%]: expected a transfer, saw 3" },
            { "reply.funded_tx = nil", "funded_tx.ops: expected the inscription and a transfer, saw nothing" },
            { "reply.transfer_proof = nil", "transfer_proof: expected a proof" },
        }
        for _, case in ipairs(cases) do
            local refused = inside(RUN)(case[1])
            assert.equal("bad_reply", refused.code, case[1])
            assert.truthy(refused.error:find("^node%-3: the answer on /wallet/fund: field " .. case[2]), refused.error)
        end
    end)

    it("is not signed when it costs more than the node was allowed to pay, as far as the wallet tells its notes", function()
        local function notes(value) return ('{"tip":"x","balance":1,"notes":{"%s":%d}}'):format(("1b"):rep(32), value) end
        local change = 9007199254740993
        local seen = inside(RUN)(nil, nil, notes(change + 10020))
        assert.equal("/wallet/" .. ("0a"):rep(32) .. "/balance?tip=" .. ("2c"):rep(32), seen.asked)
        assert.truthy(seen.hash)
        for value, fee in pairs { [change + 10021] = 10021, [change - 1] = -1 } do
            local refused = inside(RUN)(nil, nil, notes(value))
            assert.same({ "bad_reply", "node-3: the answer on /wallet/fund: field outputs: expected change that leaves a fee of 0 to "
                .. "10020 (max_tx_fee), saw " .. fee }, { refused.code, refused.error })
        end
        for _, told in ipairs { '{"notes":{}}', "{}", "[", '{"notes":7}' } do assert.truthy(inside(RUN)(nil, nil, told).hash, told) end
    end)

    it("is refused with the node's words", function()
        for status, code in pairs { [400] = "rejected", [404] = "http_status", [500] = "http_status" } do
            local refused = inside(RUN)(nil, status)
            assert.same({ code, ("node-3: the answer on /wallet/fund: status %d, expected 200: no"):format(status) },
                { refused.code, refused.error })
        end
        local told = inside(RUN)('{"code":500,"message":"not enough"}', 500)
        assert.equal("node-3: the answer on /wallet/fund: status 500, expected 200: not enough", told.error)
    end)
end)
