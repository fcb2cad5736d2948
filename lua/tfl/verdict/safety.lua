--- The safety judgement (JUDGING.md, Safety): what the feed found, heaviest first.
local safety = {}

local MAX_SHOWN = 3

--- Codes of findings, heaviest first, and how one is told.
local CODES = {
    { "final_conflict", "two final blocks at one height" },
    { "other_genesis", "a node whose genesis is another" },
    { "final_undone", "a final block was undone" },
    { "broken_link", "a block whose parent is not where it says" },
    { "bad_slot", "a block whose slot is not above its parent's" },
    { "future_block", "a block from more than a slot ahead" },
    { "early_final", "a block called final that is not deep enough" },
}

---@class tfl.Finding
---@field code "final_conflict"|"other_genesis"|"final_undone"|"broken_link"|"bad_slot"|"future_block"|"early_final"
---@field message? string names the blocks, heights and nodes
---@field node? string
---@field height? integer
---@field slot? integer

local function plural(n, word)
    return ("%d %s%s"):format(n, word, n == 1 and "" or "s")
end

local function tell(finding, default)
    local where = {}
    if finding.node then
        where[#where + 1] = finding.node
    end
    if finding.height then
        where[#where + 1] = ("height %d"):format(finding.height)
    end
    if finding.slot then
        where[#where + 1] = ("slot %d"):format(finding.slot)
    end
    local text = finding.message or default
    return #where > 0 and ("%s (%s)"):format(text, table.concat(where, ", ")) or text
end

--- Judges safety: any finding fails, whatever the faults were; without a final block there was no sample.
---@param findings tfl.Finding[]
---@param final_seen integer final blocks above genesis that were seen
---@param context? {forks?:integer, max_reorg_depth?:integer, security_param?:integer}
---@return tfl.Judgement
function safety.judge(findings, final_seen, context)
    context = context or {}
    local by_code, known = {}, {}
    for _, pair in ipairs(CODES) do
        by_code[pair[1]], known[#known + 1] = {}, pair[1]
    end
    for _, finding in ipairs(findings) do
        local list = by_code[finding.code]
        if not list then
            error(("unknown safety finding %q; known are %s"):format(tostring(finding.code),
                table.concat(known, ", ")), 2)
        end
        list[#list + 1] = finding
    end
    local figures = { final = final_seen, forks = context.forks, max_reorg_depth = context.max_reorg_depth }
    local code, said = nil, {}
    for _, pair in ipairs(CODES) do
        local list = by_code[pair[1]]
        figures[pair[1]] = #list
        code = code or (#list > 0 and pair[1] or nil)
        for i = 1, math.min(#list, MAX_SHOWN) do
            said[#said + 1] = tell(list[i], pair[2])
        end
        if #list > MAX_SHOWN then
            said[#said + 1] = ("%d more %s"):format(#list - MAX_SHOWN, pair[1])
        end
    end
    if code then
        return { verdict = "fail", code = code, message = table.concat(said, "; "), figures = figures }
    elseif final_seen == 0 then
        local k = context.security_param and (" (%d blocks deep)"):format(context.security_param) or ""
        return {
            verdict = "inconclusive",
            code = "no_sample",
            message = ("no block became final%s, so safety had no sample; run longer"):format(k),
            figures = figures,
        }
    end
    local forks = ""
    if context.forks then
        forks = ", " .. plural(context.forks, "fork")
        if context.forks > 0 and context.max_reorg_depth then
            forks = ("%s (deepest %d)"):format(forks, context.max_reorg_depth)
        end
    end
    return {
        verdict = "pass",
        code = "ok",
        message = ("%d final%s, no conflict"):format(final_seen, forks),
        figures = figures,
    }
end

return safety
