--- What chaos did: comes with it. Its faults must have done something measurable, else the run has shown nothing (JUDGING, Verdict).
local M = {}

local Chaos = { name = "chaos", built_in = true }
Chaos.__index = Chaos
Chaos.__name = "expectation"

---@param workload table of tfl.workloads.chaos
function M.new(workload) return setmetatable({ workload = workload }, Chaos) end

--- Judges entries after a run, for specs too.
---@param entries tfl.ChaosEntry[] with fault, skipped or failed
---@return string verdict, string code, string message, table figures
function M.judge(entries)
    local clauses, order, figures, reason = {}, {}, { planned = #entries, done = 0, bit = 0, skipped = 0 }, nil
    for _, entry in ipairs(entries) do
        local c = clauses[entry.clause]
        if not c then
            c = { verb = entry.verb, done = 0, bit = 0 }
            clauses[entry.clause], order[#order + 1] = c, c
        end
        if entry.fault then
            c.done, figures.done = c.done + 1, figures.done + 1
            if entry.fault.bit then c.bit, figures.bit = c.bit + 1, figures.bit + 1 end
        elseif entry.skipped then
            figures.skipped, reason = figures.skipped + 1, reason or entry.skipped
        end
    end
    for _, c in ipairs(order) do
        if c.bit == 0 then
            local why = c.done == 0 and (reason and "all were skipped (%s)" or "none was made") or "none did anything measurable"
            return "inconclusive", "fault_never_bit", ("%s: " .. why):format(c.verb, reason), figures
        end
    end
    local skipped = figures.skipped > 0 and (", %d skipped (%s)"):format(figures.skipped, reason) or ""
    return "pass", "ok", ("%d of %d faults made%s"):format(figures.done, figures.planned, skipped), figures
end

function Chaos:evaluate(ctx)
    ctx.owner.looked = true
    local verdict, code, message, figures = M.judge(self.workload.entries)
    ctx:conclude { verdict = verdict, code = code, message = message, figures = figures }
end

return M
