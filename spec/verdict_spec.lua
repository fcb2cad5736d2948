-- Safety, and how verdicts add up.
package.path = "lua/?.lua;" .. package.path
local verdict = require("tfl.verdict")

describe("safety", function()
    it("passes with final blocks and no finding", function()
        local j = verdict.judge_safety({}, 59, { forks = 2, max_reorg_depth = 1 })
        assert.same({ "pass", "ok", "59 final, 2 forks (deepest 1), no conflict" }, { j.verdict, j.code, j.message })
        assert.equal("1 final, 0 forks, no conflict", verdict.judge_safety({}, 1, { forks = 0, max_reorg_depth = 0 }).message)
        assert.equal("7 final, no conflict", verdict.judge_safety({}, 7).message)
    end)

    it("had no sample without a final block", function()
        local j = verdict.judge_safety({}, 0, { security_param = 12 })
        assert.same({ "inconclusive", "no_sample" }, { j.verdict, j.code })
        assert.matches("12 blocks deep", j.message)
    end)

    it("fails for each finding, even when nothing became final", function()
        for _, code in ipairs({ "final_conflict", "other_genesis", "final_undone", "broken_link", "bad_slot",
            "future_block", "early_final" }) do
            for _, seen in ipairs({ 0, 50 }) do
                local j = verdict.judge_safety({ { code = code, node = "node-1", height = 9 } }, seen)
                assert.same({ "fail", code }, { j.verdict, j.code })
                assert.matches("node-1, height 9", j.message, 1, true)
                assert.equal(1, j.figures[code])
            end
        end
    end)

    it("names the heaviest finding first and does not list hundreds", function()
        local findings = { { code = "bad_slot" }, { code = "final_conflict", message = "9f0c and 77aa at height 5" } }
        for _ = 1, 100 do
            findings[#findings + 1] = { code = "future_block" }
        end
        local j = verdict.judge_safety(findings, 10)
        assert.equal("final_conflict", j.code)
        assert.matches("^9f0c and 77aa at height 5; ", j.message)
        assert.matches("97 more future_block", j.message)
        assert.is_true(#j.message < 500)
    end)

    it("does not know findings that nobody defined", function()
        assert.has_error(function()
            verdict.judge_safety({ { code = "odd" } }, 1)
        end)
    end)
end)

describe("verdicts", function()
    it("add up by weight", function()
        assert.equal("fail", verdict.combine({ "pass", "infra", "fail", "inconclusive" }))
        assert.equal("infra", verdict.combine({ "inconclusive", "infra", "pass" }))
        assert.equal("inconclusive", verdict.combine({ "pass", "inconclusive" }))
        assert.equal("pass", verdict.combine({ "pass", "pass" }))
        assert.equal("inconclusive", verdict.combine({}))
        assert.has_error(function()
            verdict.combine({ "pass", "ok" })
        end)
    end)

    it("give the exit codes of the contract", function()
        local codes = {}
        for _, v in ipairs({ "pass", "fail", "usage", "infra", "inconclusive", "interrupted" }) do
            codes[#codes + 1] = verdict.exit_code(v)
        end
        assert.same({ 0, 1, 2, 3, 4, 130 }, codes)
        assert.equal(1, verdict.exit_code("inconclusive", "fail"))
        assert.equal(0, verdict.exit_code("inconclusive", "pass"))
        assert.equal(3, verdict.exit_code("infra", "pass"))
        assert.equal(1, verdict.exit_code("fail", "pass"))
    end)

    local function run(options)
        options.expectations = options.expectations or { { name = "safety", verdict = "pass" } }
        return verdict.of_run(options)
    end

    it("of a run put a proven safety failure before everything", function()
        local unsafe = { { name = "consensus_liveness", verdict = "pass" }, { name = "safety", verdict = "fail" } }
        assert.equal("fail", run({ expectations = unsafe }))
        assert.equal("fail", run({ expectations = unsafe, interrupted = true }))
        assert.equal("fail", run({ expectations = unsafe, errors = { "usage" } }))
    end)

    it("of a run tell script errors and Ctrl-C", function()
        assert.equal("usage", run({ errors = { "infra", "usage" } }))
        assert.equal("usage", run({ expectations = { { name = "own", verdict = "usage" }, { name = "b", verdict = "fail" } } }))
        assert.equal("interrupted", run({ interrupted = true }))
        local slow = { { name = "consensus_liveness", verdict = "fail" } }
        assert.equal("interrupted", run({ interrupted = true, expectations = slow }))
        assert.equal("infra", run({ errors = { "infra" } }))
        assert.equal("fail", run({ errors = { "infra" }, expectations = { { name = "own", verdict = "fail" } } }))
        assert.equal("inconclusive", run({ expectations = {} }))
    end)
end)
