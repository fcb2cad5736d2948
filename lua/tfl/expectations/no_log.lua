--- No node may log a line that matches a Lua pattern, from its start to the end of the run.
local errors = require "tfl.errors"
local node_logs = require "tfl.node_logs"
local text = require "tfl.text"

local NoLog = { built_in = true }
NoLog.__index = NoLog
NoLog.__name = "expectation"

local M = {}

---@param pattern string
---@param options? {nodes: any[]} which nodes; all when not said
---@param name string
---@return table expectation
function M.new(pattern, options, name)
    options = errors.options("expect_no_log", options, "nodes")
    node_logs.check_pattern("expect_no_log", pattern)
    if pattern == "" then
        errors.usage("expect_no_log: a Lua pattern was expected, got %s", errors.show(pattern))
    elseif options.nodes ~= nil and (type(options.nodes) ~= "table" or #options.nodes == 0) then
        errors.usage("expect_no_log: nodes = %s: a list of nodes was expected", errors.show(options.nodes))
    end
    return setmetatable({ name = name, pattern = pattern, nodes = options.nodes }, NoLog)
end

--- What is no node of the plan and can be none that is started later.
function NoLog:prepare(plan)
    for _, node in ipairs(self.nodes or {}) do
        if type(node) ~= "string" and not (math.type(node) == "integer" and plan.nodes[node + 1]) then
            errors.usage("expect_no_log: nodes: there is no node %s; they are 0 to %d, or names", errors.show(node), #plan.nodes - 1)
        end
    end
end

function NoLog:evaluate(ctx)
    local run, first, n, read, cut, mute = ctx.run, nil, 0, 0, {}, {}
    local names = {}
    for i, node in ipairs(self.nodes or run.nodes) do names[i] = self.nodes and ctx:node(node).name or node.name end
    for _, name in ipairs(names) do
        if run.started[name] then
            local looked = false
            local found, whole = node_logs.of(run, name, function() looked = true end):grep(self.pattern)
            if not whole then cut[#cut + 1] = name end
            if not looked then mute[#mute + 1] = name end
            first, n, read = first or found[1], n + #found, read + (looked and 1 or 0)
        end
    end
    ctx.owner.looked = true
    local figures = { lines = n, logs = read }
    if first then
        return ctx:conclude {
            verdict = "fail", code = "logged", figures = figures,
            message = text.log_line(first) .. (n > 1 and (" (and %d more)"):format(n - 1) or ""),
        }
    elseif read == 0 then
        return ctx:conclude { verdict = "inconclusive", code = "no_sample", figures = figures, message = "no node has logged anything" }
    elseif run.host:was_full() then
        return ctx:conclude {
            verdict = "inconclusive", code = "log_cut", figures = figures,
            message = ("nothing like %s in what is there; the disk was full, so lines may not have been kept"):format(self.pattern),
        }
    elseif #cut > 0 then
        return ctx:conclude {
            verdict = "inconclusive", code = "log_cut", figures = figures,
            message = ("nothing like %s in what is left; older lines of %s are gone, for two files of 32 MiB are kept: let it log less, or "
                .. "run for a shorter time"):format(self.pattern, table.concat(cut, ", ")),
        }
    end
    ctx:conclude {
        verdict = "pass", code = "ok", figures = figures,
        message = ("nothing like %s in %d log%s%s"):format(self.pattern, read, read == 1 and "" or "s",
            #mute > 0 and "; nothing at all is logged by " .. table.concat(mute, ", ") or ""),
    }
end

return M
