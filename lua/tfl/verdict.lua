--- Verdicts: the formulas (verdict/bounds), what a window must show (verdict/window), the two judgements
-- every run has (verdict/liveness, verdict/safety), and how verdicts add up to one with an exit code. All of
-- it is pure: no clock, no node, no file.
local bounds = require("tfl.verdict.bounds")
local liveness = require("tfl.verdict.liveness")
local safety = require("tfl.verdict.safety")
local window = require("tfl.verdict.window")

local verdict = {
    plan_liveness = window.plan,
    judge_liveness = liveness.judge,
    show_chance = liveness.show_chance,
    judge_safety = safety.judge,
}
for name, f in pairs(bounds) do
    verdict[name] = f
end

--- What a run may be wrong about, unless the scenario says otherwise: a failing verdict by chance, a k too
-- small.
verdict.ALPHA, verdict.EPSILON = 1e-6, 1e-6

---@alias tfl.Verdict "pass"|"fail"|"infra"|"inconclusive"|"usage"|"interrupted"

local WEIGHT = { pass = 0, inconclusive = 1, infra = 2, fail = 3 }
local EXIT = { pass = 0, fail = 1, usage = 2, infra = 3, inconclusive = 4, interrupted = 130 }

--- The heaviest of the verdicts: fail > infra > inconclusive > pass. None at all is inconclusive: nothing was
-- looked at.
---@param verdicts tfl.Verdict[]
---@return tfl.Verdict
function verdict.combine(verdicts)
    local heaviest
    for _, v in ipairs(verdicts) do
        if not WEIGHT[v] then
            error(("unknown verdict %q; known are pass, fail, infra, inconclusive"):format(tostring(v)), 2)
        end
        if not heaviest or WEIGHT[v] > WEIGHT[heaviest] then
            heaviest = v
        end
    end
    return heaviest or "inconclusive"
end

--- Has safety failed? That stands whatever else happened.
---@param expectations {name:string, verdict:tfl.Verdict}[]
---@return boolean
function verdict.unsafe(expectations)
    for _, e in ipairs(expectations) do
        if e.name == "safety" and e.verdict == "fail" then
            return true
        end
    end
    return false
end

--- The verdict of a whole run. A safety failure stands whatever else happened; then a script error, then
-- Ctrl-C.
---@param run {expectations:{name:string, verdict:tfl.Verdict}[], errors?:tfl.Verdict[], interrupted?:boolean}
--- errors: the class of each error outside expectations: "usage" (script errors), "infra", "fail",
-- "inconclusive"
---@return tfl.Verdict
function verdict.of_run(run)
    if verdict.unsafe(run.expectations) then
        return "fail"
    end
    local all, usage = {}, false
    for _, e in ipairs(run.expectations) do
        usage = usage or e.verdict == "usage"
        all[#all + 1] = e.verdict ~= "usage" and e.verdict or nil
    end
    for _, class in ipairs(run.errors or {}) do
        usage = usage or class == "usage"
        all[#all + 1] = class ~= "usage" and class or nil
    end
    if usage then
        return "usage"
    elseif run.interrupted then
        return "interrupted"
    end
    return verdict.combine(all)
end

--- The exit code of a verdict; `inconclusive_as` is the flag --inconclusive ("fail" or "pass").
---@param v tfl.Verdict
---@param inconclusive_as? "fail"|"pass"
---@return integer
function verdict.exit_code(v, inconclusive_as)
    if v == "inconclusive" and inconclusive_as then
        v = inconclusive_as
    end
    return EXIT[v] or error(("unknown verdict %q"):format(tostring(v)), 2)
end

--- The verdict that an exit code stands for.
---@param code integer
---@return tfl.Verdict|nil
function verdict.of_exit(code)
    for word, its in pairs(EXIT) do
        if its == code then
            return word
        end
    end
end

--- Exit codes by the weight of what they stand for.
local EXIT_WEIGHT = { [0] = 0, [4] = 1, [3] = 2, [1] = 3, [2] = 4, [130] = 5 }

--- Of the exit codes of two runs the one that counts for both.
---@param a integer
---@param b integer
---@return integer
function verdict.worse_exit(a, b)
    return EXIT_WEIGHT[a] >= EXIT_WEIGHT[b] and a or b
end

return verdict
