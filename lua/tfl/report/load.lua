--- The load: how long transactions took, and how many were sent of those that were planned, over time.
local html = require "tfl.report.html"
local plot = require "tfl.report.plot"

local M = {}

--- Spans of time: so many at most, and so many transactions in each at least.
local SPANS, FEWEST, LEAST = 96, 12, 6
local STAGES = { "accepted", "included", "final" }

local function spans_of(x) return math.max(FEWEST, math.min(SPANS, #x.intended // LEAST)) end
local function span_at(t, t1, spans) return math.max(1, math.min(spans, 1 + math.floor(spans * t / t1))) end

--- Milliseconds from the intended time, by the span of that time: delays[stage][span] = sorted list.
local function delays_of(x, t1, spans)
    local out = {}
    for _, stage in ipairs(STAGES) do
        local list = {}
        for i, at in ipairs(x.intended) do
            local reached = x[stage][i]
            if reached then
                local b = span_at(at, t1, spans)
                list[b] = list[b] or {}
                table.insert(list[b], (reached - at) * 1000)
            end
        end
        for _, one in pairs(list) do table.sort(one) end
        out[stage] = list
    end
    return out
end

local function quantile(list, q) return list[math.max(1, math.ceil(q * #list))] end

local function latency_table(s)
    local rows = {}
    for _, stage in ipairs(STAGES) do
        local l = s.transactions.latency_ms[stage]
        local row = { stage, { html.number(l.n), "n" } }
        for _, key in ipairs { "p50", "p95", "p99", "max" } do row[#row + 1] = { html.ms(l[key]), "n" } end
        rows[#rows + 1] = row
    end
    return html.table("Latency of transactions from their intended time", { "until", { "transactions", "n" }, { "median", "n" },
        { "95 %", "n" }, { "99 %", "n" }, { "longest", "n" } }, rows)
end

--- Latency over time: the median as a dot, the line up to the 95th percentile, for each span of time.
---@param run tfl.ReportRun
---@param t1 number
function M.latency(run, t1)
    local x, s = run.events.transactions, run.summary
    local spans = spans_of(x)
    local delays, low, high = delays_of(x, t1, spans), math.huge, 0
    for _, by_span in pairs(delays) do
        for _, list in pairs(by_span) do low, high = math.min(low, list[1]), math.max(high, quantile(list, 0.95)) end
    end
    if high == 0 then low, high = 1, 1000 end
    low = 10 ^ math.floor(math.log(math.max(low, 0.01), 10))
    local p = plot.new {
        height = 300, t1 = t1, log = true, low = low, top = 10 ^ math.ceil(math.log(math.max(high, low * 10), 10)), unit = html.ms,
    }
    p:axes()
    p:faults(s.faults)
    local marks = { fault = #s.faults }
    for _, stage in ipairs(STAGES) do
        marks[stage] = 0
        for b = 1, spans do
            local list = delays[stage][b]
            if list then
                local at = (b - 0.5) / spans * t1
                local p50, p95 = quantile(list, 0.5), quantile(list, 0.95)
                marks[stage] = marks[stage] + #list
                p:add('<g class="delay s-%s" data-mark="%s" data-n="%d"><title>%s</title><path d="M%.1f %.1fV%.1f"/>'
                    .. '<circle cx="%.1f" cy="%.1f" r="2.6"/></g>', stage, stage, #list,
                    html.text(("%.1f s: %d %s, median %s, 95 %% within %s"):format(at, #list, stage, html.ms(p50), html.ms(p95))),
                    p:x(at), p:y(p50), p:y(p95), p:x(at), p:y(p50))
            end
        end
    end
    return plot.figure {
        id = "chart-latency", title = "Latency of transactions", marks = marks,
        about = "From the time each was meant to be sent: the dot is the median of a span of time, its line reaches to the 95th "
            .. "percentile. The scale is logarithmic.",
        legend = '<p class="legend">' .. plot.key("k-accepted", "accepted by a node") .. plot.key("k-included", "on the chain")
            .. plot.key("k-final", "irreversible") .. plot.key("k-fault", "fault") .. "</p>",
        svg = p:svg "Latency of transactions over time", table = latency_table(s),
    }
end

local function counts_of(x, t1, spans)
    local counts, most = { planned = {}, sent = {}, included = {} }, 1
    for name, list in pairs { planned = x.intended, sent = x.sent, included = x.included } do
        for b = 1, spans do counts[name][b] = 0 end
        for _, at in ipairs(list) do
            if at then
                local b = span_at(at, t1, spans)
                counts[name][b] = counts[name][b] + 1
                most = math.max(most, counts[name][b])
            end
        end
    end
    return counts, most
end

--- Transactions per second: planned, sent and on the chain.
---@param run tfl.ReportRun
---@param t1 number
function M.load(run, t1)
    local x, s = run.events.transactions, run.summary
    local spans = spans_of(x)
    local counts, most = counts_of(x, t1, spans)
    local span = t1 / spans
    local p = plot.new { height = 240, t1 = t1, top = most / span * 1.08, unit = function(v) return ("%g/s"):format(v) end }
    p:axes()
    p:faults(s.faults)
    local marks = { fault = #s.faults, planned = 0, sent = 0, included = 0 }
    local width = (p.right - p.left) / spans
    for b = 1, spans do
        local left = p.left + (b - 1) * width
        for _, name in ipairs { "sent", "planned", "included" } do
            local n, y = counts[name][b], p:y(counts[name][b] / span)
            local shape = name == "sent" and ("M%.1f %.1fh%.1fV%dh%.1fz"):format(left + 0.4, y, width - 0.8, p.bottom, 0.8 - width)
                or ("M%.1f %.1fh%.1f"):format(left, y, width)
            marks[name] = marks[name] + n
            if n > 0 then
                p:add('<path class="b-%s" data-mark="%s" data-n="%d" d="%s"><title>%s</title></path>', name, name, n, shape,
                    html.text(("%.1f s: %d %s (%.1f/s)"):format((b - 0.5) * span, n, name, n / span)))
            end
        end
    end
    local tx, rows = s.transactions, {}
    for i, name in ipairs { "planned", "sent", "accepted", "included", "final", "rejected", "unanswered", "lost", "pending" } do
        rows[i] = { name, { html.number(tx[name]), "n" } }
    end
    return plot.figure {
        id = "chart-load", title = "Load", marks = marks,
        about = "Transactions a second: what the plan asked for, what was sent, and what came onto the chain.",
        legend = '<p class="legend">' .. plot.key("k-planned", "planned") .. plot.key("k-sent", "sent")
            .. plot.key("k-onchain", "on the chain") .. plot.key("k-fault", "fault") .. "</p>",
        svg = p:svg "Load over time", table = html.table("What became of the load", { "", { "transactions", "n" } }, rows),
    }
end

return M
