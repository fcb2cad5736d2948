--- Methods of `ctx` for clusters driven by hand: load that begins when a script says so, slots to wait for, and ctx's methods by their
--- bare names. lua/tfl/context.lua takes them in.
local core = require "tfl.core.load"
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local new_builder = require "tfl.workloads.load_builder"
local settle = require "tfl.settle"

local Load = {}

local DEFAULT_SECONDS = 60

--- A load by hand.
---@class tfl.HandLoad
local Handle = {}
Handle.__index, Handle.__name = Handle, "load"

--- No more arrivals; what is under way goes on.
function Handle:stop() self.core:stop() end
--- {planned, sent, accepted, rejected, included, final, …} so far.
function Handle:counts()
    self.ctx.owner.looked = true
    return self.core:counts()
end
--- Waits until all are "sent" (default), "included" or "final"; false when `within` was over before.
---@param stage? string
---@param options? {within: any}
function Handle:wait(stage, options)
    options = errors.options("load:wait", options, "within")
    local within = options.within and duration.to_seconds(options.within, self.ctx.run.plan, "load:wait, within")
    return self.core:wait(stage or "sent", within)
end
function Handle:__tostring()
    local c = self.core:counts()
    return ("load of %g transactions a second for %s: %d sent, %d accepted, %d included, %d final"):format(self.rate,
        duration.show(self.seconds), c.sent, c.accepted, c.included, c.final)
end

--- Sends transactions of the scenario's wallets from now on, at planned times whatever the answers.
---@param options {per_second: number, duration: any, kind: "transfer"|"inscription", targets: any} duration: 60 s; targets: all nodes that
--- are up
---@return tfl.HandLoad
function Load:start_load(options)
    local what, run = "ctx:start_load", self.run
    options = errors.options(what, options, "per_second", "duration", "kind", "targets")
    local plan = run.plan
    if not plan.accounts then errors.usage("%s: nobody could sign; the cluster has no wallets (:wallets(10), wallets = 10)", what) end
    local wish = new_builder():per_second(options.per_second)
    if options.kind ~= nil then wish:kind(options.kind) end
    local seconds = options.duration and duration.to_seconds(options.duration, plan, what .. ", duration") or DEFAULT_SECONDS
    local clients = {}
    for i, which in ipairs(options.targets or run:live_nodes()) do clients[i] = run.clients[self:node(which).name] end
    if #clients == 0 then errors.usage("%s: no node is up", what) end
    run.hand_loads = (run.hand_loads or 0) + 1
    local load = core.new {
        wallets = plan.accounts, targets = clients, feed = run.feed, kind = wish._kind, seed = plan.seed,
        stages = { { seconds, options.per_second, options.per_second } }, stream = "load/hand/" .. run.hand_loads,
        recover = settle.growth_seconds(plan, plan.security_param + 1),
    }
    load:start()
    run:spawn_for(self.owner, function() -- ends with the owner at the latest
        local _ <close> = setmetatable({}, { __close = function() load:stop() load:abort() end })
        load:wait "final"
    end)
    return setmetatable({ core = load, ctx = self, rate = options.per_second, seconds = seconds }, Handle)
end

--- Waits until a slot begins; not at all when it has begun.
---@param slot integer
function Load:wait_for_slot(slot)
    if math.type(slot) ~= "integer" then errors.usage("ctx:wait_for_slot(%s): a slot was expected", errors.show(slot)) end
    self.run:sleep_until_slot(slot)
end

--- An environment for code: the methods of ctx as functions, over the globals given. `local _ENV = ctx:environment(_ENV)`.
---@param globals table
---@return table
function Load:environment(globals)
    local ctx = self
    return setmetatable({ ctx = ctx }, {
        __index = function(env, name)
            local ok, method = pcall(function() return ctx[name] end)
            if not ok or type(method) ~= "function" then return globals[name] end
            local function bare(...) return method(ctx, ...) end
            rawset(env, name, bare)
            return bare
        end,
    })
end

return Load
