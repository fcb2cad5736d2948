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

--- Liveness over `slots` slots of 50 ms on n nodes in a star (or the shape given).
function nodes.liveness(n, slots, shape)
    return nodes.scenario((":topology_with(function(t) t:nodes(%d):%s:slot_duration '50ms' end)"
        .. ":with_run_duration(tfl.slots(%d)):expect_consensus_liveness()"):format(n, shape or "network_star()", slots))
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
