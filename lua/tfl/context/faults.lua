--- Methods of `ctx` that change the cluster: links cut and shaped, nodes that join. lua/tfl/context.lua takes them in.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local links = require "tfl.links"

local Faults = {}

--- Names out of what a script calls nodes: a node, a name, an index, or a list of these.
local function names(ctx, what, given)
    local kind = type(given)
    if kind == "string" or math.type(given) == "integer" then return { ctx:node(given).name } end
    if kind ~= "table" then errors.usage("%s: nodes were expected (a node, a name, a list), got %s", what, errors.show(given)) end
    if rawget(given, "ctx") then return { given.name } end
    local list, seen = {}, {}
    for _, one in ipairs(given) do
        local name = names(ctx, what, one)[1]
        if seen[name] then errors.usage("%s: %s is named twice", what, name) end
        list[#list + 1], seen[name] = name, true
    end
    if #list == 0 then errors.usage("%s: an empty list of nodes", what) end
    return list
end

local function is_options(value)
    return type(value) == "table" and #value == 0 and not rawget(value, "ctx") and next(value) ~= nil
end

--- A fault as scripts have it: what tfl.Fault tells, and these.
---@class tfl.FaultHandle
local Handle = {}

--- Ends a fault of links; gives {bytes, delayed, withheld, connections, refused}: what happened to the bytes it was about.
---@return table counts
function Handle:heal()
    local record = self.record
    if not record.links then
        errors.usage("%s: it is over when %s is %s again; only faults of links are healed", record.name, record.targets[1],
            record.verb == "pause" and "resumed" or "started")
    end
    return self.faults:heal(record, self.by)
end
--- What it did so far, as :heal gives it.
---@return table counts
function Handle:counts() return self.faults:counts(self.record) end
--- Has it done something measurable: withheld a byte (a cut), delayed one (a shape), changed or ended a process?
function Handle:bit()
    if self.record.bit ~= nil or not self.record.links then return self.record.bit == true end
    local counts = self:counts()
    if self.record.cut then return (counts.withheld or 0) > 0 end
    return (counts.delayed or 0) > 0
end

local handle_meta = { __index = function(handle, key) return Handle[key] or handle.record[key] end, __name = "fault" }

local function handle(ctx, record)
    ctx.owner.looked = true
    return setmetatable({ faults = ctx.run.faults, record = record, by = ctx.owner.name }, handle_meta)
end

--- A fault of the record as scripts have it.
---@package
Faults.fault_of = handle

--- ctx:partition({0, 1}, {2, 3}): cuts groups off from each other, both ways. Nodes that are named in none are a group of their own,
--- also those that join later. {one_way = true} last: only what the first group sends to the second is cut.
---@return tfl.FaultHandle
function Faults:partition(...)
    local arguments, options = { ... }, {}
    if is_options(arguments[#arguments]) then
        options = errors.options("ctx:partition", table.remove(arguments), "one_way")
    end
    local groups, seen = {}, {}
    for i, given in ipairs(arguments) do
        groups[i] = names(self, "ctx:partition", given)
        for _, name in ipairs(groups[i]) do
            if seen[name] then errors.usage("ctx:partition: %s is in two groups", name) end
            seen[name] = true
        end
    end
    if #groups == 0 or options.one_way and #groups ~= 2 then
        errors.usage("ctx:partition: %s", options.one_way and "one way needs two groups: what the first sends to the second is cut"
            or "groups of nodes were expected: ctx:partition({0, 1}, {2, 3})")
    end
    return handle(self, self.run.faults:cut(groups, options.one_way, self.owner.name))
end

--- Cuts a node off from all others, also from those that join later.
---@return tfl.FaultHandle
function Faults:isolate(which)
    return handle(self, self.run.faults:cut({ names(self, "ctx:isolate", which) }, false, self.owner.name, "isolate"))
end

--- ctx:link(a, b, {latency = "40ms", jitter = "10ms", rate = 125000, loss = 0.02, one_way = true}) or ctx:link(a, b, "wan"): shapes what
--- they send to each other; a and b are nodes, lists of nodes or "all". Several shapes on one link add up.
---@return tfl.FaultHandle
function Faults:link(a, b, shape)
    local function set(given) return given == "all" and "all" or names(self, "ctx:link", given) end
    local one, other = set(a), set(b)
    if one ~= "all" and other ~= "all" and #one == 1 and #other == 1 and one[1] == other[1] then
        errors.usage("ctx:link: %s has no link with itself", one[1])
    end
    return handle(self, self.run.faults:shape(one, other, links.shape("ctx:link", shape),
        type(shape) == "table" and shape.one_way, self.owner.name))
end

--- Ends every link fault of scripts and chaos.
function Faults:heal() self.run.faults:heal_all(self.owner.name) end

--- What was done to the cluster so far, in order, by scripts, chaos and the plan: {name, verb, targets, t0, t1,
--- ready_t, bit, …}, with the functions of fault.
---@return tfl.FaultHandle[]
function Faults:faults()
    local list = {}
    for i, record in ipairs(self.run.faults:list()) do list[i] = handle(self, record) end
    return list
end

--- The slots of the window before, during or after a fault: {first, last + 1}, for ctx:figures and feed:canonical.
---@param fault tfl.FaultHandle|string one of ctx:faults(), or its name ("restart#2")
---@param which "before"|"during"|"after"
---@return integer[]
function Faults:window(fault, which)
    local record = type(fault) == "table" and (rawget(fault, "record") or fault) or nil
    for _, one in ipairs(self.run.faults:list()) do
        if one.name == fault then record = one end
    end
    if not record or not record.slot0 then errors.usage("ctx:window: there is no fault %s", errors.show(fault)) end
    local s0, s1 = self.run.s0 or 0, self.run.s1 or self.run:current_slot()
    local windows = {
        before = { s0, record.slot0 }, during = { record.slot0, record.slot1 or s1 }, after = { record.slot1 or s1, s1 },
    }
    if not windows[which] then errors.usage('ctx:window: "before", "during" or "after" was expected, got %s', errors.show(which)) end
    return windows[which]
end

--- Figures of a window of slots (default: the run's): blocks canonical and observed, forks, max_reorg_depth, propagation_ms; with a load
--- also the transactions that were meant to be sent in it: sent, accepted, included, final, latency of each {n, p50, p95, p99} in seconds.
---@param options? {window: integer[]}
---@return table
function Faults:figures(options)
    options = errors.options("ctx:figures", options, "window")
    local window = options.window or { self.run.s0, self.run.s1 }
    if type(window) ~= "table" or math.type(window[1]) ~= "integer" or math.type(window[2]) ~= "integer" then
        errors.usage("ctx:figures: window = {s0, s1}, two slots, was expected, got %s", errors.show(options.window))
    end
    local all, out = self.run:figures(window[1], window[2]), { slots = math.max(0, window[2] - window[1]) }
    for _, name in ipairs { "canonical", "observed", "forks", "max_reorg_depth", "propagation_ms" } do out[name] = all[name] end
    local load = self.run.plan.load
    if load then out.transactions = load:within(self.run, window) end
    self.owner.looked = true
    return out
end

--- Indices of the nodes a node is to dial; nil: as before.
local function peers_of(ctx, what, given, entry)
    if given == nil then return nil end
    if given == "default" then return entry.planned end
    if given == "none" then return {} end
    local list = {}
    for i, name in ipairs(names(ctx, what, given)) do
        if name == entry.name then errors.usage("%s: %s cannot dial itself", what, name) end
        list[i] = ctx:entry(name).index
    end
    return list
end

--- What a node is started with is looked at before anything happens to it.
---@package
---@param options {config: any, args: any}
function Faults.check_settings(what, options)
    local config, args = options.config, options.args
    if config ~= nil and type(config) ~= "table" and type(config) ~= "function" then
        errors.usage("%s: config is a table that is merged into the node's own, or a function of it; got %s", what, errors.show(config))
    end
    local fine = args == nil or type(args) == "table"
    for _, arg in ipairs(fine and args or {}) do fine = fine and (type(arg) == "string" or type(arg) == "number") end
    if not fine then errors.usage('%s: args is a list of words, as {"--flag", "value"}; got %s', what, errors.show(args)) end
end

--- Starts a node during the run: one that the topology plans (late_nodes, or of a cluster driven by hand), one that was stopped, or a
--- new one (without stake). Done when its program runs; :wait_ready() waits for more.
---@param name string
---@param options? {peers: "default"|"none"|table, config: table|function, snapshot: table|string, args: string[]}
---@return tfl.Node
function Faults:start_node(name, options)
    local what = "ctx:start_node"
    options = errors.options(what, options, "peers", "config", "snapshot", "args")
    local refusal = self.run.faults:refusal "start_node"
    if refusal then errors.usage("%s", refusal) end
    Faults.check_settings(what, options)
    if options.snapshot ~= nil then self.run:snapshot_path(options.snapshot) end
    local entry = self:entry(type(name) == "table" and name.name or name) or self.run:add_node(name)
    self.run.faults:verb(entry, "start", {
        peers = peers_of(self, what .. ", peers", options.peers, entry), config = options.config, args = options.args,
        snapshot = options.snapshot,
    }, self.owner.name)
    return self:node(entry.name)
end

--- Indices of the nodes that a node is to dial.
---@package
Faults.peers_of = peers_of

--- Waits until every node that is up is ready and has as many peers as there are nodes up that dial it or that it dials.
---@param options? {within: any}
function Faults:wait_network_ready(options)
    options = errors.options("ctx:wait_network_ready", options, "within")
    local run = self.run
    local up, degrees = run:live_nodes(), run:live_degrees()
    if #up == 0 then errors.usage "ctx:wait_network_ready: no node is up; start some first (ctx:start_node)" end
    run.deployer:wait_ready(up, duration.to_seconds(options.within or run.plan.ready_seconds, run.plan), degrees)
    self.owner.looked = true
end

---@package
--- client:dial_peer(node | address): the node `from` dials another one, through the relay of their link if there is one.
---@return string peer id
function Faults:dial_peer(from, client, to)
    local address, entry = to
    if type(to) == "string" then
        entry = self:entry(to)
        for _, node in ipairs(self.run.nodes) do -- an address of a node of the cluster is that node: its link must be obeyed
            entry = entry or self.run.deployer:is_at(node.index, to) and node or nil
        end
    else
        entry = self:entry(self:node(type(to) == "table" and to.name or to).name)
    end
    if entry then
        if entry.name == from then errors.usage("client:dial_peer: %s cannot dial itself", from) end
        address = self.run.deployer:peer_address(from, entry.index)
    elseif not tostring(to):find "^/" then
        errors.usage("client:dial_peer(%s): a node or an address such as /ip4/127.0.0.1/tcp/20040 was expected", errors.show(to))
    end
    local answer = client:post("/network/dial_peer", { addr = address })
    if answer.status ~= 200 then
        local err = errors.new("rejected", "%s: it could not dial %s (HTTP %d: %s)", from, entry and entry.name or address,
            answer.status, tostring(answer.body))
        err.node = from
        error(err, 0)
    end
    if entry then self.run:dialled_by_hand(from, entry.name) end
    return json.decode(answer.body) or answer.body
end

return Faults
