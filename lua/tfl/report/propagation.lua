--- The heat map of propagation: how long blocks took from the node that told of them first (rows) to each other node (columns).
local html = require "tfl.report.html"
local plot = require "tfl.report.plot"

local M = {}

--- Cells a side; of more nodes, neighbours share one. Shades from light to dark.
local SIDE, SHADES = 32, 7
local LEFT, TOP, TABLE_ROWS = 132, 40, 200

--- Cells by row and column: {n, p50, max}; of pairs that share one, the slowest median.
local function cells_of(rows, index, share)
    local cells, low, high, total = {}, math.huge, 0, 0
    for _, row in ipairs(rows) do
        local column = index[row.node]
        for k, name in ipairs(row.from) do
            local line, n, p50 = index[name], row.n[k], row.p50_ms[k]
            if line and column and n and n > 0 and p50 then
                local key = ("%d/%d"):format((line - 1) // share, (column - 1) // share)
                local one = cells[key] or { n = 0, p50 = 0, max = 0 }
                cells[key] = one
                one.n, one.p50, one.max = one.n + n, math.max(one.p50, p50), math.max(one.max, row.max_ms[k] or p50)
                total = total + n
            end
        end
    end
    for _, one in pairs(cells) do low, high = math.min(low, one.p50), math.max(high, one.p50) end
    return cells, low, high, total
end

local function label(names, i, share)
    local first, last = names[(i - 1) * share + 1], names[math.min(#names, i * share)]
    return first == last and first or ("%s +%d"):format(first, math.min(#names, i * share) - (i - 1) * share - 1)
end

--- The shade of a delay on a logarithmic scale from the least to the greatest median.
local function shade_of(ms, low, high)
    if high <= low then return SHADES // 2 end
    local floor = math.max(low, 0.001)
    return math.floor((SHADES - 1) * math.max(0, math.log(math.max(ms, floor) / floor) / math.log(high / floor)) + 0.5)
end

local function legend(low, high)
    local out = { "<p class=\"legend\">", html.ms(low) }
    for shade = 0, SHADES - 1 do out[#out + 1] = ('<i class="swatch h%d"></i>'):format(shade) end
    out[#out + 1] = "<span>" .. html.ms(high) .. " (median)</span></p>"
    return table.concat(out)
end

local function table_of(rows)
    local out = {}
    for _, row in ipairs(rows) do
        for k, name in ipairs(row.from) do
            if #out < TABLE_ROWS then
                out[#out + 1] = { html.text(name, 64), html.text(row.node, 64), { html.number(row.n[k]), "n" },
                    { html.ms(row.p50_ms[k]), "n" }, { html.ms(row.max_ms[k]), "n" } }
            end
        end
    end
    return html.table("Propagation of blocks by pairs of nodes", { "told first", "heard", { "blocks", "n" }, { "median", "n" },
        { "longest", "n" } }, out)
end

---@param run tfl.ReportRun
---@param names string[]
---@param index table<string, integer>
function M.figure(run, names, index)
    local share = math.ceil(#names / SIDE)
    local side = math.ceil(#names / share)
    local cells, low, high, total = cells_of(run.events.propagation, index, share)
    local width = math.min(84, (plot.WIDTH - LEFT - 12) / side)
    local height = math.max(14, math.min(34, width * 0.62))
    local out = {}
    local function add(fmt, ...) out[#out + 1] = fmt:format(...) end
    for i = 1, side do
        add('<text class="name" x="%d" y="%.1f" text-anchor="end">%s</text>', LEFT - 8, TOP + (i - 0.5) * height + 4,
            html.text(plot.short(label(names, i, share), 18)))
        if width > 50 then
            add('<text class="name" x="%.1f" y="%d" text-anchor="middle">%s</text>', LEFT + (i - 0.5) * width, TOP - 10,
                html.text(plot.short(label(names, i, share), 18)))
        end
    end
    add('<text class="axis" x="%d" y="%d" text-anchor="end">told first ↓ &#160; heard →</text>', LEFT - 8, TOP - 10)
    for i = 1, side do
        for j = 1, side do
            local one, x, y = cells[("%d/%d"):format(i - 1, j - 1)], LEFT + (j - 1) * width, TOP + (i - 1) * height
            if one then
                local shade = shade_of(one.p50, low, high)
                add('<g class="cell h%d" data-mark="cell" data-n="%d"><title>%s</title><rect x="%.1f" y="%.1f" width="%.1f" '
                    .. 'height="%.1f" rx="2"/>', shade, one.n, html.text(("%s → %s: %d blocks, median %s, longest %s"):format(
                    label(names, i, share), label(names, j, share), one.n, html.ms(one.p50), html.ms(one.max))), x + 1, y + 1,
                    width - 2, height - 2)
                if width > 50 then
                    add('<text x="%.1f" y="%.1f" text-anchor="middle">%s</text>', x + width / 2, y + height / 2 + 4, html.ms(one.p50))
                end
                add "</g>"
            else
                add('<rect class="none" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="2"/>', x + 1, y + 1, width - 2, height - 2)
            end
        end
    end
    local tall = math.ceil(TOP + side * height + 6)
    return plot.figure {
        id = "chart-propagation", title = "Propagation of blocks", marks = { cell = total },
        about = ("How long a block took from the node that told of it first to each other node: %s samples, median %s, 99 %% within %s.")
            :format(html.number(run.summary.propagation_ms.samples or total), html.ms(run.summary.propagation_ms.p50),
            html.ms(run.summary.propagation_ms.p99)) .. (share > 1 and (" Each cell is the slowest pair of %d × %d nodes."):format(share,
            share) or ""),
        legend = total > 0 and legend(low, high) or nil, svg = plot.svg(tall, "Propagation of blocks between nodes", table.concat(out)),
        table = table_of(run.events.propagation),
    }
end

return M
