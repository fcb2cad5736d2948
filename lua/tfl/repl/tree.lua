--- Blocks as a person sees them: the canonical chain as a table, and all of them as a tree.
local show = require "tfl.repl.show"

local M = {}

local NONE = { "these nodes have no chain" }

--- {[block id] = "node-0 node-2"}: whose tip, and whose last final block it is.
local function marks(session)
    local feed, tips, finals = session.run.feed, {}, {}
    for _, name in ipairs(session.run:live_nodes()) do
        local tip, lib = feed:tip(name), feed:lib(name)
        if tip and tip.id then tips[tip.id] = (tips[tip.id] and tips[tip.id] .. " " or "") .. name end
        if lib and lib.height then finals[#finals + 1] = lib.height end
    end
    table.sort(finals)
    return tips, finals[1] or 0
end

--- The last n blocks of the canonical chain.
---@return string[] lines
function M.blocks(session, n)
    local run, rows = session.run, {}
    if not run.feed then return NONE end
    local blocks = run.feed:canonical { nodes = run:live_nodes() }
    local tips, final = marks(session)
    for i = math.max(1, #blocks - n + 1), #blocks do
        local b = blocks[i]
        rows[#rows + 1] = {
            tostring(b.height), tostring(b.slot), b.id:sub(1, 12), tostring(b.n_transactions or 0),
            b.height <= final and "final" or "", tips[b.id] or "",
        }
    end
    if #rows == 0 then return { "no block yet" } end
    return show.columns({ "height", "slot", "id", "txs", "", "tip of" }, rows)
end

--- All blocks of the last n heights: the longest branch goes straight down, others are indented where they leave it.
---@return string[] lines
function M.lines(session, n)
    if not session.run.feed then return NONE end
    local blocks, top = session.watch:latest(n)
    if #blocks == 0 then return { "no block yet" } end
    local tips, final = marks(session)
    local children, known, reach = {}, {}, {}
    for _, b in ipairs(blocks) do known[b.id] = b end
    for i = #blocks, 1, -1 do -- children come after their parents
        local b = blocks[i]
        reach[b.id] = math.max(reach[b.id] or 0, b.height)
        if b.parent and known[b.parent] then
            children[b.parent] = children[b.parent] or {}
            table.insert(children[b.parent], b)
            reach[b.parent] = math.max(reach[b.parent] or 0, reach[b.id])
        end
    end
    local lines, roots = {}, {}
    for _, b in ipairs(blocks) do
        if not (b.parent and known[b.parent]) then roots[#roots + 1] = b end
    end
    local function longest_first(a, b)
        if reach[a.id] ~= reach[b.id] then return reach[a.id] > reach[b.id] end
        return a.slot < b.slot
    end
    local function draw(b, indent, lead)
        while b do
            local notes = {}
            if (b.n_transactions or 0) > 0 then notes[1] = b.n_transactions .. " txs" end
            if b.height == final then notes[#notes + 1] = "final" end
            if tips[b.id] then notes[#notes + 1] = "← " .. tips[b.id] end
            lines[#lines + 1] = ("  %5d  %s%s slot %d  %s"):format(b.height, indent .. lead, b.id:sub(1, 8), b.slot,
                table.concat(notes, "  ")):gsub("%s+$", "")
            local next_ones = children[b.id] or {}
            table.sort(next_ones, longest_first)
            for i = 2, #next_ones do draw(next_ones[i], indent .. "│ ", "└─") end
            b, lead = next_ones[1], ""
        end
    end
    table.sort(roots, longest_first)
    for i, root in ipairs(roots) do draw(root, i > 1 and "│ " or "", "") end
    lines[#lines + 1] = ("  height %d; final up to %d"):format(top, final)
    return lines
end

return M
