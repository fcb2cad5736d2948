--- Numbers of successes among independent slots: Binomial, or Poisson-binomial when the slots' chances
-- differ. Exact to far below α, without lgamma or logarithms: only weights relative to the mode are ever
-- formed.
local distribution = {}

--- Relative slack of comparisons with α: a window whose chance is exactly α must not fall to a rounding.
local SLACK = 1e-9
--- The most groups of slots with different chances that are convolved exactly.
local MAX_GROUPS = 64

--- The probabilities of a binomial distribution, without the outer parts whose weight is below `cut` of the
-- mode's. Ratios of neighbours from the mode outwards, then normalised: nothing underflows, and n costs only
-- its square root.
---@param n integer
---@param p number
---@param cut number
---@return number[] pmf pmf[i] is P[X = first + i − 1]
---@return integer first
local function binomial(n, p, cut)
    if n <= 0 or p <= 0 then
        return { 1.0 }, 0
    elseif p >= 1 then
        return { 1.0 }, n
    end
    local mode = math.min(n, math.floor((n + 1) * p))
    local odds = p / (1 - p)
    local below, weight = {}, 1.0
    for x = mode, 1, -1 do
        weight = weight * x / ((n - x + 1) * odds)
        if weight < cut then
            break
        end
        below[#below + 1] = weight
    end
    local pmf, sum = {}, 0.0
    for i = #below, 1, -1 do
        pmf[#pmf + 1] = below[i]
    end
    weight = 1.0
    pmf[#pmf + 1] = weight
    for x = mode + 1, n do
        weight = weight * (n - x + 1) * odds / x
        if weight < cut then
            break
        end
        pmf[#pmf + 1] = weight
    end
    for i = 1, #pmf do
        sum = sum + pmf[i]
    end
    for i = 1, #pmf do
        pmf[i] = pmf[i] / sum
    end
    return pmf, mode - #below
end

--- The distribution of the sum of two; outer parts below `cut` of the largest are dropped.
---@return number[] pmf
---@return integer dropped how far the first entry moved
local function convolve(a, b, cut)
    local out, most = {}, 0.0
    for i = 1, #a + #b - 1 do
        out[i] = 0.0
    end
    for i = 1, #a do
        local x = a[i]
        for j = 1, #b do
            out[i + j - 1] = out[i + j - 1] + x * b[j]
        end
    end
    for i = 1, #out do
        most = math.max(most, out[i])
    end
    local first, last = 1, #out
    while out[first] < cut * most do
        first = first + 1
    end
    while out[last] < cut * most do
        last = last - 1
    end
    return table.move(out, first, last, 1, {}), first - 1
end

--- Groups the slots by their chance, rarest first, leaving out those without one. More than MAX_GROUPS are
-- merged, each time the two neighbours where it costs least, on the lower chance: the bound gets a little
-- weaker, never wrong.
---@param slots (number|{slots:integer, p:number})[]
---@return {n:integer, p:number}[]
function distribution.group(slots)
    local count, distinct = {}, 0
    local function add(p, n)
        if p > 0 and n > 0 then
            p = math.min(p, 1.0)
            distinct = distinct + (count[p] and 0 or 1)
            count[p] = (count[p] or 0) + n
        end
    end
    for _, s in ipairs(slots) do
        if type(s) == "table" then
            add(s.p, s.slots)
        else
            add(s, 1)
        end
    end
    if distinct > 1024 then -- the merge below is quadratic
        local fine = count
        count, distinct = {}, 0
        for p, n in pairs(fine) do
            add(math.floor(p * 1024) / 1024, n)
        end
    end
    local groups = {}
    for p, n in pairs(count) do
        groups[#groups + 1] = { n = n, p = p }
    end
    table.sort(groups, function(a, b)
        return a.p < b.p
    end)
    while #groups > MAX_GROUPS do
        local best, cost = 2, math.huge
        for i = 2, #groups do
            local c = groups[i].n * (groups[i].p - groups[i - 1].p)
            if c < cost then
                best, cost = i, c
            end
        end
        groups[best - 1].n = groups[best - 1].n + groups[best].n
        table.remove(groups, best)
    end
    return groups
end

--- The distribution of the number of successes in groups of independent slots (Binomial, or Poisson-binomial
-- by convolution).
local function sum_of(groups, alpha)
    local cut = alpha * 1e-12 -- what is dropped is nothing beside α
    local pmf, first
    for _, g in ipairs(groups) do
        local b, b_first = binomial(g.n, g.p, cut)
        if pmf then
            local dropped
            pmf, dropped = convolve(b, pmf, cut)
            first = first + b_first + dropped
        else
            pmf, first = b, b_first
        end
    end
    if not pmf then
        return { 1.0 }, 0
    end
    return pmf, first
end

--- P[X < m].
function distribution.lower_tail(groups, m, alpha)
    local pmf, first = sum_of(groups, alpha)
    local sum = 0.0
    for i = 1, math.min(#pmf, m - first) do
        sum = sum + pmf[i]
    end
    return sum
end

--- The largest m with P[X < m] ≤ α.
function distribution.quantile(groups, alpha)
    local pmf, first = sum_of(groups, alpha)
    local sum, limit = 0.0, alpha * (1 + SLACK)
    for i = 1, #pmf do
        sum = sum + pmf[i]
        if sum > limit then
            return first + i - 1
        end
    end
    return first + #pmf - 1
end

return distribution
