--- Nodes that join a run, and snapshots of their data. Methods of a run; `tfl.runner` takes them in.
local bounds = require "tfl.verdict.bounds"
local errors = require "tfl.errors"
local foreign = require "tfl.foreign"
local json = require "tfl.core.json"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local topology = require "tfl.core.topology"
local wait = require "tfl.core.wait"

local Members = {}

-- ---- who dials whom, in time: run.dialled is a list of {from, to, since = slot|nil, till = slot|nil, by_hand = true|nil}

--- A node dials these from now on (indices of nodes), and none of those it dialled before.
function Members:dials(node, indices)
    local slot = self:slot_now()
    for _, link in ipairs(self.dialled) do
        if link[1] == node.name and not link.till then link.till = slot or math.mininteger end
    end
    node.dials, node.degree = indices, indices == node.planned and node.planned_degree or #indices
    for _, index in ipairs(indices) do
        table.insert(self.dialled, { node.name, self.nodes[index + 1].name, since = slot })
    end
end

--- One node dialled another by a script; the link counts once both had time to catch up.
function Members:dialled_by_hand(from, to)
    local plan = self.plan
    local since = self:current_slot() + 1 + bounds.recovery_slots(plan.slot_seconds, plan.delta)
    table.insert(self.dialled, { from, to, since = since, by_hand = true })
end

--- What was dialled by hand is not dialled again once it broke.
---@param broken fun(link: table): boolean
function Members:break_dialled(broken)
    for _, link in ipairs(self.dialled) do
        if link.by_hand and not link.till and broken(link) then link.till = self:slot_now() or math.mininteger end
    end
end

-- ---- whose chain is read

--- The feed follows a node from now, when its kind has a chain and there is a feed yet; one that is followed goes on being so.
---@param node table
function Members:follow(node)
    if not self.feed or not node.kind.dialect then return end
    if not node.kind.lua_dialect then
        pcall(self.feed.add, self.feed, node.name, self.clients[node.name])
    elseif not self.feeders[node.name] then
        self.feeders[node.name] = foreign.follow(self, node)
        table.insert(self.watchers, self.feeders[node.name])
    end
end

--- Its view is stale from now.
---@param name string
function Members:unfollow(name)
    if self.feeders[name] then self.feeders[name]:cancel() end
    self.feeders[name] = nil
    if self.feed then self.feed:stop_node(name) end
end

--- Waits until those of the nodes that have a chain say that they are online.
---@param names string[]
function Members:wait_online(names)
    local deadline = task.now() + self.plan.ready_seconds
    for _, name in ipairs(names) do
        local last
        while self:entry(name).kind.dialect do
            local ok, info = pcall(function() return self.clients[name]:consensus_info() end)
            if not ok and (type(info) ~= "table" or info.code == "script_error") then error(info, 0) end
            last = ok and "it says it is not online" or info.message
            if ok and info.online then break end
            if task.now() > deadline then
                error(errors.new("not_ready", "%s: not online %.0fs after genesis (last: %s)", name, self.plan.ready_seconds, last), 0)
            end
            wait.sleep(0.02)
        end
    end
end

-- ---- nodes that join


--- A node that the plan does not know: the next index, keys from the seed, no stake.
---@param name string
---@return table entry of run.nodes
function Members:add_node(name)
    errors.name("ctx:start_node", name)
    local index = #self.nodes
    local made = topology.build { n = index + 1, shape = "chain", seed = self.plan.seed }.nodes[index + 1]
    made.name, made.stake, made.late, made.kind = name, 0, true, self.plan.kind
    self.deployer:add_nodes { made }
    self.nodes[index + 1], self.stakes[name] = made, 0
    made.planned, made.planned_degree = { 0 }, 1
    self:dials(made, made.planned)
    self.clients[name] = self.deployer:client(made)
    self.faults:absent(made)
    return made
end

local function run(what, ...)
    local result = proc.exec { ... }
    if result.code ~= 0 then error(errors.new("io", "%s: %s", what, result.stderr), 0) end
end

--- What a cluster must share with the one a snapshot is of.
local function genesis_of(plan)
    return {
        chain_id = plan.chain_id, genesis_time_ms = plan.genesis_time_ms, genesis_id = plan.genesis_id, seed = plan.seed,
        slot_ms = plan.slot_ms, f = plan.f_ratio, security_param = plan.security_param, nonce = plan.nonce, stakes = plan.stakes,
    }
end

local function read_meta(path)
    local meta = json.decode(sys.read_file(path .. "/meta.json"))
    if type(meta) ~= "table" then errors.usage("snapshot %s: its meta.json cannot be read", path) end
    return meta
end

--- Makes the run's chain that of a snapshot: its genesis, slots and seed. Gives its genesis time.
---@return integer milliseconds since 1970
function Members:genesis_of_snapshot(snapshot)
    local plan, meta = self.plan, read_meta(self:snapshot_path(snapshot))
    if meta.seed ~= plan.seed then
        errors.usage("snapshot: it is of a cluster with seed %d; the keys of this one come from seed %d, so say seed = %d",
            meta.seed, plan.seed, meta.seed)
    elseif meta.slot_ms ~= plan.slot_ms or meta.security_param ~= plan.security_param then
        errors.usage("snapshot: it is of a chain with slots of %d ms and k = %d, here they are %d ms and k = %d", meta.slot_ms,
            meta.security_param, plan.slot_ms, plan.security_param)
    end
    plan.chain_id, plan.nonce, plan.stakes = meta.chain_id, meta.nonce, meta.stakes
    return meta.genesis_time_ms
end

--- Copies the data of a node that does not run (or is paused) into the run's folder.
---@param entry table
---@param name string
---@return {name: string, path: string, node: string}
function Members:snapshot(entry, name)
    errors.name("node:snapshot", name)
    local state = self.deployer:state(entry.name)
    if state ~= "stopped" and state ~= "paused" and state ~= "exited" then
        local err = errors.new("wrong_state", "%s: it is %s; a snapshot is of a node that is stopped or paused", entry.name, state)
        err.node = entry.name
        error(err, 0)
    end
    local path = ("%s/snapshots/%s"):format(self.dir, name)
    if sys.stat(path) then errors.usage("node:snapshot: there is a snapshot %q already", name) end
    run("the snapshot " .. name, "mkdir", "-p", "--", path)
    run("the snapshot " .. name, "cp", "-a", "--reflink=auto", "--", self.deployer:data_dir(entry), path .. "/data")
    sys.write_file(path .. "/meta.json", json.encode(genesis_of(self.plan), true))
    self.record:event("snapshot", { node = entry.name, name = name })
    return { name = name, path = path, node = entry.name }
end

--- The folder of a snapshot: what node:snapshot gave, its name in this run, or a path.
---@return string
function Members:snapshot_path(snapshot)
    local path = type(snapshot) == "table" and snapshot.path or snapshot
    if type(path) ~= "string" then errors.usage("snapshot: what node:snapshot gave was expected, got %s", errors.show(path)) end
    if not path:find "/" then path = ("%s/snapshots/%s"):format(self.dir, path) end
    if not sys.stat(path .. "/meta.json") then
        errors.usage("snapshot %s: there is no snapshot (no meta.json) in %s", errors.show(snapshot), path)
    end
    return path
end

--- When genesis is: as planned or, in a cluster driven by hand, that of its snapshot or as late as it asked for; at a time that the
--- files of its kind can say.
---@param planned integer milliseconds since 1970
---@return integer
function Members:genesis_time(planned)
    local hand, grain, stack = self.plan.hand or {}, self.plan.kind.genesis_grain_ms or 1, self.plan.backend.attached
    if stack then
        self.plan.chain_id = stack.run_id or self.plan.chain_id
        return stack.genesis_time_ms
    end
    if hand.snapshot then return self:genesis_of_snapshot(hand.snapshot) end
    local wanted = hand.genesis and math.max(planned, self.started_ms + math.ceil(1000 * hand.genesis)) or planned
    return math.ceil(wanted / grain) * grain
end

--- Gives a node that does not run the data of a snapshot.
function Members:restore(entry, snapshot)
    local path = self:snapshot_path(snapshot)
    if self.deployer:alive(entry.name) then
        local err = errors.new("wrong_state", "%s: it runs; stop it before it gets the data of a snapshot", entry.name)
        err.node = entry.name
        error(err, 0)
    end
    local meta = read_meta(path)
    if meta.genesis_id ~= self.plan.genesis_id then
        errors.usage("snapshot %s: it is of another chain (genesis %s, here %s)", path, tostring(meta.genesis_id),
            self.plan.genesis_id)
    end
    local data = self.deployer:data_dir(entry)
    run(entry.name .. ": its data", "rm", "-rf", "--", data)
    run(entry.name .. ": its data", "mkdir", "-p", "--", (data:gsub("/[^/]*$", "")))
    run(entry.name .. ": its data", "cp", "-a", "--reflink=auto", "--", path .. "/data", data)
end

return Members
