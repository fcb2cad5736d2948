-- Wallets and replays as Lua sees them, through the built tfl: signing, chained change, losses, what a replay finds, and both
-- against a real node.
package.path = "lua/?.lua;" .. package.path
local dkjson = require "dkjson"
local inside = require "spec.topology.inside"
local support = require "spec.support"

support.guard()

-- A plan of two wallets with two notes each; `plan`, `wallets`, `wallet` and `ledger` are there for every chunk.
local WORLD = [[
    local wallet, ledger = require "tfl.core.wallet", require "tfl.core.ledger"
    local wallets = { wallet.new { seed = 42, index = 3 }, wallet.new { seed = 42, index = 4 } }
    local notes = {}
    for i = 1, 4 do notes[i] = { value = 100, pk = wallets[(i + 1) // 2].pk } end
    local plan = {
        chain_id = "tfl-1", genesis_time_ms = 1787300000123, nonce = ("9"):rep(64), notes = notes,
        stakes = { { key = ("1"):rep(64), stake = 1 } },
    }
    wallet.fund(plan, wallets)
    local function failure(f, ...)
        local ok, e = pcall(f, ...)
        return not ok and (type(e) == "table" and e.code .. ": " .. e.message or e) or "no error"
    end
]]

local function world(code) return inside(WORLD .. code)() end

describe("a wallet", function()
    it("has the key of its seed and its notes of genesis", function()
        assert.same({ "fd1ef26ae519000fcdde00c907b2cfd0bfdd4e40b66a010dae4a128cbb9cc8c8", 200, 2, 0, true }, world [[
            local b, n, pending = wallets[1]:balance()
            return { wallets[1].pk, b, n, pending, wallets[1].pk ~= wallets[2].pk }
        ]])
    end)

    it("signs transfers that a node takes, and spends its change at once", function()
        local r = world [[
            local first = wallets[1]:transfer { to = wallets[2], amount = 30 }
            local bodies, ok = { first.body }, wallet.check(first.body)
            for i = 2, 5 do bodies[i] = wallets[1]:transfer { to = wallets[2].pk, amount = 30 }.body end
            return { first = first, check = ok, balance = wallets[1]:balance(), last = bodies[5],
                short = failure(wallets[1].transfer, wallets[1], { to = wallets[2], amount = 51 }) }
        ]]
        assert.equal("transfer", r.first.kind)
        assert.equal(r.first.hash, r.check.hash)
        assert.is_false(r.check.proven) -- the owner is in the ledger
        assert.equal(50, r.balance)
        assert.matches('"opcode":0', r.last, 1, true)
        assert.equal("not_found: a transfer of 51: the wallet has 50", r.short)
    end)

    it("says what is wrong with its arguments", function()
        local r = world [[
            local w = wallets[1]
            return {
                failure(w.transfer, w, { to = "you", amount = 1 }), failure(w.transfer, w, { to = w, amount = 0 }),
                failure(w.transfer, w, { to = w, amount = 1.5 }), failure(w.transfer, w, { to = w }),
                failure(w.inscription, w, { data = {} }), failure(w.inscription, w, { parent = ("0"):rep(64) }),
                failure(w.receive, w, { id = "x", value = 1 }), failure(w.sync, w, { 7 }), failure(wallet.new, { index = -1 }),
                failure(wallet.fund, plan, { plan }), w:balance(),
            }
        ]]
        for i, text in ipairs({ "to: expected a wallet or a public key", "1 or more", "a whole number", "1 or more",
            "data must be a string", "needs the channel", "a note must be", "table expected", "index", "tfl.wallet" }) do
            assert.matches(text, r[i], 1, true)
        end
        assert.equal(200, r[11])
    end)

    it("inscribes: a fresh channel each, or a named one message by message", function()
        local r = world [[
            local w = wallets[1]
            local a, b = w:inscription { data = "a" }, w:inscription { data = "a" }
            local n1 = w:inscription { channel = "news", data = "\0binary\xff" }
            local n2 = w:inscription { channel = n1.channel, parent = n1.message, data = "2" }
            return { fresh = a.channel ~= b.channel and a.hash ~= b.hash, proven = wallet.check(n2.body).proven,
                same = n1.channel == n2.channel, body = n1.body, kind = n1.kind, message = n1.message, next = n2.body,
                again = w:inscription { channel = "news", data = "" }.channel == n1.channel }
        ]]
        assert.is_true(r.fresh and r.proven and r.same and r.again)
        assert.equal("inscription", r.kind)
        assert.matches('"inscription":"0062696e617279ff"', r.body, 1, true)
        assert.matches('"parent":"' .. r.message .. '"', r.next, 1, true)
    end)

    it("takes back what a dropped transfer spent, and what was built on it", function()
        assert.same({ 2, true, 200, 0, 0 }, world [[
            local w, hashes = wallets[2], {}
            for i = 1, 3 do hashes[i] = w:transfer { to = wallets[1], amount = 10 }.hash end
            local dropped = w:dropped(hashes[1]) -- the third spends the change of the first
            local first = dropped[1] == hashes[1]
            w:dropped(hashes[2])
            return { #dropped, first, (w:balance()), (select(3, w:balance())), #w:dropped(hashes[2]) }
        ]])
    end)

    it("says of a body what is wrong with it", function()
        local r = world [[
            local body = wallets[1]:transfer { to = wallets[2], amount = 30 }.body
            local twice = wallets[1]:inscription { data = "x" }.body
            return { { wallet.check("{") }, { wallet.check((body:gsub('"value":30', '"value":0'))) },
                { wallet.check((twice:gsub('"inscription":"78"', '"inscription":"79"'))) } }
        ]]
        assert.matches("not JSON", r[1][3], 1, true)
        assert.equal("malformed", r[2][2])
        assert.equal("bad_signature", r[3][2])
    end)
end)

describe("a replay", function()
    it("begins with the genesis of a plan and knows its notes", function()
        local r = world [[
            local topology, replay = require "tfl.core.topology", ledger.replay()
            local n = replay:add_genesis(plan)
            local report, mine = replay:report(), replay:notes(wallets[1].pk)
            wallets[1]:sync(mine)
            return { more = replay:step(), id = topology.genesis_id(plan), report = report, n = #mine,
                balance = wallets[1]:balance(),
                again = failure(replay.add_genesis, replay, plan), empty = ledger.replay():report().blocks,
                bad = failure(replay.add, replay, "{}"), worse = failure(replay.add, replay, "{"),
                bytes = failure(replay.add_bytes, replay, "abc") }
        ]]
        assert.equal(r.id, r.report.tip)
        assert.same({ 400, 400, 4, 0, 1 },
            { r.report.value, r.report.genesis_value, r.report.notes, r.report.n_findings, r.report.blocks })
        assert.same({ false, 2, 200, 0 }, { r.more, r.n, r.balance, r.empty })
        assert.matches("invalid: block", r.again, 1, true)
        assert.matches("header: expected an object", r.bad, 1, true)
        assert.matches("expected an object", r.worse, 1, true)
        assert.matches("a block of 3 bytes", r.bytes, 1, true)
    end)

    it("finds what must not be in a chain, and where", function()
        local chain = dkjson.decode(support.read(support.root .. "/spec/support/bad_chain.json")) -- made by vectors.py
        local r = inside [[
            local ledger = require "tfl.core.ledger"
            local replay = ledger.replay()
            for _, block in ipairs((...)) do
                replay:add(block)
                while replay:step(2) do end
            end
            return replay:report()
        ]]({ dkjson.encode(chain[1]), dkjson.encode(chain[2]) })
        assert.is_nil(r.error)
        assert.same({ double_spend = 1, not_conserved = 1, unknown_input = 1, bad_signature = 1, bad_owner = 0, malformed = 0 },
            r.counts)
        assert.same({ 4, 1, 1, 3 }, { r.n_findings, r.transactions, r.height, r.slot })
        local kinds = {}
        for i, finding in ipairs(r.findings) do kinds[i] = finding.kind end
        assert.same({ "double_spend", "not_conserved", "unknown_input", "bad_signature" }, kinds)
        local bad = r.findings[1]
        assert.equal(chain[2].transactions[2].mantle_tx.hash, bad.transaction)
        assert.equal(chain[2].header.id, bad.block)
        assert.matches("is spent", bad.message, 1, true)
        assert.equal(r.genesis_value, r.value)
    end)
end)

-- A scenario whose plan has notes, and whose workload sends transfers and inscriptions and then replays the chain of a node.
local SCENARIO = [[
local ledger = require "tfl.core.ledger"
local sender = tfl.workload("sender")
function sender:start(ctx)
    local a, b = table.unpack(ctx.run.plan.accounts) -- of the engine, that ctx:wallet_accounts() stands for
    local client, sent = ctx:node(0):client(), {}
    for i = 1, 20 do
        local tx = i % 4 == 0 and a:inscription { data = "n" .. i } or a:transfer { to = b, amount = i }
        assert(client:post("/mempool/add/tx", tx.body).status == 200)
        sent[i] = tx.hash
    end
    local report
    ctx:eventually(function()
        local replay, last = ledger.replay(), ctx:node(1):client():consensus_info()
        local ids = ctx:node(1):client():headers { from = last.tip, to = last.genesis_id }
        for i = #ids, 1, -1 do
            replay:read(ctx.run.clients["node-1"], ids[i]) -- as an expectation of tfl's own does
            while replay:step(1) do ctx:sleep(0) end
        end
        report = replay:report()
        b:sync(replay:notes(b.pk))
        return report.transactions >= #sent
    end, { within = "20s" })
    ctx:log("transactions %d transfers %d inscriptions %d value %d of %d findings %d balance %d", report.transactions,
        report.transfers, report.inscriptions, report.value, report.genesis_value, report.n_findings, (b:balance()))
end
tfl.scenario("replayed"):topology_with(function(t) t:nodes(2):slot_duration "100ms" end):with_run_duration(tfl.slots(120))
    :wallets(2, {balance = 1000}):with_workload(sender):expect_consensus_liveness():build()
]]

describe("wallets and replay with real nodes", function()
    it("find every transaction that was sent, and that nothing was made or lost", function()
        local file = support.write("replayed.lua", SCENARIO)
        local result = support.run { file, "--seed", "5" }
        assert.equal(0, result.code, result.text)
        assert.matches("transactions 20 transfers 15 inscriptions 5 value 2000 of 2000 findings 0 balance 1150",
            result.text, 1, true)
    end)
end)
