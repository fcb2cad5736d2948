--- Charts over the time of a run as inline SVG: frame, axes, bands of faults, and figures with a table behind them.
--- A mark is an element with data-mark (what it stands for) and data-n (for how many; 1 when it is not there).
local html = require "tfl.report.html"

local M = {}

local WIDTH, LEFT, RIGHT, TOP, BOTTOM = 960, 60, 12, 12, 26
M.WIDTH = WIDTH
--- Columns that lines are drawn in: of what lies in one, the last counts.
M.COLUMNS = 444

--- Steps of 1, 2, 5 × 10^n: at most `most` of them up to high.
---@return number
function M.step(high, most)
    if high <= 0 then return 1 end
    local step = 10 ^ math.floor(math.log(high / most, 10))
    for _, factor in ipairs { 1, 2, 5, 10 } do
        if high / (step * factor) <= most then return step * factor end
    end
    return step * 10
end

local Plot = {}
Plot.__index = Plot

--- A frame over the seconds [0, t1].
---@param options {height: integer, t1: number, top: number, low: number|nil, log: boolean|nil, unit: fun(x: number): string}
function M.new(options)
    local self = setmetatable({ parts = {}, bottom = options.height - BOTTOM, left = LEFT, right = WIDTH - RIGHT }, Plot)
    for key, value in pairs(options) do self[key] = value end
    self.t1 = math.max(self.t1, 0.001)
    return self
end

function Plot:x(t) return LEFT + (WIDTH - LEFT - RIGHT) * math.max(0, math.min(1, t / self.t1)) end

function Plot:y(v)
    local share
    if self.log then
        share = (math.log(math.max(v, self.low)) - math.log(self.low)) / (math.log(self.top) - math.log(self.low))
    else
        share = v / self.top
    end
    return self.bottom - (self.bottom - TOP) * math.max(0, math.min(1, share))
end

function Plot:add(fmt, ...) self.parts[#self.parts + 1] = fmt:format(...) end

local function clock(t, step)
    if step >= 3600 then return ("%g h"):format(t / 3600) end
    if step >= 60 then return ("%g min"):format(t / 60) end
    return ("%g s"):format(t)
end

--- The axis of time.
function Plot:times()
    local step = M.step(self.t1, 10)
    if self.t1 > 300 then step = math.max(60, 60 * M.step(self.t1 / 60, 10)) end
    if self.t1 > 10800 then step = math.max(3600, 3600 * M.step(self.t1 / 3600, 10)) end
    local t = 0
    while t <= self.t1 do
        self:add('<text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>', self:x(t), self.bottom + 17, clock(t, step))
        t = t + step
    end
end

function Plot:axes()
    self:times()
    local function line(v)
        self:add('<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>', LEFT, WIDTH - RIGHT, self:y(v), self:y(v))
        self:add('<text class="tick" x="%d" y="%.1f" text-anchor="end">%s</text>', LEFT - 7, self:y(v) + 3.5, self.unit(v))
    end
    if self.log then
        local v = 10 ^ math.ceil(math.log(self.low, 10) - 1e-9)
        while v <= self.top * 1.0001 do
            line(v)
            v = v * 10
        end
        return
    end
    local every = math.max(1, M.step(self.top, 5))
    for i = 0, self.top // every do line(i * every) end
end

--- Bands of the faults; those that begin in the same column are one mark.
---@param faults table[] of the summary
function Plot:faults(faults)
    local at, columns = {}, {}
    for _, fault in ipairs(faults) do
        local from = fault.from or 0
        local to = math.max(from, fault.ready or fault.to or self.t1)
        local column = self:x(from) // 2
        local one = at[column]
        if not one then
            one = { from = from, to = to, n = 0, words = {} }
            at[column] = one
            columns[#columns + 1] = one
        end
        one.n, one.to = one.n + 1, math.max(one.to, to)
        local what = fault.text or table.concat(fault.targets, ", ", 1, math.min(6, #fault.targets))
        if #one.words < 4 then one.words[#one.words + 1] = ("%.1f s %s %s"):format(from, fault.verb or fault.name or "?", what) end
    end
    for _, one in ipairs(columns) do
        local x = self:x(one.from)
        local width = math.max(2.5, self:x(one.to) - x)
        self:add('<g class="fault" data-mark="fault" data-n="%d"><title>%s</title><rect x="%.1f" y="%d" width="%.1f" height="%d"/>'
            .. '<path d="M%.1f %dh%.1f"/></g>', one.n, html.text(table.concat(one.words, "\n") .. (one.n > #one.words
            and ("\n… %d more"):format(one.n - #one.words) or "")), x, TOP, width, self.bottom - TOP, x, TOP, width)
    end
end

--- The picture. `about` is what a reader hears who cannot see it.
---@param about string
---@return string
function Plot:svg(about) return M.svg(self.height, about, table.concat(self.parts)) end

---@param height number
---@param about string
---@param content string
function M.svg(height, about, content)
    return ('<div class="scroll" tabindex="0" role="group" aria-label="%s"><svg viewBox="0 0 %d %d" role="img" aria-label="%s">')
        :format(html.text(about), WIDTH, height, html.text(about)) .. content .. "</svg></div>"
end

--- A chart with its title, a word on it, its legend and the table behind it. marks: how many of what it shows, for whoever checks.
---@param options {id: string, title: string, about: string, marks: table<string, integer>, legend: string|nil, svg: string,
---  table: string|nil, more: string|nil}
function M.figure(options)
    local attributes = { id = options.id, class = "chart", ["data-chart"] = options.id:gsub("^chart%-", "") }
    for name, n in pairs(options.marks) do attributes["data-marks-" .. name] = n end
    local out = {
        "<h3>", options.title, "</h3><p class=\"about\">", options.about, "</p>", options.legend or "", options.svg,
        options.more or "",
    }
    if options.table then
        out[#out + 1] = "<details class=\"behind\"><summary>The same as a table</summary>" .. options.table .. "</details>"
    end
    return html.el("figure", attributes, table.concat(out))
end

--- A name that is cut after so many characters.
---@param name string
---@param longest integer
function M.short(name, longest)
    return utf8.len(name) and utf8.len(name) > longest and name:sub(1, utf8.offset(name, longest) - 1) .. "…" or name
end

--- One entry of a legend.
---@param class string
---@param label string HTML
function M.key(class, label) return ('<span class="key"><i class="%s"></i>%s</span>'):format(class, label) end

return M
