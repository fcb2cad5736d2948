--- At the end all nodes that are up are at most `lag` blocks apart, on one chain: their last common block is not deeper than k. Asked of
--- the nodes themselves, and held against the blocks; those that are on their way have 2(Δ + 1) slots to arrive, and a node that does not
--- answer at once has three seconds.
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

--- The height of a node, by the blocks that tfl has seen: that of the tip it tells of now. What it says of that height itself is held
--- against it.
---@return integer|nil height nil: not known
---@return string|nil lie
local function height_of(run, node)
    local client = run.clients[node.name]
    local ok, info = pcall(client.consensus_info, client, { timeout = 1 })
    if not ok then return nil end
    if node.kind.lua_dialect then return (run.feed:tip(node.name) or {}).height end -- its blocks go before what the script says of them
    local block = run.feed:block(info.tip)
    if not block or not block.height then return nil end
    if block.height == info.height then return block.height end
    return nil, ("%s says height %d of its tip %.8s…, which is at height %d"):format(node.name, info.height, info.tip, block.height)
end

--- Heights of the nodes that are up: {name, height}, lowest first; a node whose height is not known; what a node said that is not so.
local function heights(run)
    local list, silent, lie = {}, nil, nil
    run:each_node(function(node)
        if not run:is_live(node.name) or not node.kind.dialect then return end
        local height, wrong = height_of(run, node)
        if height then list[#list + 1] = { name = node.name, height = height } else silent, lie = node.name, wrong or lie end
    end)
    table.sort(list, function(x, y) return x.height < y.height end)
    return list, silent, lie
end

function Convergence:evaluate(ctx)
    local run = ctx.run
    local plan = run.plan
    local list, silent, lie, first, last
    local deadline = task.now() + math.max(3, 2 * (plan.delta + 1) * plan.slot_seconds)
    repeat
        list, silent, lie = heights(run)
        first, last = list[1], list[#list]
        local apart = first and not silent and run.feed:common_prefix(run:live_nodes())
        if apart and last.height - first.height <= self.lag and last.height - apart.height <= plan.security_param + self.lag then
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
            message = lie or silent and silent .. ": it does not answer, or tells of a tip that nobody knows" or "no node is up",
        }
    end
    local common = run.feed:common_prefix(run:live_nodes())
    local below = common and last.height - common.height or last.height
    if last.height - first.height <= self.lag then
        return ctx:conclude {
            verdict = "fail", code = "not_converged", figures = { apart = below, lag = self.lag },
            message = ("heights %d to %d, but the nodes have had no block in common since height %d"):format(first.height, last.height,
                last.height - below),
        }
    end
    ctx:conclude {
        verdict = "fail", code = "not_converged", figures = { apart = last.height - first.height, lag = self.lag },
        message = ("%s is at height %d, %s at %d: %d blocks apart, %d allowed"):format(first.name, first.height, last.name, last.height,
            last.height - first.height, self.lag),
    }
end

return M
