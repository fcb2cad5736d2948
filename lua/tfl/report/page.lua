--- The page of a run: what its folder says, as one HTML file.
local behind = require "tfl.report.behind"
local chain = require "tfl.report.chain"
local folder = require "tfl.report.folder"
local heights = require "tfl.report.heights"
local html = require "tfl.report.html"
local load = require "tfl.report.load"
local propagation = require "tfl.report.propagation"
local sections = require "tfl.report.sections"
local shell = require "tfl.report.shell"
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
    local main = table.concat {
        shell.notes(run.notes), -- who reads on must know what is missing
        sections.figures(run), sections.problems(run), sections.expectations(run),
        drawn ~= "" and "<section id=\"charts\" aria-label=\"Charts\"><h2>What happened</h2>" .. drawn .. "</section>\n" or "",
        sections.faults(run), sections.nodes(run), sections.logs(run), sections.again(run),
    }
    return shell.page(("%s · %s · seed %s"):format((s.verdict or "unknown"):upper(), s.scenario or "?", s.seed or "?"),
        sections.header(run), main, data and html.data(data))
end

return M
