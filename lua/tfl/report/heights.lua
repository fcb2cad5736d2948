--- Heights and last irreversible blocks of all nodes over time, and the reorganisations below them.
local html = require "tfl.report.html"
local plot = require "tfl.report.plot"

local M = {}

--- Nodes that have a colour of their own.
M.COLOURS = 8
--- Rows of the table, nodes with a button.
local ROWS, BUTTONS = 20, 16

--- The line of a node in columns: nothing is drawn while nobody follows it.
local function path(p, steps, columns)
    local out, pen, last_x, last_y = {}, false, nil, nil
    local n, i = #steps.t, 1
    while i <= n do
        local column = p:x(steps.t[i]) * columns // plot.WIDTH
        while i < n and p:x(steps.t[i + 1]) * columns // plot.WIDTH == column and steps.height[i] and steps.height[i + 1] do
            i = i + 1
        end
        local x, height = p:x(steps.t[i]), steps.height[i]
        if height then
            local y = p:y(height)
            if not pen then
                out[#out + 1] = ("M%.1f %.1f"):format(x, y)
            elseif y ~= last_y then
                out[#out + 1] = ("H%.1fV%.1f"):format(x, y)
            end
            pen, last_x, last_y = true, x, y
        elseif pen then
            out[#out + 1] = ("H%.1f"):format(x)
            pen = false
        end
        i = i + 1
    end
    if pen and last_x < p.right then out[#out + 1] = ("H%.1f"):format(p.right) end
    return table.concat(out)
end

--- The height of a node at time t: its steps are walked forward by `at`.
local function value_at(steps, at, t)
    while steps.t[at + 1] and steps.t[at + 1] <= t do at = at + 1 end
    return at, steps.height[at] or nil
end

local function samples(run, names, t1)
    local rows, at = {}, { tips = {}, libs = {} }
    for k = 0, ROWS do
        local t, row = t1 * k / ROWS, {}
        for _, which in ipairs { "tips", "libs" } do
            local low, high
            for _, name in ipairs(names) do
                local steps, height = run.events[which][name], nil
                if steps then at[which][name], height = value_at(steps, at[which][name] or 0, t) end
                if height then low, high = math.min(low or height, height), math.max(high or height, height) end
            end
            row[which] = low and (low == high and html.number(low) or html.number(low) .. " – " .. html.number(high)) or "–"
        end
        rows[#rows + 1] = { html.seconds(t), { row.tips, "n" }, { row.libs, "n" } }
    end
    return html.table("Heights over time, lowest and highest of the nodes", { "time", { "height", "n" }, { "irreversible", "n" } }, rows)
end

--- Buttons that pick a node out of the lines.
local function legend(names)
    local out = { plot.key("k-tip", "height"), plot.key("k-lib", "last irreversible block"), plot.key("k-fault", "fault") }
    for i, name in ipairs(names) do
        if i > BUTTONS then break end
        out[#out + 1] = ('<button type="button" class="node c%d" data-node="%d" aria-pressed="false">%s</button>'):format(
            (i - 1) % M.COLOURS, i - 1, html.text(name, 64))
    end
    return '<p class="legend">' .. table.concat(out) .. "</p>"
end

---@param run tfl.ReportRun
---@param names string[] of the nodes
---@param t1 number seconds
function M.heights(run, names, t1)
    local top = 1
    for _, name in ipairs(names) do
        for _, height in ipairs(run.events.tips[name] and run.events.tips[name].height or {}) do
            if height and height > top then top = height end
        end
    end
    local p = plot.new { height = 320, t1 = t1, top = top * 1.04, unit = function(v) return html.number(math.tointeger(v) or v) end }
    p:axes()
    p:faults(run.summary.faults)
    local columns = #names > 24 and plot.COLUMNS // 3 or plot.COLUMNS
    local nothing = { t = {}, height = {} }
    for _, which in ipairs { "libs", "tips" } do
        for i, name in ipairs(names) do
            p:add('<path class="%s c%d" data-mark="%s" data-node="%d" d="%s"><title>%s</title></path>', which == "tips" and "tip" or "lib",
                (i - 1) % M.COLOURS, which == "tips" and "tip" or "lib", i - 1,
                path(p, run.events[which][name] or nothing, columns), html.text(name, 64))
        end
    end
    return plot.figure {
        id = "chart-heights", title = "Heights", marks = { tip = #names, lib = #names, fault = #run.summary.faults },
        about = "The height of each node's chain, and dashed the block below which nothing can change any more. A line pauses while its "
            .. "node is down.",
        legend = legend(names), svg = p:svg "Heights of all nodes over time", table = samples(run, names, t1),
    }
end

local function many(n, what) return html.number(n) .. " " .. what .. (n == 1 and "" or "s") end

--- Reorganisations: one stem each, or one for all of the same depth in the same column.
---@param run tfl.ReportRun
---@param index table<string, integer> of nodes
---@param t1 number
function M.reorgs(run, index, t1)
    local r, at, list, deepest = run.events.reorgs, {}, {}, 1
    for i = 1, #r.t do
        local column = r.t[i] / t1 * 300 // 1
        local key = #r.t > 400 and column .. "/" .. r.depth[i] or i
        local one = at[key]
        if not one then
            one = { t = r.t[i], depth = r.depth[i], node = r.node[i], height = r.height[i], n = 0 }
            at[key], list[#list + 1] = one, one
        end
        one.n = one.n + 1
        deepest = math.max(deepest, r.depth[i])
    end
    local p = plot.new { height = 150, t1 = t1, top = deepest * 1.15, unit = function(v) return html.number(math.tointeger(v) or v) end }
    p:axes()
    p:faults(run.summary.faults)
    for _, one in ipairs(list) do
        local x, y = p:x(one.t), p:y(one.depth)
        p:add('<g class="reorg c%d" data-mark="reorg" data-n="%d"><title>%s</title><path d="M%.1f %.1fV%.1f"/>'
            .. '<circle cx="%.1f" cy="%.1f" r="3"/></g>', ((index[one.node] or 1) - 1) % M.COLOURS, one.n,
            html.text(("%.1f s: %s left a branch of %d (to height %d)%s"):format(one.t, one.node, one.depth, one.height,
            one.n > 1 and (", and %d more here"):format(one.n - 1) or "")), x, p.bottom, y, x, y)
    end
    table.sort(list, function(a, b) return a.depth > b.depth or a.depth == b.depth and a.t < b.t end)
    local rows = {}
    for i = 1, math.min(ROWS, #list) do
        local one = list[i]
        rows[i] = { html.seconds(one.t), html.text(one.node, 64), { html.number(one.depth), "n" }, { html.number(one.height), "n" } }
    end
    return plot.figure {
        id = "chart-reorgs", title = "Reorganisations", marks = { reorg = #r.t, fault = #run.summary.faults },
        about = #r.t == 0 and "No node left the branch it was on." or ("A node left the branch it was on %s; the deepest undid %s.")
            :format(many(#r.t, "time"), many(run.summary.blocks.max_reorg_depth or deepest, "block")),
        svg = p:svg "Reorganisations over time, by depth",
        table = #rows > 0 and html.table("The deepest reorganisations", { "time", "node", { "blocks undone", "n" }, { "to height", "n" } },
            rows) or nil,
    }
end

return M
