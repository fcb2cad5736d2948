--- At the end all nodes that are up are at most `lag` blocks apart, on one chain. Asked of the nodes themselves; blocks that are on
--- their way have 2(Δ + 1) slots, and at least a second, to arrive.
local errors = require "tfl.errors"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Convergence = { name = "height_convergence", built_in = true, needs = "chain" }
Convergence.__index = Convergence
Convergence.__name = "expectation"

local M = {}

---@param options? {lag: integer} blocks; default 1 + Δ
---@return table expectation
function M.new(options)
    options = errors.options("expect_height_convergence", options, "lag")
    if options.lag ~= nil and (math.type(options.lag) ~= "integer" or options.lag < 0) then
        errors.usage("expect_height_convergence: lag = %s; blocks were expected, 0 or more", errors.show(options.lag))
    end
    return setmetatable({ lag = options.lag }, Convergence)
end

function Convergence:prepare(plan) self.lag = self.lag or 1 + plan.delta end

--- Heights of the nodes that are up: {name, height}, lowest first.
local function heights(run)
    local list, silent = {}, nil
    run:each_node(function(node)
        if not run:is_live(node.name) then return end
        local client = run.clients[node.name]
        local ok, info = pcall(client.consensus_info, client, { timeout = 1 })
        if ok then list[#list + 1] = { name = node.name, height = info.height } else silent = node.name end
    end)
    table.sort(list, function(a, b) return a.height < b.height end)
    return list, silent
end

function Convergence:evaluate(ctx)
    local run = ctx.run
    local plan = run.plan
    local list, silent, first, last
    local deadline = task.now() + math.max(1, 2 * (plan.delta + 1) * plan.slot_seconds)
    repeat
        list, silent = heights(run)
        first, last = list[1], list[#list]
        if first and not silent and last.height - first.height <= self.lag then
            ctx.owner.looked = true
            return ctx:conclude {
                verdict = "pass", code = "ok", figures = { apart = last.height - first.height, lag = self.lag },
                message = ("%d nodes, heights %d to %d (%d apart allowed)"):format(#list, first.height, last.height, self.lag),
            }
        end
        wait.sleep(0.05)
    until task.now() > deadline
    ctx.owner.looked = true
    if silent or not first then
        return ctx:conclude {
            verdict = "fail", code = "not_converged", figures = {},
            message = silent and silent .. " did not answer" or "no node is up",
        }
    end
    ctx:conclude {
        verdict = "fail", code = "not_converged", figures = { apart = last.height - first.height, lag = self.lag },
        message = ("%s is at height %d, %s at %d: %d blocks apart, %d allowed"):format(first.name, first.height, last.name, last.height,
            last.height - first.height, self.lag),
    }
end

return M
