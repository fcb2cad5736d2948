--- `ctx`: what the hooks of workloads and expectations get. One for each hook's owner; the run is behind it.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local node_logs = require "tfl.node_logs"
local node_handle = require "tfl.context.node"
local pacer = require "tfl.core.pacer"
local suggest = require "tfl.suggest"
local task = require "tfl.core.task"
local telemetry = require "tfl.telemetry"
local wait = require "tfl.core.wait"
local wallets = require "tfl.wallets"

local M = {}
local Context = {}
for _, part in ipairs { require "tfl.context.faults", (require "tfl.context.load") } do
    for name, method in pairs(part) do Context[name] = method end
end
local meta = {
    __index = function(_, name)
        if Context[name] then return Context[name] end
        errors.usage("ctx:%s: there is no such method%s", tostring(name), suggest.hint(tostring(name), M.names()))
    end,
}

--- The names of all methods, in any order.
---@return string[]
function M.names()
    local names = {}
    for name in pairs(Context) do names[#names + 1] = name end
    return names
end

---@param run table the runner's
---@param owner table {kind, name, looked, judgement, figures}: whose hook runs
---@return table ctx
function M.new(run, owner)
    return setmetatable({ run = run, owner = owner, block_feed_proxy = false, proxies = {}, handles = {} }, meta)
end

--- Something was seen: an evaluate that saw nothing is `no_sample`.
local function looked(ctx) ctx.owner.looked = true end

--- Methods that show nothing of the cluster by being called.
local blind = { subscribe = true, base_url = true, name = true }

--- Durations of a last table of options, as the engine takes them.
local function with_seconds(...)
    local arguments = table.pack(...)
    local last = arguments[arguments.n]
    if type(last) == "table" and rawget(last, "timeout") ~= nil then
        arguments[arguments.n] = setmetatable({ timeout = duration.to_seconds(last.timeout, nil, "timeout") },
            { __index = last })
    end
    return table.unpack(arguments, 1, arguments.n)
end

--- An error of a binding, told of the script's line and not of this file.
local function at_script(err, kind, name)
    local where = errors.where()
    if type(err) == "table" then
        if where then err.where = where end
        return err
    end
    local text = tostring(err):gsub("^[^\n]-context%.lua:%d+: ", ""):gsub("to '[^']*'", "to '" .. kind .. ":" .. name .. "'")
    local usage = errors.new("usage", "%s", text)
    usage.where = where
    return usage
end

--- The methods of a userdata as a table whose calls count as looks when they give something.
local function proxy(ctx, kind, target, extra)
    return setmetatable({}, {
        __name = kind,
        __index = function(self, name)
            local method = extra and extra[name] or target[name]
            if type(method) ~= "function" then
                local names = {}
                for known in pairs(getmetatable(target).__index) do names[#names + 1] = known end
                errors.usage("%s:%s: there is no such method%s", kind, tostring(name), suggest.hint(tostring(name), names))
            end
            local function call(_, ...)
                local results = table.pack(pcall(method, target, with_seconds(...)))
                if not results[1] then error(at_script(results[2], kind, name), 0) end
                if results[2] ~= nil and not blind[name] then looked(ctx) end
                return table.unpack(results, 2, results.n)
            end
            rawset(self, name, call)
            return call
        end,
    })
end

--- A node by its index, from 0 as the names do, or by its name.
---@param which integer|string
---@return tfl.Node
function Context:node(which)
    local nodes = self:nodes()
    if math.type(which) == "integer" and nodes[which + 1] then return nodes[which + 1] end
    local names = {}
    for i, node in ipairs(nodes) do
        if node.name == which then return node end
        names[i] = node.name
    end
    errors.usage("ctx:node(%s): there is no such node%s", errors.show(which),
        type(which) == "string" and suggest.hint(which, names) or string.format("; they are 0 to %d", #nodes - 1))
end

--- The nodes of the run, in order; those not started yet, too.
---@return tfl.Node[]
function Context:nodes()
    local list = {}
    for i, entry in ipairs(self.run.nodes) do
        self.handles[entry.name] = self.handles[entry.name] or node_handle.new(self, entry)
        list[i] = self.handles[entry.name]
    end
    return list
end

--- The client of a node by name; counts as a look when it answers.
---@package
function Context:client_of(name)
    if not self.proxies[name] then
        self.proxies[name] = proxy(self, "client", self.run.clients[name], {
            dial_peer = function(client, to) return self:dial_peer(name, client, to) end,
        })
    end
    return self.proxies[name]
end

--- The run's own entry of a node.
---@package
function Context:entry(name) return self.run:entry(name) end

--- The verbs by name of node, as the original has them: ctx:node_control():restart("node-1", {wipe = true}).
function Context:node_control()
    return setmetatable({}, {
        __index = function(_, verb) return function(_, which, ...) return self:node(which)[verb](self:node(which), ...) end end,
    })
end

--- Clients of all nodes that are up, in order.
---@return tfl.Client[]
function Context:node_clients()
    local clients = {}
    for i, name in ipairs(self.run:live_nodes()) do clients[i] = self:client_of(name) end
    return clients
end

--- The client of a node drawn by the run's seed from those that are up.
---@return tfl.Client
function Context:random_node_client()
    local names = self.run:live_nodes()
    if #names == 0 then errors.usage "ctx:random_node_client: no node is up" end
    return self:client_of(names[self.run:draw(self.owner.name, #names)])
end

--- A client of the cluster as a whole: each call asks the next live node, and another one when it does not answer.
---@return tfl.Client
function Context:cluster_client()
    local turn = 0
    return setmetatable({}, {
        __index = function(_, name)
            return function(_, ...)
                local arguments, last, names = table.pack(...), nil, self.run:live_nodes()
                if #names == 0 then errors.usage("cluster_client:%s: no node is up", tostring(name)) end
                for _ = 1, #names do
                    turn = turn % #names + 1
                    local client = self:client_of(names[turn])
                    local method = client[name]
                    local results = table.pack(pcall(method, client, table.unpack(arguments, 1, arguments.n)))
                    if results[1] then return table.unpack(results, 2, results.n) end
                    last = results[2]
                    if type(last) ~= "table" or (last.code ~= "connect" and last.code ~= "timeout") then error(last, 0) end
                end
                error(last, 0)
            end
        end,
    })
end

--- The block feed: subscribe, canonical, tip, lib, block, stats. Its events count as looks when they arrive.
---@return tfl.Feed
function Context:block_feed()
    if not self.block_feed_proxy then
        local feed, ctx = self.run.feed, self
        if not feed then
            errors.usage("ctx:block_feed: %s", self.run.plan.chain and "it is there once the nodes are ready"
                or ("the kind %s has no chain dialect, so there are no blocks to follow"):format(self.run.plan.kind.name))
        end
        local function name_of(node)
            return ctx:node(type(node) == "table" and node.name or node).name
        end
        rawset(self, "block_feed_proxy", proxy(self, "feed", feed, {
            tip = function(_, node) return feed:tip(name_of(node)) end,
            lib = function(_, node) return feed:lib(name_of(node)) end,
            subscribe = function(_, options)
                local next_event = feed:subscribe(errors.options("feed:subscribe", options, "from"))
                return function()
                    local event = next_event()
                    if event then looked(ctx) end
                    return event
                end
            end,
            canonical = function(_, options)
                local window = errors.options("feed:canonical", options, "window").window
                if window == nil then window = { ctx.run.s0 or 0, ctx.run.s1 } end
                if type(window) ~= "table" or math.type(window[1]) ~= "integer" or math.type(window[2]) ~= "integer" then
                    errors.usage("feed:canonical: window = {s0, s1}, two slots, was expected, got %s", errors.show(window))
                end
                return feed:canonical { window = window, nodes = ctx.run:live_nodes() }
            end,
        }))
    end
    return self.block_feed_proxy
end

--- The accounts of scenario:wallets(n), in order.
---@return tfl.Wallet[]
function Context:wallet_accounts() return wallets.of(self) end

--- Arrivals at planned times, for a workload of the script's own: for i, late in ctx:pace{rate = 20} do … end. A slow round does not
--- move the next one. Rates are per second; stages as of the load.
---@param options {rate: number, duration: any, stages: table[]}
---@return fun(): integer|nil, number next arrival's number, once it is due, and how late that is
function Context:pace(options)
    local plan = self.run.plan
    options = errors.options("ctx:pace", options, "rate", "duration", "stages")
    local stages
    for i, stage in ipairs(options.stages or {}) do
        stages = stages or {}
        stages[i] = { duration.to_seconds(stage[1], plan, "ctx:pace, stages"), stage[2], stage[3] }
    end
    local seconds = options.duration and duration.to_seconds(options.duration, plan, "ctx:pace, duration")
    local ok, made = pcall(pacer.new, { rate = options.rate, seconds = seconds, stages = stages })
    if not ok then errors.usage("%s", type(made) == "table" and made.message or made) end
    return made
end

--- The account of the load (transactions_with): {planned, sent, accepted, rejected, included, final, lost, latency = {accepted, included,
--- final}, …}, times in seconds; with stages, one row for each after the run. So far while the window runs; nil before the load.
---@return table|nil
function Context:transactions()
    local load = self.run.plan.load
    if not load then errors.usage "ctx:transactions: the scenario sends none; add :transactions_with to it" end
    local account = load:look(self.run)
    if account and account.sent > 0 then looked(self) end
    return account
end

--- How long the window lasts.
---@return number seconds
function Context:run_duration() return self.run.plan.window_slots * self.run.plan.slot_seconds end

--- Until the window ends; 0 after it.
---@return number seconds
function Context:remaining() return self.run:remaining() end

--- How much a healthy chain grows in the window, on average.
---@return number blocks
function Context:expected_blocks() return self.run.plan.expected_blocks end

--- Figures of the plan.
---@return table metrics {expected_blocks, run_duration, slot_duration, active_slot_coeff, slots}
function Context:run_metrics() return self.run:metrics() end

--- A whole number from 1 to n, drawn from the run's seed.
---@param n integer
---@return integer
function Context:random(n, ...)
    if math.type(n) ~= "integer" or n < 1 or ... then errors.usage("ctx:random(%s): a whole number from 1 was expected", errors.show(n)) end
    return self.run:draw(self.owner.name, n)
end

--- Every node as it is run: dir is its working folder, argv its program, command what tfl.exec takes to run that beside it.
---@return table[] nodes {name, index, peer_id, http, stake, dir, argv, command}
function Context:descriptors() return self.run:descriptors() end

--- The log of a node.
---@return tfl.NodeLog
function Context:logs(node)
    local name = self:node(type(node) == "table" and node.name or node).name
    return node_logs.of(self.run, name, function() looked(self) end)
end

--- Metrics: ctx:telemetry():prometheus() is nil unless LOGOS_BLOCKCHAIN_METRICS_QUERY_URL says where it is; else it has query(q),
--- query_range(q, {since =, step =}) and base_url(). What it gives counts as a look.
---@return {prometheus: fun(): table|nil}
function Context:telemetry()
    return { prometheus = function()
        local prometheus = telemetry.prometheus(self.run)
        return prometheus and proxy(self, "prometheus", prometheus)
    end }
end

--- A message given as it is, or with arguments for string.format.
local function text_of(what, fmt, ...)
    if select("#", ...) == 0 then return fmt == nil and "no reason given" or tostring(fmt) end
    local ok, text = pcall(string.format, fmt, ...)
    if not ok then errors.usage("%s(%s, …): %s", what, errors.show(fmt), text) end
    return text
end

--- One line into the record and onto the screen.
function Context:log(fmt, ...)
    self.run:say(self.owner.name, text_of("ctx:log", fmt, ...))
end

--- Waits; ends with the hook.
---@param d tfl.Duration
function Context:sleep(d) wait.sleep(duration.to_seconds(d, self.run.plan, "ctx:sleep")) end

--- Calls fn until it returns something true, and returns that. Errors of operations count as "not yet".
---@param fn function
---@param options? {within: any, every: any} defaults: 30 s, 100 ms
---@return any what fn returned
function Context:eventually(fn, options)
    options = errors.options("ctx:eventually", options, "within", "every")
    local plan = self.run.plan
    local within = duration.to_seconds(options.within or 30, plan, "ctx:eventually, within")
    local every = duration.to_seconds(options.every or 0.1, plan, "ctx:eventually, every")
    local deadline, last = task.now() + within, nil
    while true do
        local ok, value = pcall(fn)
        if ok and value then return value end
        if not ok and (type(value) ~= "table" or value.code == "usage") then error(value, 0) end -- it will not mend
        last = not ok and value.message or last
        if task.now() >= deadline then
            error(errors.new("timeout", "ctx:eventually: still not so after %s%s", duration.show(within),
                last and " (last: " .. last .. ")" or ""), 0)
        end
        wait.sleep(math.min(every, math.max(0, deadline - task.now())))
    end
end

--- Waits until the tip of every node that is up is at height h or above.
---@param h integer
---@param options? {within: any, every: any} within: 60 s
function Context:wait_for_height(h, options)
    if math.type(h) ~= "integer" then errors.usage("ctx:wait_for_height(%s): a height was expected", errors.show(h)) end
    options = errors.options("ctx:wait_for_height", options, "within", "every")
    self:eventually(function()
        local clients = self:node_clients()
        for _, client in ipairs(clients) do
            if client:consensus_info().height < h then return false end
        end
        return #clients > 0
    end, { within = options.within or 60, every = options.every })
end

--- Runs fn beside the hook; it ends with the hook's owner. Its error is an error of the owner.
---@return table task with :wait([seconds]), :cancel(), :result()
function Context:spawn(fn, ...)
    if type(fn) ~= "function" then errors.usage("ctx:spawn: a function was expected, got %s", errors.show(fn)) end
    return self.run:spawn_for(self.owner, fn, ...)
end

--- Ends the hook with a verdict; goes through pcall.
---@package
function Context:conclude(judgement)
    if not self.owner.judgement then self.owner.judgement = judgement end
    if judgement.verdict ~= "pass" then self.run:concluded(self.owner) end
end

local function ending(verdict, code)
    return function(self, fmt, ...)
        local message = text_of("ctx:" .. (verdict == "fail" and "fail" or "inconclusive"), fmt, ...)
        local plan = self.run.plan
        if plan.by_hand then -- a spec may catch the error; its cluster remembers it
            plan.by_hand_failed = plan.by_hand_failed or errors.new(code, "%s", message)
            error(plan.by_hand_failed, 0)
        end
        self:conclude { verdict = verdict, code = code, message = message, figures = self.owner.figures }
        self.run:leave(self.owner)
    end
end

--- The expectation (or the run, from a workload) fails, with this message; does not return.
---@param fmt string of string.format
---@param ... any what it formats
Context.fail = ending("fail", "failed")

--- Nothing can be said: the sample was too small, the fault did not bite; does not return.
---@param fmt string of string.format
---@param ... any what it formats
Context.inconclusive = ending("inconclusive", "inconclusive")

--- A number for the report.
---@param name string
---@param value number
---@param unit? string
function Context:figure(name, value, unit)
    if type(name) ~= "string" or not math.type(value) or value ~= value or math.abs(value) == math.huge then
        errors.usage("ctx:figure(%s, %s): a name and a finite number were expected", errors.show(name), errors.show(value))
    end
    self.owner.figures[name] = value
    if unit then self.owner.units[name] = tostring(unit) end
end

return M
