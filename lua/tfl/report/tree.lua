--- The block tree: an overview of all heights that tfl draws, and the columns of data from which the page draws a stretch of it.
local html = require "tfl.report.html"
local plot = require "tfl.report.plot"

local M = {}

local BINS, HEIGHT, DEEPEST = 320, 92, 20
--- Bits of a block's flags, as assets/report/report.js reads them.
local MAIN, CANONICAL, FINAL, WINDOW, LOOSE = 1, 2, 4, 8, 16

--- Heights by bins: blocks on the chain, blocks off it, and the deepest branch.
local function bins_of(chain)
    local rows, bins = #chain.heights, {}
    local n = math.max(1, math.min(BINS, rows))
    for b = 1, n do bins[b] = { on = 0, off = 0, depth = 0, on_window = 0, off_window = 0 } end
    for _, i in ipairs(chain.order) do
        local row = chain.row[i]
        local one = bins[math.min(n, 1 + (row - 1) * n // math.max(1, rows))]
        one.first, one.last = one.first or chain.heights[row], chain.heights[row]
        local key = chain.main[i] and "on" or "off"
        one[key] = one[key] + 1
        if chain.window(i) then one[key .. "_window"] = one[key .. "_window"] + 1 end
        one.depth = math.max(one.depth, chain.depth[i])
    end
    return bins
end

local function overview(chain)
    local bins, out, deepest = bins_of(chain), {}, 1
    for _, one in ipairs(bins) do deepest = math.max(deepest, one.depth) end
    local left, width = 12, (plot.WIDTH - 24) / #bins
    local function bar(kind, one, b, y, tall)
        local n = one[kind == "block" and "on_window" or "off_window"]
        out[#out + 1] = ('<rect class="o-%s"%s x="%.1f" y="%.1f" width="%.2f" height="%.1f"><title>%s</title></rect>'):format(kind,
            n > 0 and (' data-mark="%s" data-n="%d"'):format(kind, n) or "", left + (b - 1) * width, y, math.max(0.6, width - 0.4),
            tall, html.text(("heights %d to %d: %d blocks on the chain, %d off it, deepest branch %d"):format(one.first, one.last,
            one.on, one.off, one.depth)))
    end
    for b, one in ipairs(bins) do
        if one.on > 0 then bar("block", one, b, 30, 10) end
        if one.off > 0 then bar("fork", one, b, 44, 4 + 40 * math.min(1, one.depth / deepest)) end
    end
    out[#out + 1] = '<rect id="tree-lens" class="lens" x="0" y="24" width="0" height="66" hidden></rect>'
    out[#out + 1] = ('<text class="tick" x="12" y="16">height %s</text><text class="tick" x="%d" y="16" text-anchor="end">%s</text>')
        :format(html.number(chain.heights[1] or 0), plot.WIDTH - 12, html.number(chain.heights[#chain.heights] or 0))
    return plot.svg(HEIGHT, "All heights: the chain, and below it how deep branches went", table.concat(out))
end

--- Where branches leave the chain, the deepest first.
local function deepest_of(run, chain)
    local blocks, root_of, branches = run.events.blocks, {}, {}
    for _, i in ipairs(chain.order) do
        if not chain.main[i] and blocks.height[i] then
            local up = blocks.up[i]
            local branch = up and root_of[up]
            if not branch then
                branch = { at = up and blocks.height[up], first = i, n = 0, depth = 0 }
                branches[#branches + 1] = branch
            end
            root_of[i] = branch
            branch.n, branch.depth = branch.n + 1, math.max(branch.depth, chain.depth[i])
        end
    end
    table.sort(branches, function(a, b) return a.depth > b.depth or a.depth == b.depth and a.first < b.first end)
    return branches
end

local function branch_table(run, branches)
    local blocks, rows = run.events.blocks, {}
    for k = 1, math.min(DEEPEST, #branches) do
        local one = branches[k]
        rows[k] = {
            '<a href="#chart-tree" data-go="' .. (one.at or 0) .. '">' .. html.number(one.at) .. "</a>", { html.number(one.depth), "n" },
            { html.number(one.n), "n" }, { html.number(blocks.slot[one.first]), "n" }, html.text(blocks.node[one.first] or "?", 64),
            "<code>" .. html.text(blocks.id[one.first]:sub(1, 12)) .. "</code>",
        }
    end
    local caption = #branches > DEEPEST and ("The %d deepest of %s branches"):format(DEEPEST, html.number(#branches)) or "Branches"
    return html.table(caption, { "leaves at height", { "blocks deep", "n" }, { "blocks", "n" }, { "first slot", "n" }, "told by",
        "first block" }, rows)
end

--- The blocks as columns, in the order of the chain; heights, parents and slots as differences, which are short.
local function data_of(run, chain, index)
    local blocks, place = run.events.blocks, {}
    local data = { row = {}, up = {}, slot = {}, node = {}, tx = {}, t = {}, flag = {}, id = {}, heights = chain.heights }
    local row, slot = 0, 0
    for k, i in ipairs(chain.order) do
        place[i] = k
        local parent = place[blocks.up[i]]
        data.row[k], row = chain.row[i] - row, chain.row[i]
        data.up[k] = parent and k - parent or 0
        data.slot[k], slot = blocks.slot[i] - slot, blocks.slot[i]
        data.node[k] = index[blocks.node[i] or ""] and index[blocks.node[i]] - 1 or -1
        data.tx[k], data.t[k] = blocks.transactions[i], math.floor(blocks.t[i] * 1000)
        data.flag[k] = (chain.main[i] and MAIN or 0) + (chain.canonical[i] and CANONICAL or 0) + (chain.final[i] and FINAL or 0)
            + (chain.window(i) and WINDOW or 0) + (blocks.height[i] and 0 or LOOSE)
        data.id[k] = html.clean(blocks.id[i]:sub(1, 8))
    end
    return data
end

local controls = [[<div class="tree-tools" hidden><button type="button" id="tree-first">« first</button>
<button type="button" id="tree-back">‹ back</button><label>height <input type="range" id="tree-at" min="1" max="1" value="1"></label>
<button type="button" id="tree-on">on ›</button><button type="button" id="tree-last">last »</button>
<button type="button" id="tree-fork">next branch</button></div>
<div class="scroll" id="tree-box" tabindex="0" role="group" aria-label="Block tree: arrow keys go from block to block"></div>
<p id="tree-say" class="say" aria-live="polite"></p>
<noscript><p class="about">Single blocks are drawn by a script, which is off here; overview and table have the rest.</p></noscript>]]

--- The figure, and the data for the script.
---@param run tfl.ReportRun
---@param chain tfl.ReportChain
---@param index table<string, integer>
---@return string html
---@return table data
function M.figure(run, chain, index)
    local n = chain.n
    local branches = deepest_of(run, chain)
    local figure = plot.figure {
        id = "chart-tree", title = "Block tree",
        marks = {
            block = n.observed - (n.fork_blocks + n.loose), fork = n.fork_blocks + n.loose, forks = n.forks,
            observed = n.observed, canonical = n.canonical,
        },
        about = "Above all heights: the chain, and below it how deep branches went. Below, block by block: filled when irreversible, "
            .. "coloured by the node that told of it first.",
        svg = overview(chain), more = controls, table = branch_table(run, branches),
    }
    return figure, data_of(run, chain, index)
end

return M
