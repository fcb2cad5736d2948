--- Programs for TFL_NODE_BIN: the real tfl-node with test switches, other programs in its place, and scenarios for them.
local support = require "spec.support"

local nodes = {}

--- The tfl-node beside the tfl under test.
function nodes.tfl_node()
    return (support.tfl:gsub("/[^/]*$", "")) .. "/tfl-node"
end

local function command(what)
    if what:sub(1, 1) == "/" then return support.quote(what) .. ' "$@"' end
    return support.quote(nodes.tfl_node()) .. ' "$@" ' .. what
end

--- A program that runs tfl-node with more arguments: all nodes with spec[1], named ones with spec["node-2"] instead.
-- A value that begins with "/" is a program to run in its place. Returns its path.
---@param spec table
---@return string
function nodes.with(spec)
    local lines = { "#!/bin/sh", 'case "$PWD" in' }
    for name, what in pairs(spec) do
        if name ~= 1 then
            lines[#lines + 1] = ("*/%s) exec %s ;;"):format(name, command(what))
        end
    end
    lines[#lines + 1] = ("*) exec %s ;;"):format(command(spec[1] or ""))
    lines[#lines + 1] = "esac"
    local path = support.write("bin/node", table.concat(lines, "\n") .. "\n")
    os.execute("chmod +x " .. support.quote(path))
    return path
end

--- A scenario file: body is Lua between tfl.scenario("spec") and :build(), head what stands before it.
---@param body string
---@param head? string
---@return string path
function nodes.scenario(body, head)
    return support.write("spec.lua", (head or "") .. '\ntfl.scenario("spec")\n' .. body .. "\n:build()\n")
end

--- What a scenario whose workload is `w` begins with: the workload, and `equal` for it.
nodes.WORKLOAD = [[
local w = tfl.workload "w"
local function equal(want, got, what)
    if want ~= got then error(("%s: expected %s, got %s"):format(what or "?", tostring(want), tostring(got)), 2) end
end
]]

--- The events of a run, in order; with a pattern only those whose type has it.
---@param result table of nodes.run
---@param pattern? string
---@return table[]
function nodes.events(result, pattern)
    local list = {}
    for line in io.lines(result.summary.dir .. "/events.jsonl") do
        local event = support.json(line)
        if not pattern or tostring(event.type):find(pattern) then list[#list + 1] = event end
    end
    return list
end

--- Liveness over `slots` slots of 50 ms on n nodes in a star (or the shape given).
function nodes.liveness(n, slots, shape)
    return nodes.scenario((":topology_with(function(t) t:nodes(%d):%s:slot_duration '50ms' end)"
        .. ":with_run_duration(tfl.slots(%d)):expect_consensus_liveness()"):format(n, shape or "network_star()", slots))
end

--- Passes once one of its nodes has a block, however late: for specs that want any run.
function nodes.quick(n)
    return support.write("spec.lua", ([[
tfl.script("spec", {nodes = %d, topology = function(t) t:slot_duration "50ms" end}, function(ctx) ctx:wait_for_height(1) end)
]]):format(n))
end

--- Runs tfl on a file with --json, and gives the result.
function nodes.run(file, options)
    options = options or {}
    local spec = { file, "--json", "--quiet", env = options.env or {}, timeout = options.timeout }
    for _, word in ipairs(options) do spec[#spec + 1] = word end
    if options.node then spec.env.TFL_NODE_BIN = options.node end
    return support.run(spec)
end

--- The expectation of that name in a result's summary.
function nodes.expectation(result, name)
    for _, e in ipairs(result.summary and result.summary.expectations or {}) do
        if e.name == name then return e end
    end
    error(("no expectation %s in\n%s"):format(name, result.text), 2)
end

return nodes
