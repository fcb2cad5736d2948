-- Wallets, load and their expectations, in runs of the built tfl with real nodes and short slots.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local function fast() return { CONSENSUS_SLOT_TIME = "50ms" } end

--- A scenario of three nodes with slots of 50 ms and a window of 80 of them.
local function scenario(body, head)
    return nodes.scenario((":topology_with(function(t) t:nodes(3):network_star():slot_duration '50ms' end)"
        .. ":with_run_duration(tfl.slots(80))%s"):format(body), head)
end

local function code_of(result, name) return nodes.expectation(result, name).code end

describe("a load", function()
    it("is followed to its end, every transaction of it", function()
        local result = nodes.run("scenarios/transactions.lua", { "-t", "4s", "-p", "rate=4", "--seed", "3", env = fast() })
        assert.equal(0, result.code, result.text)
        local t = result.summary.transactions
        assert.same({ 160, 160, 160, 160, 160 }, { t.plan, t.planned, t.sent, t.accepted, t.included }, result.text)
        assert.same({ 0, 0, 0, 0 }, { t.lost, t.rejected, t.pending, t.unanswered })
        assert.is_true(t.final > 0 and t.final <= 160, result.text)
        for _, name in ipairs { "accepted", "included", "final" } do
            local l = t.latency_ms[name]
            assert.is_true(l.p50 > 0 and l.p50 <= l.p95 and l.p95 <= l.p99 and l.p99 <= l.max, name .. "\n" .. result.text)
        end
        assert.is_true(t.latency_ms.accepted.p50 < t.latency_ms.included.p50, result.text)
        assert.is_true(t.latency_ms.included.p50 < t.latency_ms.final.p50, result.text)
        assert.matches("160 planned = sent = accepted = included, %d+ final", result.out)
        assert.matches("latency +accepted [%d./]+ms · included [%d./]+m?s · final [%d./]+m?s", result.out)
        assert.equal(160, nodes.expectation(result, "conservation").figures.transactions)
        local events = support.read(result.summary.dir .. "/events.jsonl")
        assert.matches('"type":"transactions"', events, 1, true)
        assert.matches('"planned":160', events, 1, true)
    end)

    it("what is built on transfers that no node ever took is no loss of the nodes", function()
        local result = nodes.run(nodes.scenario([[:topology_with(function(t) t:nodes(3):full():slot_duration '50ms' end)
            :wallets(6):transactions_with(function(x) x:per_second(20):targets{1} end):enable_node_control():with_workload(w)
            :with_run_duration(tfl.slots(160)):expect_conservation()]], [[
            local w = tfl.workload "w"
            function w:start(ctx) ctx:sleep "2s" ctx:node(1):kill() ctx:sleep "2s" ctx:node(1):start() end
        ]]), { "--seed", "2" })
        assert.equal(0, result.code, result.text)
        local t = result.summary.transactions
        assert.is_true(t.unanswered > 0, result.text)
        assert.equal(t.accepted, t.accepted_included + t.orphaned + t.pending)
        assert.is_true(t.included >= t.accepted_included - t.repeated)
        assert.equal(0, t.lost)
    end)

    it("is told lost transactions by their hashes: those that a node said yes to and dropped", function()
        local node = nodes.with { ["node-1"] = "--test drop_every=4" }
        local result = nodes.run("scenarios/transactions.lua", { "-t", "4s", "-p", "rate=4", node = node, env = fast() })
        assert.equal(1, result.code, result.text)
        local e, t = nodes.expectation(result, "tx_inclusion"), result.summary.transactions
        assert.equal("tx_lost", e.code, result.text)
        assert.equal("ok", code_of(result, "consensus_liveness"))
        assert.equal("ok", code_of(result, "conservation"))
        assert.is_true(t.lost > 0 and t.accepted == t.planned and t.accepted == t.accepted_included + t.lost, result.text)
        local roots = 0
        for i, one in ipairs(t.lost_list) do
            assert.matches("^" .. ("%x"):rep(64) .. "$", one.hash)
            if i <= 5 then assert.matches(one.hash, e.message, 1, true) end
            if not one.after_lost then
                roots = roots + 1
                assert.equal("node-1", one.node, result.text)
            end
        end
        assert.equal(t.lost - t.after_lost, roots)
        assert.is_true(roots >= 5, result.text) -- of 160, a third to node-1, each fourth dropped
    end)

    it("may lose some when the scenario says so; and what is lost is late for ever", function()
        local file = scenario [[:wallets(10):transactions_with(function(x) x:rate(2):kind "inscription" end)
            :expect_tx_inclusion{min_ratio = 0.5}:expect_inclusion_latency{p50 = "2s", p95 = "2s"}]]
        local result = nodes.run(file, { node = nodes.with { "--test drop_every=5" } })
        assert.equal(1, result.code, result.text)
        assert.equal("ok", code_of(result, "tx_inclusion"), result.text)
        assert.equal("too_slow", code_of(result, "inclusion_latency"), result.text)
        assert.matches("p95 never", nodes.expectation(result, "inclusion_latency").message, 1, true)
        local t = result.summary.transactions -- each of three nodes drops every fifth of its own
        assert.is_true(t.lost > t.planned // 5 - 3 and t.lost <= t.planned // 5, result.text)
    end)

    it("waits for finality when an expectation asks for it, and keeps to targets and users", function()
        local file = scenario [[:wallets(5):transactions_with(function(x) x:per_second(20):targets{1, "node-2"}:users(2) end)
            :expect_inclusion_latency{p95 = "2s"}:expect_finality_latency{p99 = "10s"}]]
        local result = nodes.run(file)
        assert.equal(0, result.code, result.text)
        local t = result.summary.transactions
        assert.same({ 80, 80, 80 }, { t.planned, t.included, t.final }, result.text)
        assert.equal("ok", code_of(result, "finality_latency"))
        assert.is_true(nodes.expectation(result, "finality_latency").figures.p99_ms > 550, "k = 11 slots are the least")
    end)

    it("of a chain that stands is inconclusive: the chain is what failed", function()
        local file = scenario [[:wallets(5):transactions_with(function(x) x:rate(5) end):expect_consensus_liveness()]]
        local result = nodes.run(file, { node = nodes.with { "--test lead_until_slot=40" } })
        assert.equal(1, result.code, result.text)
        assert.equal("stalled", code_of(result, "consensus_liveness"), result.text)
        assert.equal("chain_stalled", code_of(result, "tx_inclusion"), result.text)
        assert.is_true(result.summary.transactions.lost > 0, result.text)
    end)
end)

describe("a plan", function()
    local function refused(body, pattern)
        local result = support.run { "check", scenario(body) }
        assert.equal(2, result.code, result.text)
        assert.matches(pattern, result.err, 1, true)
    end

    it("with a load that cannot work is refused, with the remedy", function()
        local load = ":transactions_with(function(x) %s end)"
        refused(load:format "x:rate(1)", ":wallets(10)")
        refused(":wallets(2)" .. load:format "x:kind 'transfer'", "nothing says how many; use x:rate(5)")
        refused(":wallets(2)" .. load:format "x:rate(0)", "rate(0): a number above 0")
        refused(":wallets(2)" .. load:format "x:rate(2000)", "use at most 10240 a second")
        refused(":wallets(2)" .. load:format "x:rate(1):per_second(2)", "arrivals already, from rate")
        refused(":wallets(2)" .. load:format "x:rate(1):users(3)", "use :wallets(3)")
        refused(":wallets(2)" .. load:format "x:rate(1):targets{3}", "they are 0 to 2")
        refused(":wallets(2)" .. load:format "x:rate(1):targets{'nod-1'}", 'did you mean "node-')
        refused(":wallets(2)" .. load:format "x:rate(1):targets 'rnd'", '"round_robin" or a list')
        refused(":wallets(2)" .. load:format "x:rate(1):kind 'transfers'", 'did you mean "transfer"')
        refused(":wallets(2)" .. load:format "x:rat(1)", 'did you mean "rate"')
        refused(":wallets(2)" .. load:format "x:stages{{'1m', 5}}", "use -t 60s")
        refused(":wallets(2)" .. load:format "x:stages{{'1s'}}", "the rate of stage 1 is nil")
        refused(":wallets(2, {balance = 9})" .. load:format "x:rate(5)", "use balance = 100")
        refused(":wallets(0)", "wallets(0): a whole number from 1")
        refused(":wallets(2, {balanc = 9})", 'did you mean "balance"')
        refused(":wallets(2)" .. (load:format "x:rate(1)"):rep(2), "two loads")
    end)

    it("with an expectation that could not hold is refused", function()
        local base = ":wallets(2):transactions_with(function(x) x:rate(1) end)"
        refused(":expect_tx_inclusion()", "add :wallets(n) and :transactions_with")
        refused(":expect_inclusion_latency{p50 = '1s'}", "sends no transactions")
        refused(base .. ":expect_inclusion_latency()", "no bound given")
        refused(base .. ":expect_inclusion_latency{p90 = '1s'}", "did you mean")
        refused(base .. ":expect_inclusion_latency{p95 = '100ms'}", "even a healthy chain is slower")
        refused(base .. ":expect_finality_latency{p50 = '500ms'}", "and k = 11 even a healthy chain")
        refused(base .. ":expect_tx_inclusion{min_ratio = 2}", "a share above 0 and at most 1")
        refused(base .. ":expect_tx_inclusion{within = '100ms'}", "a healthy chain includes only")
    end)

    it("tells the load and the wallets", function()
        local result = support.run { "check", "scenarios/transactions.lua", "-p", "rate=50" }
        assert.equal(0, result.code, result.text)
        assert.matches("3750 transfers of 10 wallets: 30s at 125/s (50 for each block at most)", result.out, 1, true)
        assert.matches("judged by .*tx_inclusion", result.out)
    end)
end)

describe("a script", function()
    it("signs, sends, paces, and sees what became of it", function()
        local file = scenario([[:wallets(2):with_workload(w):with_workload(idle):expect_conservation():expect_no_double_spend()]], [[
local function equal(want, got, what)
    if want ~= got then error(("%s: expected %s, got %s"):format(what or "?", tostring(want), tostring(got)), 2) end
end
local function refused(pattern, f, ...)
    local ok, err = tfl.try(f, ...)
    assert(not ok and err.code == "usage" and err.message:find(pattern, 1, true), err and err.message)
end
local idle = tfl.workload("idle", {start = function(_, ctx) ctx:sleep "1h" end})
local w = tfl.workload("w")
function w:start(ctx)
    local a, b = table.unpack(ctx:wallet_accounts())
    local client, feed = ctx:node(0):client(), ctx:block_feed()
    equal(1000000, a:balance()) equal(64, #a.pk)
    local tx = a:transfer{to = b, amount = 7}
    equal(tx.hash, client:submit_transaction(tx))
    local more = a:transfer{to = b.pk, amount = 5}                       -- spends the change of the first
    equal(more.hash, ctx:node(1):client():submit_transaction(more))
    local said = tfl.inscription{channel = "news", data = "hello"}
    equal(said.hash, ctx:cluster_client():submit_transaction(said))
    local reply = tfl.inscription{channel = "news", data = "again"}         -- the next one of its channel
    client:submit_transaction(reply)
    for _, one in ipairs{tx, more, said, reply} do
        local seen = ctx:eventually(function() return feed:transaction(one.hash) end)
        assert(#seen.blocks >= 1)
    end
    ctx:eventually(function() return #client:mempool() == 0 end)
    ctx:eventually(function() return b:balance() == 1000012 end)
    equal(999988, a:balance())
    equal(nil, feed:transaction(("f"):rep(64)))
    local ok, err = tfl.try(client.submit_transaction, client, (said.body:gsub("68656c6c6f", "68656c6c6e")))
    equal(false, ok) equal("rejected", err.code)
    local times = {}
    for i, late in ctx:pace{rate = 50, duration = "200ms"} do times[#times + 1] = i assert(late >= 0) end
    equal(10, #times) equal(10, times[10])
    refused("has 999988", function() local ok, e = tfl.try(a.transfer, a, {to = b, amount = 1 << 40})
        error({code = "usage", message = e.message}) end)
    refused("a wallet or a key", a.transfer, a, {to = "you", amount = 1})
    refused("a whole number from 1", a.transfer, a, {to = b, amount = 0.5})
    refused("sends none", ctx.transactions, ctx)
    refused('did you mean "transfer"', function() return a.transfr end)
    refused("a string was expected", tfl.inscription, {data = 7})
    ctx:log "all done"
end]])
        local result = nodes.run(file, { "--seed", "4" })
        assert.equal(0, result.code, result.text)
        assert.equal(4, nodes.expectation(result, "conservation").figures.transactions, result.text)
        assert.matches('"message":"all done"', support.read(result.summary.dir .. "/events.jsonl"), 1, true)
    end)

    it("has no wallets, and no inscription at file level, when there is nobody to sign", function()
        local result = support.run { "check", scenario("", "tfl.inscription{data = 'x'}") }
        assert.equal(2, result.code, result.text)
        assert.matches("belongs into a hook", result.err, 1, true)
        local file = scenario(":with_expectation(tfl.expectation('e', {init = function() end, start_capture = function(_, ctx) "
            .. "ctx:wallet_accounts() end}))")
        result = nodes.run(file)
        assert.equal(2, result.code, result.text)
        assert.matches("add :wallets(n) to it", result.text, 1, true)
    end)

    it("finds its wallets' keys again with the same seed", function()
        local head = [[local e = tfl.expectation("e") function e:evaluate(ctx)
            ctx:log("key %s %s", ctx:wallet_accounts()[2].pk, ctx:node(0):client():consensus_info().mode) end]]
        local keys = {}
        for i, seed in ipairs { 5, 5, 6 } do
            local result = nodes.run(scenario(":wallets(2):with_expectation(e)", head), { "--seed", tostring(seed) })
            assert.equal(0, result.code, result.text)
            keys[i] = support.read(result.summary.dir .. "/events.jsonl"):match "key (%x+)"
        end
        assert.equal(keys[1], keys[2])
        assert.not_equal(keys[1], keys[3])
    end)
end)

describe("one note spent at two nodes", function()
    for _, seed in ipairs { 11, 12, 13 } do
        it("is spent once, seed " .. seed, function()
            local result = nodes.run("scenarios/conflicts.lua", { "--seed", tostring(seed) })
            assert.equal(0, result.code, result.text)
            -- where a node hears of one of the two before it takes the other, there is no conflict
            assert.is_true(nodes.expectation(result, "one_of_two").figures.conflicts >= 1, result.text)
            assert.equal(3, nodes.expectation(result, "no_double_spend").figures.transactions, result.text)
        end)
    end
end)

describe("a ramp", function()
    it("finds the highest rate in time, and fails below what is asked for", function()
        local words = { "-p", "from=10", "-p", "to=30", "-p", "steps=3", "-p", "step=2.8",
            env = { CONSENSUS_SLOT_TIME = "150ms" } } -- a busy machine sends late by more than a block of short slots takes
        local result = nodes.run("scenarios/ramp.lua", words)
        assert.equal(0, result.code, result.text)
        assert.equal(30, nodes.expectation(result, "highest_rate").figures.highest, result.text)
        local stages = result.summary.transactions.stages
        assert.same({ 28, 56, 84 }, { stages[1].planned, stages[2].planned, stages[3].planned })
        assert.same({ 0, 0, 0 }, { stages[1].missing, stages[2].missing, stages[3].missing })
        words[#words + 1], words[#words + 2] = "-p", "least=1000"
        result = nodes.run("scenarios/ramp.lua", words)
        assert.equal(1, result.code, result.text)
        assert.matches("only 30/s within 3s, at least 1000/s expected", result.text, 1, true)
    end)
end)
