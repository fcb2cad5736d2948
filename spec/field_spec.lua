-- What engineers of such networks run, in the language of scripts: transactions across restarts, outages, forks and merges. Others of
-- their scenarios are in spec/hand_spec.lua, spec/fault_scenarios_spec.lua and scenarios/.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

-- A script of n nodes; `body` has ctx, the wallets a and b, and these helpers.
local function script(n, body, shape)
    local file = support.write("script.lua", ([[
    local function info(ctx, i) return ctx:node(i):client():consensus_info() end
    local function pending(ctx, i, hash)
        for _, one in ipairs(ctx:node(i):client():mempool()) do if one == hash then return true end end
        return false
    end
    local function block_of(ctx, hash)
        local seen = ctx:block_feed():transaction(hash)
        return seen and seen.block
    end
    tfl.script("field", {nodes = %d, wallets = 3, topology = function(t) t:%s:slot_duration "50ms":security_param(60) end}, function(ctx)
        local a, b, c = table.unpack(ctx:wallet_accounts())
        ctx:wait_for_height(2)
        %s
    end)]]):format(n, shape or "full()", body))
    local result = nodes.run(file, { "--seed", "6" })
    assert.equal(0, result.code, result.text)
end

describe("what the field runs", function()
    it("a pending transaction survives a restart before inclusion; an included one does not return to the mempool", function()
        script(2, [[
        local cut = ctx:isolate(1)
        ctx:node(1):restart{args = {"--test", "lead=false"}}
        ctx:eventually(function() return info(ctx, 1) end)
        local tx = a:transfer{to = b, amount = 7}
        ctx:node(1):client():submit_transaction(tx)
        assert(pending(ctx, 1, tx.hash), "not pending")
        ctx:node(1):restart()
        ctx:eventually(function() return info(ctx, 1) end)
        assert(pending(ctx, 1, tx.hash), "lost by the restart")
        cut:heal()
        ctx:eventually(function() return block_of(ctx, tx.hash) end, {within = "10s"})
        ctx:eventually(function() return not pending(ctx, 1, tx.hash) end)
        local height = info(ctx, 1).height
        ctx:eventually(function()
            assert(not pending(ctx, 1, tx.hash), "back in the mempool")
            return info(ctx, 1).height >= height + 3
        end)]])
    end)

    it("the same transaction on two forks is on the chain once, and stays out of the mempool after the merge", function()
        script(4, [[
        local cut = ctx:partition({0, 1}, {2, 3})
        local tx = a:transfer{to = b, amount = 7}
        ctx:node(0):client():submit_transaction(tx)
        ctx:node(2):client():submit_transaction(tx)
        ctx:eventually(function()
            local seen = ctx:block_feed():transaction(tx.hash)
            return seen and #seen.blocks >= 2 and not pending(ctx, 0, tx.hash) and not pending(ctx, 2, tx.hash)
        end, {within = "15s"})
        cut:heal()
        ctx:eventually(function() return info(ctx, 0).tip == info(ctx, 3).tip end, {within = "10s"})
        local height = info(ctx, 0).height
        ctx:eventually(function()
            for i = 0, 3 do assert(not pending(ctx, i, tx.hash), "back in the mempool of node-" .. i) end
            return info(ctx, 0).height >= height + 3
        end, {within = "10s"})
        assert(block_of(ctx, tx.hash), "it is on no chain")]])
    end)

    it("different transfers of one note on two forks: after the merge the balances are those of the winning chain", function()
        script(4, [[
        local before = a:balance()
        local cut = ctx:partition({0, 1}, {2, 3})
        local first, second = a:transfer{to = b, amount = 100}, a:twin():transfer{to = c, amount = 60}
        ctx:node(0):client():submit_transaction(first)
        ctx:node(2):client():submit_transaction(second)
        ctx:eventually(function() return #(ctx:block_feed():transaction(first.hash) or {blocks = {}}).blocks > 0
            and #(ctx:block_feed():transaction(second.hash) or {blocks = {}}).blocks > 0 end, {within = "15s"})
        cut:heal()
        ctx:eventually(function() return info(ctx, 0).tip == info(ctx, 3).tip end, {within = "10s"})
        local won = ctx:eventually(function()
            local one, other = block_of(ctx, first.hash), block_of(ctx, second.hash)
            return (one and not other) and "first" or (other and not one) and "second"
        end, {within = "10s"})
        local want = won == "first" and {100, 0} or {0, 60}
        for i, wallet in ipairs {b, c} do
            local reply = tfl.json.decode(ctx:node(0):client():get("/wallet/" .. wallet.pk .. "/balance").body)
            assert(reply.balance == before + want[i], ("%s: %d, expected %d"):format(won, reply.balance, before + want[i]))
        end]])
    end)

    it("an outage of the node that takes transactions: submissions fail at once; after its start they become final", function()
        script(2, [[
        ctx:node(1):kill()
        local tx = a:transfer{to = b, amount = 7}
        local ok, err = tfl.try(function() ctx:node(1):client():submit_transaction(tx) end)
        assert(not ok and err.code == "connect" and err.node == "node-1", tostring(err and err.code))
        ctx:node(1):start()
        ctx:node(1):wait_ready()
        local hashes = {}
        for i = 1, 5 do
            local one = i == 1 and tx or a:transfer{to = b, amount = i}
            hashes[i] = one.hash
            ctx:node(1):client():submit_transaction(one)
        end
        local last = 0
        for _, hash in ipairs(hashes) do
            local block = ctx:eventually(function() return block_of(ctx, hash) end, {within = "10s"})
            assert(block.height >= last, "out of order")
            last = block.height
        end]])
    end)

    it("an invalid transaction is refused at once and does not block a valid one", function()
        script(2, [[
        local client = ctx:node(0):client()
        local bad = a:transfer{to = b, amount = 7}
        local spoilt = bad.body:gsub('("Ed25519Sig":")(%x%x)', function(head, x) return head .. (x == "00" and "11" or "00") end)
        assert(spoilt ~= bad.body, "nothing was spoilt")
        assert(client:post("/mempool/add/tx", spoilt).status ~= 200, "a wrong signature was accepted")
        a:dropped(bad)
        local good = a:transfer{to = b, amount = 8}
        client:submit_transaction(good)
        ctx:eventually(function() return block_of(ctx, good.hash) end, {within = "10s"})]])
    end)

    it("ten nodes, star and chain mixed: a transfer goes across, and a late joiner syncs to the others' height", function()
        script(10, [[
        local tx = a:transfer{to = b, amount = 7}
        ctx:node(9):client():submit_transaction(tx)
        ctx:eventually(function() return block_of(ctx, tx.hash) end, {within = "10s"})
        local late = ctx:start_node("late", {peers = {9}})
        local height = info(ctx, 0).height
        ctx:eventually(function() return late:client():consensus_info().height >= height + 3 end, {within = "30s"})]],
            "layout(function(n) local e = {} for i = 1, n - 1 do e[i] = {i < 5 and 0 or i - 1, i} end return e end)")
    end)

    it("three writers of twenty messages: each is on the chain exactly once", function()
        script(3, [[
        local hashes, tasks = {}, {}
        for w, wallet in ipairs {a, b, c} do
            tasks[w] = ctx:spawn(function()
                for i = 1, 20 do
                    local tx = wallet:inscription{channel = ("%02x"):format(w):rep(32), data = ("message %d of %d"):format(i, w)}
                    ctx:node(w - 1):client():submit_transaction(tx)
                    hashes[#hashes + 1] = tx.hash
                    ctx:sleep "10ms"
                end
            end)
        end
        for _, one in ipairs(tasks) do one:wait(30) end
        assert(#hashes == 60, #hashes)
        for _, hash in ipairs(hashes) do ctx:eventually(function() return block_of(ctx, hash) end, {within = "15s"}) end]])
    end)

    it("payloads of 32 bytes to 896 KiB are each included", function()
        script(2, [[
        for i, size in ipairs {32, 1024, 65536, 917504} do
            local tx = a:inscription{data = ("x"):rep(size)}
            ctx:node(0):client():submit_transaction(tx)
            ctx:eventually(function() return block_of(ctx, tx.hash) end, {within = "20s"})
        end]])
    end)

    it("a node that never publishes its own proposals: the cluster still converges", function()
        script(3, [[
        ctx:node(2):restart{args = {"--test", "lead=false"}}
        ctx:node(2):wait_ready()
        local height = info(ctx, 0).height
        ctx:eventually(function() return info(ctx, 2).height >= height + 5 end, {within = "15s"})
        ctx:eventually(function() return info(ctx, 2).tip == info(ctx, 0).tip end)]])
    end)
end)
