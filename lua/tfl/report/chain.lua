--- The block tree of a run: which blocks are on the chain, where branches leave it, what of it lies in the window.
local M = {}

--- The tip of the chain that the figures are of: the summary names it; older ones do not, then the highest tip, of equals the one that
--- more nodes have.
local function tip_of(run)
    local blocks, s = run.events.blocks, run.summary
    if s.blocks.tip and blocks.index[s.blocks.tip] then return blocks.index[s.blocks.tip] end
    local votes, best = {}, nil
    for _, node in ipairs(s.nodes_detail) do
        local i = blocks.index[node.tip or run.events.tip[node.name or ""] or ""]
        if i and blocks.height[i] then
            votes[i] = (votes[i] or 0) + 1
            local higher = not best or blocks.height[i] > blocks.height[best]
            if higher or blocks.height[i] == blocks.height[best] and votes[i] > votes[best] then best = i end
        end
    end
    for i = 1, best and 0 or blocks.n do
        if blocks.height[i] and (not best or blocks.height[i] > blocks.height[best]) then best = i end
    end
    return best
end

--- The blocks at or below a tip, added to a set; it ends at what is in the set, whatever the file says.
local function ancestors(blocks, i, set)
    set = set or {}
    while i and not set[i] do
        set[i] = true
        i = blocks.up[i]
    end
    return set
end

---@class tfl.ReportChain
---@field main table<integer, boolean> blocks on the chain of the highest tip
---@field canonical table<integer, boolean> those that all living nodes had at the end
---@field final table<integer, boolean> those that were irreversible at some node
---@field window fun(i: integer): boolean
---@field n table observed, canonical, forks, fork_blocks, loose (never connected): of the window
---@field order integer[] blocks by height, the chain first
---@field depth table<integer, integer> blocks since the branch left the chain; 0 on it

--- The chain of a run.
---@param run tfl.ReportRun
---@return tfl.ReportChain
function M.of(run)
    local blocks = run.events.blocks
    local s0, s1 = table.unpack(run.events.window or { 0, math.huge })
    local root = blocks.n > 0 and not blocks.up[1] and not blocks.orphans[1] and 1 or nil
    local chain = { main = ancestors(blocks, tip_of(run)), depth = {}, n = {
        observed = 0, canonical = 0, forks = 0, fork_blocks = 0, loose = 0,
    } }
    local common = run.summary.blocks.common
    chain.canonical = common and blocks.index[common] and ancestors(blocks, blocks.index[common]) or chain.main
    chain.final = {}
    for _, id in pairs(run.events.lib) do ancestors(blocks, blocks.index[id], chain.final) end
    for _, id in ipairs(run.events.undone_libs) do ancestors(blocks, blocks.index[id], chain.final) end
    function chain.window(i) return i ~= root and blocks.slot[i] >= s0 and blocks.slot[i] < s1 end
    M.sort(chain, blocks)
    for _, i in ipairs(chain.order) do
        local up = blocks.up[i]
        chain.depth[i] = chain.main[i] and 0 or (up and chain.depth[up] or 0) + 1
        if chain.window(i) then
            local n, linked = chain.n, blocks.height[i]
            n.observed = n.observed + 1
            if chain.canonical[i] then n.canonical = n.canonical + 1 end
            if not linked then n.loose = n.loose + 1 end
            if linked and not chain.main[i] then
                n.fork_blocks = n.fork_blocks + 1
                if chain.main[up] then n.forks = n.forks + 1 end
            end
        end
    end
    return chain
end

--- Blocks that were never connected get the height of the block of the chain that has their slot or the next lower one.
local function heights_of(chain, blocks)
    local loose, main, height = {}, {}, {}
    for i = 1, blocks.n do
        height[i] = blocks.height[i]
        if not height[i] then loose[#loose + 1] = i elseif chain.main[i] then main[#main + 1] = i end
    end
    if #loose > 0 then table.sort(main, function(a, b) return height[a] < height[b] end) end
    for _, i in ipairs(loose) do
        local low, high = 1, #main
        while low < high do
            local mid = (low + high + 1) // 2
            if blocks.slot[main[mid]] <= blocks.slot[i] then low = mid else high = mid - 1 end
        end
        height[i] = main[low] and height[main[low]] or 0
    end
    return height
end

--- Makes chain.heights (those that are there, ascending), chain.order (all blocks by height, of each the chain's first) and chain.row
--- (which of the heights a block has).
function M.sort(chain, blocks)
    local height, heights, on, first, after = heights_of(chain, blocks), {}, {}, {}, {}
    for i = blocks.n, 1, -1 do
        local h = height[i]
        if not first[h] and not on[h] then heights[#heights + 1] = h end
        if chain.main[i] and not on[h] then on[h] = i else first[h], after[i] = i, first[h] or false end
    end
    table.sort(heights)
    chain.order, chain.row, chain.heights = {}, {}, heights
    local order, row, n = chain.order, chain.row, 0
    local function add(i, at)
        n = n + 1
        order[n], row[i] = i, at
    end
    for at, h in ipairs(heights) do
        if on[h] then add(on[h], at) end
        local i = first[h]
        while i do
            add(i, at)
            i = after[i]
        end
    end
end

return M
