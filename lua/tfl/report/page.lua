--- The page of a run: from what its folder says to one HTML file that needs nothing else.
local behind = require "tfl.report.behind"
local chain = require "tfl.report.chain"
local folder = require "tfl.report.folder"
local heights = require "tfl.report.heights"
local html = require "tfl.report.html"
local load = require "tfl.report.load"
local propagation = require "tfl.report.propagation"
local sections = require "tfl.report.sections"
local sys = require "tfl.core.sys"
local tree = require "tfl.report.tree"

local M = {}

--- Names of the nodes, as the plan and the summary have them, then those that only events tell of; and their places.
local function nodes_of(run)
    local names, index = {}, {}
    local function add(name)
        if name and not index[name] then
            names[#names + 1] = name
            index[name] = #names
        end
    end
    for _, node in ipairs(run.plan.topology.nodes) do add(node.name) end
    for _, node in ipairs(run.summary.nodes_detail) do add(node.name) end
    local more = {}
    for name in pairs(run.events.tips) do more[#more + 1] = name end
    table.sort(more)
    for _, name in ipairs(more) do add(name) end
    return names, index
end

--- Reads the file of assets/report that lies beside the program.
local function asset(name)
    local prefix = sys.exe():match "^(.*)/[^/]*/[^/]*$" or ""
    return assert(sys.read_file(prefix .. "/share/tfl/assets/report/" .. name))
end

--- What the record does not have, and the summary says was there.
local function tell_missing(run)
    local s, e = run.summary, run.events
    if (s.transactions.planned or 0) > 0 and #e.transactions.intended == 0 then
        run.notes[#run.notes + 1] = "events.jsonl has no times of single transactions, so there are no charts of the load."
    end
    if (s.propagation_ms.samples or 0) > 0 and #e.propagation == 0 then
        run.notes[#run.notes + 1] = "events.jsonl has no propagation by pairs of nodes, so there is no map of it."
    end
end

--- The charts that there is something for, and the data of the block tree.
local function charts(run, names, index)
    local e, out, data = run.events, {}, nil
    local t1 = math.max(e.last_t, run.summary.wall_seconds or 0)
    if next(e.tips) then
        out[#out + 1] = heights.heights(run, names, t1)
        out[#out + 1] = behind.figure(run, names, t1)
    end
    if #e.transactions.intended > 0 then
        out[#out + 1] = load.latency(run, t1)
        out[#out + 1] = load.load(run, t1)
    end
    if e.blocks.n > 0 then
        out[#out + 1], data = tree.figure(run, chain.of(run), index)
        out[#out + 1] = heights.reorgs(run, index, t1)
    end
    if #e.propagation > 0 and run.summary.propagation_ms.samples ~= 0 then out[#out + 1] = propagation.figure(run, names, index) end
    tell_missing(run)
    return table.concat(out), data
end

local HEAD = [[<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
]]

--- The page of a run's folder. Raises usage when it is none.
---@param dir string
---@return string html
function M.of(dir)
    local run = folder.read(dir)
    local names, index = nodes_of(run)
    local drawn, data = charts(run, names, index)
    if data then
        data.names = {}
        for i, name in ipairs(names) do data.names[i] = html.clean(name) end
    end
    local s = run.summary
    return table.concat {
        HEAD, "<title>", html.text(("%s · %s · seed %s"):format((s.verdict or "unknown"):upper(), s.scenario or "?", s.seed or "?"), 200),
        "</title>\n<style>\n", asset "report.css", "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the figures</a>\n",
        sections.header(run), "<main id=\"main\">\n", sections.figures(run), sections.problems(run), sections.expectations(run),
        drawn ~= "" and "<section id=\"charts\" aria-label=\"Charts\"><h2>What happened</h2>" .. drawn .. "</section>\n" or "",
        sections.faults(run), sections.nodes(run), sections.logs(run), sections.again(run), sections.notes(run), "</main>\n",
        data and "<script type=\"application/json\" id=\"tree-data\">" .. html.data(data) .. "</script>\n" or "",
        "<script>\n", asset "report.js", "</script>\n</body>\n</html>\n",
    }
end

return M
