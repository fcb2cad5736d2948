--- The formulas of JUDGING.md: what a healthy chain does almost surely, as pure functions.
--
-- f: active slot coefficient; p: chance that a slot brings growth; W: slots in the window; Δ: extra slots a
-- block may need to reach every node; α, ε: the chance of being wrong that a run accepts (1e-6).
local distribution = require("tfl.verdict.distribution")

local bounds = {}

--- Slack under a ceil: ln α ÷ ln(1 − f) is 6 for f = 0.9, not 6.0000001. The same, relative, of comparisons
-- with α.
local SLACK = 1e-9

local group, lower_tail, quantile = distribution.group, distribution.lower_tail, distribution.quantile

local function ceil(x)
    return math.ceil(x - SLACK)
end

--- Chance of at most `blocks` growth slots. JUDGING, Liveness: the lower tail of X.
---@param p number|(number|{slots:integer, p:number})[] one chance for all slots, or one for each slot or run of slots
---@param W integer|nil number of slots; needed when p is a number
---@param blocks integer
---@return number
function bounds.chance_of_at_most(p, W, blocks)
    local groups = group(type(p) == "table" and p or { { slots = W, p = p } })
    return math.min(1.0, lower_tail(groups, blocks + 1, 1e-30))
end

--- Growth that must be seen: the largest m with P[X ≥ m] ≥ 1 − α, X = Binomial(W − mΔ, p), Poisson-binomial
-- over the p_s when they differ. With Δ > 0 and differing p_s the least p > 0 stands for all, over the slots
-- that have one (the others promise nothing).
---@param p number|(number|{slots:integer, p:number})[] one chance for all slots, or one for each slot or run of slots
---@param W integer|nil number of slots; needed when p is a number
---@param delta integer
---@param alpha number
---@return integer
function bounds.required_blocks(p, W, delta, alpha)
    local groups = group(type(p) == "table" and p or { { slots = W, p = p } })
    if #groups == 0 then
        return 0
    elseif delta == 0 then
        return quantile(groups, alpha)
    end
    local n = 0
    for _, g in ipairs(groups) do
        n = n + g.n
    end
    local least, limit = groups[1].p, alpha * (1 + SLACK)
    local low, high = 0, n // (1 + delta)
    while low < high do -- P[X < m] grows with m
        local m = (low + high + 1) // 2
        if lower_tail({ { n = n - m * delta, p = least } }, m, alpha) <= limit then
            low = m
        else
            high = m - 1
        end
    end
    return low
end

--- Expected growth: Σ p_s, thinned by the slots in which a block is still on its way: Σ p_s ÷ (1 + p_s Δ).
---@param p number|(number|{slots:integer, p:number})[]
---@param W integer|nil
---@param delta integer
---@return number
function bounds.expected_blocks(p, W, delta)
    local sum = 0.0
    for _, s in ipairs(type(p) == "table" and p or { { slots = W, p = p } }) do
        local chance, n = s, 1
        if type(s) == "table" then
            chance, n = s.p, s.slots
        end
        sum = sum + n * chance / (1 + chance * delta)
    end
    return sum
end

--- The least window in which a missing chain can be told from bad luck: W ≥ ln α ÷ ln(1 − f) (+ Δ: m = 1
-- takes Δ slots).
---@param f number
---@param alpha number
---@param delta? integer
---@return integer
function bounds.min_window(f, alpha, delta)
    local n = f >= 1 and 1 or math.max(1, ceil(math.log(alpha) / math.log(1 - f)))
    return n + (delta or 0)
end

--- The run of slots without growth that is too long: ⌈ln(α ÷ W) ÷ ln(1 − f)⌉. With Δ > 0, 2Δ more: after a
-- block is made, the next Δ leaders may still build beside it, and the block that wins a height may be Δ
-- slots younger than the first.
---@param f number
---@param W integer
---@param alpha number
---@param delta? integer
---@return integer
function bounds.stall_bound(f, W, alpha, delta)
    local n = f >= 1 and 1 or math.max(1, ceil(math.log(alpha / W) / math.log(1 - f)))
    return n + 2 * (delta or 0)
end

--- The least window a plan may have: one block is required (min_window), and half of it is no shorter than
-- the stall bound. Both sides grow with W, so going up from the first bound finds the least W.
---@param f number
---@param alpha number
---@param delta? integer
---@return integer
function bounds.needed_window(f, alpha, delta)
    local W = bounds.min_window(f, alpha, delta)
    while true do
        local needed = 2 * bounds.stall_bound(f, W, alpha, delta)
        if needed <= W then
            return W
        end
        W = needed
    end
end

--- Security parameter: f′ = 1 − (1 − f)^(1+Δ), ρ = (1 − √(1 − f′))² ÷ f′, k ≥ ⌈ln(ε ÷ W) ÷ ln ρ⌉. With f = 1
-- there is one staker (more are refused) and no fork: 1.
---@param f number
---@param delta integer
---@param W integer
---@param epsilon number
---@return integer
function bounds.security_param(f, delta, W, epsilon)
    if f >= 1 then
        return 1
    end
    local rest = (1 - f) ^ (1 + delta)
    local rho = (1 - math.sqrt(rest)) ^ 2 / (1 - rest)
    return math.max(1, ceil(math.log(epsilon / W) / math.log(rho)))
end

--- Δ = max(0, ⌈worst planned propagation ÷ τ⌉ − 1).
---@param hops integer the diameter of the graph
---@param hop_ms number the worst delay planned for one hop
---@param slot_ms number
---@return integer
function bounds.planned_delta(hops, hop_ms, slot_ms)
    return math.max(0, ceil(hops * hop_ms / slot_ms) - 1)
end

--- Slots that a healthy cluster needs after a fault has ended: a dead connection is noticed within 2 s and dialled again within
-- 0.5 s, then the nodes pass on what they missed; 2(Δ + 1) slots for the blocks that are on their way.
---@param slot_seconds number
---@param delta integer
---@return integer
function bounds.recovery_slots(slot_seconds, delta)
    return ceil(2.5 / slot_seconds) + 2 * (delta + 1)
end

--- The least x with P[X ≤ x] ≥ q, X = Binomial(n, p).
---@param q number
---@param n integer
---@param p number
---@return integer
function bounds.binomial_quantile(q, n, p)
    -- P[X > x] = P[n − X < n − x] ≤ 1 − q: the small tail is exact, 1 − (1 − tail) would not be
    return n - quantile(group({ { slots = n, p = 1 - p } }), 1 - q)
end

--- Chance that a slot brings growth: p_s = 1 − (1 − f)^(a_s).
---@param f number
---@param share number stake of the largest connected component of ready nodes, as a share of all
---@return number
function bounds.growth_chance(f, share)
    return share >= 1 and f or 1 - (1 - f) ^ share
end

--- Shares of the stake held by the components of the nodes that are up, joined by links that are not cut: the largest first.
---@param stakes number[] stakes[i] is that of node i − 1
---@param edges integer[][] {a, b}, zero-based
---@param faults? {down?:table<integer, boolean>, cut?:fun(a:integer, b:integer):boolean} down: node → true
---@return number[] one at least: 0 when no node is up
function bounds.component_shares(stakes, edges, faults)
    local down = faults and faults.down or {}
    local cut = faults and faults.cut or function()
        return false
    end
    local parent = {}
    for i = 0, #stakes - 1 do
        parent[i] = i
    end
    local function root(i)
        while parent[i] ~= i do
            parent[i] = parent[parent[i]]
            i = parent[i]
        end
        return i
    end
    for _, e in ipairs(edges) do
        local a, b = e[1], e[2]
        if not down[a] and not down[b] and not cut(a, b) then
            parent[root(a)] = root(b)
        end
    end
    local held, total, shares = {}, 0, {}
    for i, stake in ipairs(stakes) do
        total = total + stake
        if not down[i - 1] then
            local r = root(i - 1)
            held[r] = (held[r] or 0) + stake
        end
    end
    for _, stake in pairs(held) do
        shares[#shares + 1] = total > 0 and stake / total or 0.0
    end
    table.sort(shares, function(a, b)
        return a > b
    end)
    shares[1] = shares[1] or 0.0
    return shares
end

--- Share of the stake held by the component that holds most; arguments as for component_shares.
---@return number
function bounds.component_share(stakes, edges, faults)
    return bounds.component_shares(stakes, edges, faults)[1]
end

--- Growth of the smaller side of a partition that only chance ε exceeds: Q(1 − ε; Binomial(T + H, 1 − (1 −
-- f)^a_min)).
local function branch_length(f, share, slots, epsilon)
    return bounds.binomial_quantile(1 - epsilon, slots, bounds.growth_chance(f, share))
end

--- A planned partition must heal before the shorter branch is final: Q(1 − ε; …) + k_healthy ≤ k.
---@param q {f:number, share:number, slots:integer, heal_slots:integer, k:integer, k_healthy:integer, epsilon:number}
---@return boolean ok
---@return string|nil message the remedy
---@return integer needed_k
---@return integer max_slots the longest partition that this k bears; 0: none
function bounds.check_partition(q)
    local function need(slots)
        return branch_length(q.f, q.share, slots + q.heal_slots, q.epsilon) + q.k_healthy
    end
    local needed = need(q.slots)
    if needed <= q.k then
        return true, nil, needed, q.slots
    end
    local low, high = 0, q.slots
    while low < high do
        local mid = (low + high + 1) // 2
        if need(mid) <= q.k then
            low = mid
        else
            high = mid - 1
        end
    end
    local shorter = low > 0 and (" or shorten to %d slots"):format(low) or ""
    return false,
        ("a partition of %d slots may outgrow security_param %d: both sides would finalise for ever apart; "
            .. "raise k to %d%s"):format(q.slots, q.k, needed, shorter),
        needed,
        low
end

return bounds
