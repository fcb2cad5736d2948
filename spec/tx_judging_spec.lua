-- The judgements of transactions, given accounts and chains made up for them.
local dkjson = require "dkjson"
local inside = require "spec.topology.inside"
local support = require "spec.support"
support.guard()

--- The judgement of tx_inclusion with these options, of an account that is healthy but for `account`.
local INCLUSION = [[
    local options, account, more = ...
    local a = { planned = 100, sent = 100, accepted = 100, accepted_included = 100, included = 100, final = 60, rejected = 0,
        unanswered = 0, lost = 0, orphaned = 0, repeated = 0,
        pending = 0, expired = 0, twice = 0, after_lost = 0, lost_list = {}, reasons = {},
        lag = { late = 0, held = 0, p95 = 0.001 } }
    for key, value in pairs(account or {}) do a[key] = value end
    local expectation = require("tfl.expectations.tx_inclusion").new(options)
    expectation.within = more and more.within
    local load = { account = a, load = { now = function() return 12 end }, plan = { seconds = 10, interval_seconds = 0.4 } }
    return expectation:judge(load, more and more.late or 0, not (more and more.unsettled))
]]
local function inclusion(options, account, more) return inside(INCLUSION)(options or {}, account or {}, more or {}) end

local function assert_judged(j, verdict, code, pattern)
    assert.is_nil(j.error)
    assert.same({ verdict, code }, { j.verdict, j.code }, j.message)
    if pattern then assert.matches(pattern, j.message, 1, true) end
end

describe("tx_inclusion", function()
    local lost = { accepted_included = 98, included = 98, lost = 2, lost_list = {
        { hash = ("a"):rep(64), node = "node-2", intended = 3.25 }, { hash = ("b"):rep(64), node = "node-0", intended = 4,
            after_lost = true } } }

    it("passes when all is there, and says how many", function()
        assert_judged(inclusion(), "pass", "ok", "100 planned = sent = accepted = included, 60 final")
    end)

    it("fails tx_lost with the hashes", function()
        assert_judged(inclusion({}, lost), "fail", "tx_lost", "\n" .. ("a"):rep(64) .. " accepted by node-2 at 3.2s")
        assert_judged(inclusion({}, lost), "fail", "tx_lost", "built on a lost one")
        assert_judged(inclusion({}, lost), "fail", "tx_lost", "2 of 100 accepted transactions are not on the chain, 2s after")
    end)

    it("bears what min_ratio says, and no more", function()
        assert_judged(inclusion({ min_ratio = 0.98 }, lost), "pass", "ok", "2 lost")
        assert_judged(inclusion({ min_ratio = 0.99 }, lost), "fail", "tx_lost")
    end)

    it("is inconclusive when the chain stood, or nothing could be judged", function()
        assert_judged(inclusion({}, lost, { unsettled = true }), "inconclusive", "chain_stalled")
        assert_judged(inclusion({}, { accepted = 0, accepted_included = 0, unanswered = 100 }), "inconclusive", "no_sample",
            "100 unanswered")
        assert_judged(inclusion({}, { accepted_included = 0, pending = 100 }), "inconclusive", "no_sample")
    end)

    it("does not judge what was accepted too late to be there", function()
        assert_judged(inclusion({}, { accepted_included = 90, included = 90, pending = 10 }), "pass", "ok", "10 pending")
    end)

    it("fails for refusals, doubles, latecomers and what expired", function()
        local refused = { accepted = 97, accepted_included = 97, rejected = 3, reasons = { { count = 3, message = "no such note" } } }
        assert_judged(inclusion({}, refused), "fail", "tx_rejected", "3× no such note")
        assert_judged(inclusion({ min_ratio = 0.9 }, refused), "pass", "ok", "3 rejected")
        assert_judged(inclusion({}, { twice = 1 }), "fail", "tx_twice")
        assert_judged(inclusion({}, {}, { late = 4, within = 2 }), "fail", "tx_late", "4 of 100 transactions took longer than 2s")
        assert_judged(inclusion({}, { accepted_included = 99, expired = 1 }), "pass", "ok")
    end)

    it("is inconclusive when the generator was late for more than 5 %, unless it waited for the nodes", function()
        local function late(n, held, p95) return { lag = { late = n, held = held, p95 = p95 or 0.5 } } end
        assert_judged(inclusion({}, late(5, 0)), "pass", "ok")
        assert_judged(inclusion({}, late(6, 0)), "inconclusive", "generator_lag",
            "6.0% of the transactions went out late (p95 500ms, and a block comes every 400ms)")
        assert_judged(inclusion({}, late(60, 0, 0.4)), "pass", "ok") -- each block had the load it was to have
        assert_judged(inclusion({}, late(60, 55)), "pass", "ok")
        local both = late(60, 0)
        for key, value in pairs(lost) do both[key] = value end
        assert_judged(inclusion({}, both), "fail", "tx_lost") -- what is lost is lost, however late it was sent
    end)
end)

describe("latency", function()
    local function judged(bounds, account)
        local r = inside [[
            local bounds, account = ...
            local a = { planned = 100, accepted = 100, accepted_included = 100, final = 100, pending = 0, orphaned = 0,
                lag = { late = 0, held = 0 }, latency = { included = { count = 100, p50 = 0.5, p95 = 2, p99 = 3 } } }
            for key, value in pairs(account or {}) do a[key] = value end
            a.latency.included.n = a.latency.included.count -- dkjson takes a table with an n for an array
            local e = require("tfl.expectations.tx_latency").new("included", bounds)
            e.limits = bounds
            local verdict, code, message, figures = e:judge(a)
            return { verdict = verdict, code = code, message = message, figures = figures }
        ]](bounds, account or {})
        assert.is_nil(r.error)
        return r
    end

    it("is held against its bounds", function()
        assert_judged(judged { p50 = 0.5, p95 = 2, p99 = 3 }, "pass", "ok", "p95 2s (≤ 2s)")
        assert_judged(judged { p50 = 0.5, p95 = 1.9 }, "fail", "too_slow", "p95 2s (at most 1.9s)")
        assert_judged(judged({ p95 = 1 }, { lag = { late = 50, held = 0 } }), "inconclusive", "generator_lag")
        assert_judged(judged({ p95 = 1 }, { latency = { included = { count = 0 } } }), "inconclusive", "no_sample")
    end)

    it("of what never got there has no end", function()
        local some = { accepted_included = 95, latency = { included = { count = 95, p50 = 0.5, p95 = 1, p99 = 1 } } }
        assert_judged(judged({ p95 = 2 }, some), "pass", "ok")
        some.accepted_included, some.latency.included.count = 94, 94
        assert_judged(judged({ p95 = 2 }, some), "fail", "too_slow", "p95 never (at most 2s)")
        assert_judged(judged({ p50 = 2 }, some), "pass", "ok")
        some.lag = { late = 50, held = 0 } -- however late it was sent
        assert_judged(judged({ p95 = 2 }, some), "fail", "too_slow", "p95 never")
    end)
end)

describe("a healthy chain", function()
    it("includes the share that the lottery says", function()
        local shares = inside [[
            local share = require("tfl.expectations.tx_inclusion").healthy_share
            local out = {}
            for i, seconds in ipairs { 0, 0.2, 0.3, 0.4, 20 } do out[i] = share({ slot_seconds = 0.2, f = 0.5 }, seconds) end
            return out
        ]]()
        for i, want in ipairs { 0, 0.5, 0.625, 0.75, 1 } do
            assert.is_true(math.abs(want - shares[i]) < 1e-9, ("%d: %g"):format(i, shares[i]))
        end
    end)
end)

describe("a replayed chain", function()
    local function judged(name, blocks)
        return inside [[
            local name, blocks = ...
            local replay = require("tfl.core.ledger").replay()
            for _, block in ipairs(blocks) do
                replay:add(block)
                while replay:step() do end
            end
            return require("tfl.expectations.tx_ledger").new(name):judge(replay:report())
        ]](name, blocks)
    end
    local chain = dkjson.decode(support.read(support.root .. "/spec/support/bad_chain.json")) -- made by vectors.py

    it("fails for what was spent twice, and for value out of nothing", function()
        local blocks = { dkjson.encode(chain[1]), dkjson.encode(chain[2]) }
        local twice = judged("no_double_spend", blocks)
        assert_judged(twice, "fail", "double_spend", chain[2].transactions[2].mantle_tx.hash)
        assert.equal(1, twice.figures.findings)
        local made = judged("conservation", blocks)
        assert_judged(made, "fail", "not_conserved", "3 transactions on the chain")
        assert.equal(3, made.figures.findings) -- not the double spend
    end)

    it("without a transaction says nothing", function()
        local blocks = { dkjson.encode(chain[1]) }
        assert_judged(judged("conservation", blocks), "inconclusive", "no_sample", "no transaction is on the chain of 1 block")
        assert_judged(judged("no_double_spend", blocks), "inconclusive", "no_sample")
    end)
end)
