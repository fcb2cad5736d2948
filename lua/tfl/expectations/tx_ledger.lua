--- Nothing is made or lost, and nothing is spent twice: by replaying the canonical chain in tfl, never by asking nodes for a verdict.
local attach = require "tfl.deployers.attach"
local node_kinds = require "tfl.kinds"
local replay = require "tfl.replay"

local M = {}

local Ledger = { built_in = true, needs = "mantle" }
Ledger.__index = Ledger
Ledger.__name = "expectation"

local SHOWN = 3

--- Findings of the replay by what they break, and the code of each.
local KINDS = {
    conservation = {
        not_conserved = "not_conserved", unknown_input = "not_conserved", bad_owner = "invalid_transaction",
        bad_signature = "invalid_transaction", malformed = "invalid_transaction",
    },
    no_double_spend = { double_spend = "double_spend" },
}

---@param name "conservation"|"no_double_spend"
---@return table expectation
function M.new(name) return setmetatable({ name = name }, { __index = Ledger, __name = "expectation" }) end

local function plural(n, word) return ("%d %s%s"):format(n, word, n == 1 and "" or "s") end

--- Count, first code and the first few findings of the kinds.
local function found(report, kinds)
    local n, code, lines = 0, nil, {}
    for kind in pairs(kinds) do n = n + (report.counts[kind] or 0) end
    for _, finding in ipairs(report.findings) do
        if kinds[finding.kind] then
            code = code or kinds[finding.kind]
            if #lines < SHOWN then
                lines[#lines + 1] = ("\n%s in block %s at height %d: %s"):format(finding.transaction, finding.block:sub(1, 8),
                    finding.height, finding.message)
            end
        end
    end
    if not code then -- beyond the findings that are kept
        for kind, one in pairs(kinds) do code = (report.counts[kind] or 0) > 0 and one or code end
    end
    return n, code, table.concat(lines)
end

---@param report table of tfl.replay
---@return table judgement
function Ledger:judge(report)
    local n, code, lines = found(report, KINDS[self.name])
    local function say(verdict, its_code, message)
        return { verdict = verdict, code = its_code, message = message, figures = {
            transactions = report.transactions, blocks = report.blocks, findings = n, value = report.value,
            genesis_value = report.genesis_value,
        } }
    end
    if n > 0 then
        return say("fail", code, ("%s on the chain %s%s"):format(plural(n, "transaction"),
            self.name == "conservation" and "made or lost value, or should never have been there" or "spent what was spent",
            lines))
    elseif self.name == "conservation" and report.value ~= report.genesis_value then
        return say("fail", "not_conserved", ("all notes are worth %d, and were %d at genesis"):format(report.value,
            report.genesis_value))
    elseif report.transactions == 0 then
        return say("inconclusive", "no_sample", ("no transaction is on the chain of %s: nothing could have gone wrong"):format(
            plural(report.blocks, "block")))
    end
    return say("pass", "ok", self.name == "conservation"
        and ("%s, value %d as at genesis"):format(plural(report.transactions, "transaction"), report.value)
        or ("%s replayed"):format(plural(report.transactions, "transaction")))
end

function Ledger:prepare(plan)
    node_kinds.demand(plan.nodes, "replay", "expect_" .. self.name)
    attach.demand(plan, "genesis", "expect_" .. self.name)
end

function Ledger:evaluate(ctx)
    ctx.owner.looked = true
    local report, message = replay.of(ctx.run)
    if not report then
        return ctx:conclude { verdict = "inconclusive", code = "no_sample", figures = {},
            message = "the canonical chain could not be read: " .. message }
    end
    ctx:conclude(self:judge(report))
end

return M
