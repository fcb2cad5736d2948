--- "Did you mean": the near name for an unknown one.
local suggest = {}

local MAX_LENGTH = 64

--- Damerau-Levenshtein distance (optimal string alignment): insertions, deletions, substitutions and swaps of
-- neighbours.
---@param a string
---@param b string
---@return integer
function suggest.distance(a, b)
    local before, last = {}, {}
    for j = 0, #b do
        last[j] = j
    end
    for i = 1, #a do
        local row = { [0] = i }
        for j = 1, #b do
            local same = a:byte(i) == b:byte(j)
            local best = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same and 0 or 1))
            if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
                best = math.min(best, before[j - 2] + 1)
            end
            row[j] = best
        end
        before, last = last, row
    end
    return last[#b]
end

--- Names in alphabetical order, from a list of them or a table that has them as keys.
local function sorted(known)
    local names = {}
    for key, value in pairs(known) do
        names[#names + 1] = type(key) == "string" and key or type(value) == "string" and value or nil
    end
    table.sort(names)
    return names
end

--- The nearest of the known names, or nil when none is near: at most a third of the letters may differ (one
-- in short names). Case, "-" and "_" count for nothing. Of equals the first in alphabetical order.
---@param name string
---@param known string[]|table<string, any> a list of names, or a table whose keys they are
---@return string|nil
function suggest.near(name, known)
    if #name > MAX_LENGTH then
        return nil
    end
    local function plain(s)
        return (s:lower():gsub("%-", "_"))
    end
    local wanted, best = plain(name), nil
    local least = math.max(1, #name // 3) + 1
    for _, candidate in ipairs(sorted(known)) do
        if math.abs(#candidate - #name) < least then
            local d = suggest.distance(wanted, plain(candidate))
            if d < least then
                best, least = candidate, d
            end
        end
    end
    return best
end

--- The end of a message about an unknown name: '; did you mean "star"?' or '; known are: "chain", "star"'.
---@param name string
---@param known string[]|table<string, any> a list of names, or a table whose keys they are
---@return string
function suggest.hint(name, known)
    local near = suggest.near(name, known)
    if near then
        return ('; did you mean "%s"?'):format(near)
    end
    local names = sorted(known)
    if #names == 0 then
        return "; none is known"
    elseif #names > 20 then
        names = table.move(names, 1, 20, 1, {})
        names[21] = "…"
    end
    return "; known are: " .. table.concat(names, ", ")
end

return suggest
