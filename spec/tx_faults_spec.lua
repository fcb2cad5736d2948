-- Transactions when nodes are killed under them, and what nodes are given that is none: runs of the built tfl with real nodes.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

--- Three nodes under control, slots of 50 ms, and a workload w whose body runs in tfl.
local function run(body, rest, slots)
    local file = nodes.scenario((":topology_with(function(t) t:nodes(3):full():slot_duration '50ms' end):wallets(5)"
        .. ":enable_node_control():with_workload(w):with_run_duration(tfl.slots(%d))%s"):format(slots or 80, rest),
        ("local w = tfl.workload('w')\nfunction w:start(ctx)\n%s\nend\n"):format(body))
    local result = nodes.run(file, { "--seed", "21" })
    assert.equal(0, result.code, result.text)
    return result
end

describe("an accepted transaction", function()
    it("is in the account and on the chain, whichever node is killed after it said yes", function()
        local result = run([[
            ctx:wait_for_height(3)
            for i = 0, 2 do
                ctx:node(i):kill()
                ctx:node(i):start()
                ctx:node(i):wait_ready()
            end]], ":transactions_with(function(x) x:per_second(20):targets 'round_robin' end):expect_conservation()", 240)
        local t = result.summary.transactions
        assert.equal(240, t.planned, result.text)
        assert.equal(t.planned, t.accepted + t.rejected + t.unanswered, result.text) -- each has one fate
        assert.equal(t.accepted, t.accepted_included + t.lost + t.pending + t.expired, result.text)
        assert.same({ 0, 0 }, { t.lost, t.rejected }, result.text)
        assert.is_true(t.accepted >= 200, result.text)
        assert.equal("ok", nodes.expectation(result, "tx_inclusion").code)
        assert.equal("ok", nodes.expectation(result, "conservation").code)
        assert.equal(3, #result.summary.faults, result.text)
    end)
end)

describe("what is no good transaction", function()
    it("is refused with its status, gets onto no chain, and stops no node", function()
        local result = run([[
            local a, b = table.unpack(ctx:wallet_accounts())
            local client = ctx:node(0):client()
            local good = a:transfer{to = b, amount = 7}
            local function changed(change)
                local tx = tfl.json.decode(good.body)
                local ops = tx.mantle_tx.ops
                return tfl.json.encode(change(ops[1].payload, tx) or tx)
            end
            local function shape(status, body, what)
                local reply = client:post("/mempool/add/tx", body)
                if reply.status ~= status then
                    ctx:fail("%s: %d expected, got %d %s", what, status, reply.status, tostring(reply.text or reply.body))
                end
            end
            local input, output = tfl.json.decode(good.body).mantle_tx.ops[1].payload.inputs[1]
            shape(400, good.body:sub(1, -5), "cut short")
            shape(400, good.body .. "]", "more after the end")
            shape(422, ("["):rep(100000), "deep")
            shape(400, ("["):rep(30000), "deep, and never closed")
            shape(422, "null", "null")
            shape(422, changed(function(t) t.inputs = "none" end), "malformed")
            shape(422, changed(function(t) t.inputs[1] = "12" end), "a short note id")
            shape(422, changed(function(t) t.outputs[1].value = -1 end), "a negative value")
            shape(422, changed(function(t) t.outputs[1].value = 8 end), "wrongly signed")
            shape(422, changed(function(t) t.inputs[2] = t.inputs[1] end), "the same input twice")
            shape(422, changed(function(t) t.outputs[1].value = math.maxinteger t.outputs[3] = t.outputs[1] end), "overflow")
            shape(422, changed(function(_, tx) tx.ops_proofs = {} end), "no proof")
            shape(413, (" "):rep(11 << 20), "oversized")
            shape(200, good.body, "a good one after all that")
            shape(200, good.body, "the same again")
            ctx:eventually(function() return ctx:block_feed():transaction(good.hash) end)
            -- signed well, and there is nothing to spend
            local spent = ctx:wallet_accounts()[1]:twin():transfer{to = b, amount = 9}
            assert(spent.body:find(input, 1, true), "the twin spends another note")
            ctx:log("spent %d", client:post("/mempool/add/tx", spent.body).status)
            local height = client:consensus_info().height
            ctx:wait_for_height(height + 5)
            assert(not ctx:block_feed():transaction(spent.hash), "a note was spent twice")]],
            ":expect_conservation():expect_no_double_spend():expect_consensus_liveness()", 200)
        assert.equal(1, nodes.expectation(result, "conservation").figures.transactions, result.text)
    end)
end)
