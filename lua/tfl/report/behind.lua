--- How many blocks each node was behind the highest at any time: a row for each node, dark where it was far behind, hatched where nobody
--- followed it.
local html = require "tfl.report.html"
local plot = require "tfl.report.plot"

local M = {}

local SAMPLES, SHADES, LEAST_ROW, MOST_ROW, TALLEST = 240, 6, 3, 20, 720

--- The height of a node at the times k·t1/SAMPLES; false: not known.
local function sampled(steps, t1)
    local out, at, n = {}, 0, steps and #steps.t or 0
    for k = 1, SAMPLES do
        local t = k * t1 / SAMPLES
        while at < n and steps.t[at + 1] <= t do at = at + 1 end
        out[k] = at > 0 and steps.height[at] or false
    end
    return out
end

--- For each node how far it was behind at each sample, false where not known; and the most.
local function lags_of(run, names, t1)
    local rows, best, most = {}, {}, 0
    for i, name in ipairs(names) do
        rows[i] = sampled(run.events.tips[name], t1)
        for k, height in ipairs(rows[i]) do best[k] = math.max(best[k] or 0, height or 0) end
    end
    for k = 2, SAMPLES do best[k] = math.max(best[k] or 0, best[k - 1] or 0) end
    for _, row in ipairs(rows) do
        for k, height in ipairs(row) do
            row[k] = height and best[k] - height
            most = math.max(most, row[k] or 0)
        end
    end
    return rows, most
end

--- 0: level; 1 to SHADES on a logarithmic scale.
local function shade_of(lag, most)
    if lag == 0 then return 0 end
    return most == 1 and 2 or 1 + math.floor((SHADES - 1) * math.log(lag) / math.log(most) + 0.5)
end

local function draw_row(p, row, most, y, tall)
    local k = 1
    while k <= SAMPLES do
        local value, from = row[k], k
        local shade = value and shade_of(value, most)
        local worst = value or 0
        while k <= SAMPLES and (row[k] and shade_of(row[k], most)) == shade do
            worst, k = math.max(worst, row[k] or 0), k + 1
        end
        if shade ~= 0 then
            local x0, x1 = p:x((from - 1) * p.t1 / SAMPLES), p:x((k - 1) * p.t1 / SAMPLES)
            p:add('<rect class="%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>', shade and "lag h" .. shade
                or "gone", x0, y, x1 - x0, tall, html.text(("%.1f s to %.1f s: %s"):format((from - 1) * p.t1 / SAMPLES,
                (k - 1) * p.t1 / SAMPLES, shade and worst .. " behind" or "not followed")))
        end
    end
end

local function table_of(names, rows, t1)
    local out = {}
    for i, name in ipairs(names) do
        local behind, gone, most = 0, 0, 0
        for _, lag in ipairs(rows[i]) do
            if not lag then gone = gone + 1 elseif lag > 0 then behind, most = behind + 1, math.max(most, lag) end
        end
        out[i] = { html.text(name, 64), { html.number(most), "n" }, { html.seconds(behind * t1 / SAMPLES), "n" },
            { html.seconds(gone * t1 / SAMPLES), "n" } }
    end
    return html.table(("Behind the highest node, looked at %d times"):format(SAMPLES), { "node", { "at most", "n" },
        { "time behind", "n" }, { "not followed", "n" } }, out)
end

local function legend(most)
    local out = { "<p class=\"legend\">", plot.key("k-gone", "not followed"), plot.key("k-fault", "fault") }
    if most > 0 then
        out[#out + 1] = "<span class=\"scale\">1 behind"
        for shade = shade_of(1, most), shade_of(most, most) do out[#out + 1] = ('<i class="swatch h%d"></i>'):format(shade) end
        out[#out + 1] = (most > 1 and html.number(most) or "") .. "</span>"
    end
    return table.concat(out) .. "</p>"
end

---@param run tfl.ReportRun
---@param names string[]
---@param t1 number seconds
function M.figure(run, names, t1)
    local rows, most = lags_of(run, names, t1)
    local tall = math.max(LEAST_ROW, math.min(MOST_ROW, TALLEST / #names))
    local p = plot.new { height = math.ceil(#names * tall) + 50, t1 = t1, top = #names, unit = function() return "" end }
    p:add '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    p:add '<rect class="gap" width="6" height="6"/><rect class="stripe" width="1.5" height="6"/></pattern></defs>'
    p:times()
    p:faults(run.summary.faults)
    for i, name in ipairs(names) do
        local y = p.bottom - (#names - i + 1) * tall
        p:add('<g data-mark="node"><rect class="level" x="%d" y="%.1f" width="%d" height="%.1f"/>', p.left, y + 1, p.right - p.left,
            tall - 2)
        draw_row(p, rows[i], most, y + 1, tall - 2)
        if tall >= 12 then
            p:add('<text class="name" x="%d" y="%.1f" text-anchor="end">%s</text>', p.left - 7, y + tall / 2 + 4,
                html.text(plot.short(name, 8)))
        end
        p:add "</g>"
    end
    return plot.figure {
        id = "chart-behind", title = "Who was behind", marks = { node = #names, fault = #run.summary.faults },
        about = "How many blocks each node was below the highest one; no colour where it was level with it.",
        legend = legend(most), svg = p:svg "How far each node was behind, over time", table = table_of(names, rows, t1),
    }
end

return M
