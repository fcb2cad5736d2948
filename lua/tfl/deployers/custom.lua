--- Deployers of the user's own, made by tfl.deployer (tfl.deployers.define). To the runner such a one is the
--- local deployer, except that the user's
--- functions say where a node lives, start and stop it and tell whether it is there; its state, its readiness and its exits are kept
--- where those of local nodes are. What the functions make outlives no run: programs are found by TFL_RUN_ID in their environment,
--- everything else by the undo commands that are in the ledger before it is made.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local loader = require "tfl.loader"
local base = require "tfl.deployers.local"
local node_specs = require "tfl.node_specs"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Local, usage, show = base.class, errors.usage, errors.show

local M = {}
local Custom = setmetatable({}, { __index = Local })
Custom.__index = Custom

--- The functions, and how long each may take, in seconds.
M.FUNCTIONS = {
    prepare = 60, site = 10, reach = 10, start = 60, stop = 20, alive = 10, logs = 10, pause = 10, resume = 10, cleanup = 60,
}
local LOOK_SECONDS = 0.2 -- between two looks at the nodes
local STOP_SECONDS, CLEANUP_SECONDS, KILL_SECONDS = 10, 3, 5
local UNDO_SECONDS, UNDO_MOST = 60, 600

---@param members table what tfl.deployer was given
---@param can table<string, boolean> its capabilities
---@param options table {run_id, dir, problem = fn(err): a mistake of the script ends the run}
function M.new(members, can, options)
    local made = setmetatable(base.new(options), Custom)
    made.members, made.name, made.can, made.run_id, made.problem = members, members.name, can, options.run_id, options.problem
    made.own, made.hosts, made.calls, made.undos, made.began = {}, {}, {}, {}, task.now()
    return made
end

-- ---- calls of the user's functions

--- An error of a function as the run tells it: one with a code (of tfl.exec, node:fail) keeps it, any other is the script's.
local function told(what, node, err, traceback)
    local coded = type(err) == "table" and type(err.code) == "string" and type(err.message) == "string"
    if coded and err.told then return err end
    if coded and err.code ~= "usage" and err.code ~= "script_hog" then
        err = errors.new(err.code, "%s: %s", what, err.message)
    else
        err = loader.script_error(what, err, traceback)
    end
    err.node = node
    return err
end

--- Calls a function of the user's in a task of its own, within its time. A mistake of the script ends the run, whoever catches it.
---@param name string
---@param node table|nil whose it is about
function Custom:call(name, node, ...)
    local what = ("deployer %s, %s%s"):format(self.name, name, node and "(" .. node.name .. ")" or "")
    local within = M.FUNCTIONS[name] * (os.getenv "SLOW_TEST_ENV" == "true" and 2 or 1)
    local one = task.spawn(what, self.members[name], ...)
    self.calls[one] = true
    local _ <close> = setmetatable({}, { __close = function()
        one:cancel()
        self.calls[one] = nil
    end })
    local in_time = one:wait(within)
    local ok, value, traceback = one:result()
    if ok then return value end
    if in_time and ok == nil then error(errors.new("cancelled", "%s: the run is over", what), 0) end
    local err = in_time and told(what, node and node.name, value, traceback)
        or errors.new("hook_timeout", "%s: still not over after %ds; bound what it waits for", what, within)
    if err.code == "script_error" or err.code == "script_hog" or err.code == "hook_timeout" then self.problem(err) end
    error(err, 0)
end

--- What a function gave is not what it should be.
function Custom:mistake(name, node, fmt, ...)
    local err = errors.new("script_error", "deployer %s, %s(%s): %s", self.name, name, node.name, fmt:format(...))
    err.node = node.name
    self.problem(err)
    error(err, 0)
end

--- The words of a command as a script writes it: {program, argument…, option = …}.
local function words_of(what, argv, option)
    local words, named = {}, {}
    for key, value in pairs(type(argv) == "table" and argv or {}) do
        if math.type(key) ~= "integer" then named[key] = value end
    end
    errors.options(what, type(argv) == "table" and named or argv, option)
    for i, word in ipairs(argv or {}) do
        if type(word) ~= "string" and type(word) ~= "number" then usage("%s: word %d is %s", what, i, show(word)) end
        words[i] = tostring(word)
    end
    if #words == 0 then usage('%s: a command was expected: {"program", "argument"}', what) end
    return words
end

--- A command that undoes what is about to be made, into the ledger; the same one stands there once.
---@param self table
---@param argv table {program, argument…, timeout = seconds}
---@return {done: fun()} to call when the thing is gone already
local function undo(self, argv)
    local words = words_of("undo", argv, "timeout")
    local within = math.ceil(duration.to_seconds(argv.timeout or UNDO_SECONDS, nil, "undo, timeout"))
    if within < 1 or within > UNDO_MOST then usage("undo: timeout = %s: up to %ds were expected", show(argv.timeout), UNDO_MOST) end
    local cwd, key = sys.cwd(), table.concat(words, "\0")
    if words[1]:find "^[^/]+/" then words[1] = cwd .. "/" .. words[1] end
    if self.undos[key] then return self.undos[key] end
    local id = proc.ledger_add { undo = "argv", argv = words, cwd = cwd, within = within }
    self.undos[key] = { done = function()
        proc.ledger_done(id)
        self.undos[key] = nil
    end }
    return self.undos[key]
end

--- What both a node and the plan of prepare have beside their data.
local function methods(self, extra)
    extra.undo = function(_, argv) return undo(self, argv) end
    extra.fail = function(about, fmt, ...)
        local err = errors.new("infra", select("#", ...) > 0 and tostring(fmt) or tostring(fmt):gsub("%%", "%%%%"), ...)
        err.node = about.index and about.name or nil
        error(err, 0)
    end
    return { __index = extra }
end

--- A node as the functions see it.
---@class tfl.DeployerNode
---@field name string
---@field index integer
---@field kind string
---@field host string where it lives; 127.0.0.1 unless site(node) says otherwise
---@field ports table<string, integer>
---@field dir string its folder on this host
---@field spec tfl.NodeSpec from start on: argv, env (give it all of it), cwd, log, stop_signal; its files are written
---@field handle table|nil what start gave
local function node_for(self, node)
    local own = { name = node.name, index = node.index, kind = node.kind.name, dir = ("%s/nodes/%s"):format(self.dir, node.name),
        host = Local.host(self, node), ports = self.addresses[node.index] }
    return setmetatable(own, methods(self, {
        --- Runs a program (its own) as a process of this host, as local nodes are: supervised, its output in its log.
        spawn = function(_, argv)
            if not own.starting then usage("spawn: it belongs into start(node), once") end
            local env = {}
            for name, value in pairs(own.spec.env) do env[name] = value end
            local words = words_of("spawn", argv or own.spec.argv, "env")
            for name, value in pairs(argv and argv.env or {}) do env[name] = value end
            self.core:add(setmetatable({ argv = words, env = env }, { __index = own.spec }))
            self.core:start(own.name)
            own.spawned, own.starting = true, nil
            return { pid = self.core:pid(own.name) }
        end,
    }))
end

-- ---- where nodes live

function Custom:capabilities() return self.can end
function Custom:host(node) return self.hosts[node.index] or Local.host(self, node) end

function Custom:peer_at(from, index)
    if not self.members.reach then return Local.peer_at(self, from, index) end
    local one = self.own[from]
    local at = self:call("reach", one, one, self.own[self.nodes[index + 1].name])
    if type(at) ~= "table" or type(at.host) ~= "string" or math.type(at.port) ~= "integer" then
        self:mistake("reach", one, "{host = text, port = number} was expected, got %s", show(at))
    end
    return at
end

function Custom:prepare(plan)
    if self.members.prepare then
        local nodes = {}
        for i, node in ipairs(plan.nodes) do nodes[i] = { name = node.name, index = node.index, kind = node.kind.name } end
        self:call("prepare", nil, setmetatable({ name = plan.name, run_id = plan.run_id, seed = plan.seed, dir = self.dir,
            nodes = nodes }, methods(self, {})))
    end
    Local.prepare(self, plan)
    self.watcher = task.spawn("alive", self.watch, self)
end

--- Reserves ports of this host as for local nodes; site(node) may say another host, and other ports.
function Custom:add_nodes(nodes)
    Local.add_nodes(self, nodes)
    for _, node in ipairs(nodes) do
        local own = node_for(self, node)
        self.own[node.name] = own
        local at = self.members.site and self:call("site", own, own) or {}
        if type(at) ~= "table" or type(at.host or "") ~= "string" or type(at.ports or {}) ~= "table" then
            self:mistake("site", own, "{host = text, ports = {name = number}} was expected, got %s", show(at))
        end
        for name, port in pairs(at.ports or {}) do
            if not own.ports[name] or math.type(port) ~= "integer" or port < 1 or port > 65535 then
                self:mistake("site", own, "ports.%s = %s: a number for a port of the kind %s was expected (%s)", tostring(name),
                    show(port), own.kind, table.concat(node_specs.ports(node.kind), ", "))
            end
            own.ports[name] = port
        end
        own.host, self.hosts[node.index] = at.host or own.host, at.host
    end
end

-- ---- start and stop

--- Is an adopted node there?
function Custom:there(own)
    if self.members.alive then return self:call("alive", own, own) and true or false end
    return self.core:here(own.name)
end

--- Was a process there before the run, and is nothing of the run's in its environment? Then it is not the run's to end.
local function stranger(self, pid)
    local environment = sys.read_file(("/proc/%d/environ"):format(pid))
    if not environment or environment:find("TFL_RUN_ID=" .. self.run_id, 1, true) then return false end
    local stat, up = sys.read_file(("/proc/%d/stat"):format(pid)), sys.read_file "/proc/uptime"
    local started = stat and stat:match "^.*%) %S+ (.*)$"
    local ticks = started and started:match(("%S+ "):rep(18) .. "(%S+)") -- field 22 of proc(5)
    return ticks ~= nil and up ~= nil and tonumber(up:match "^%S+") - tonumber(ticks) / 100 > task.now() - self.began + 1
end

--- The user's start, once files are written and ports let go. What it leaves to itself is adopted.
function Custom:launch(node, spec)
    local own = self.own[node.name]
    own.spec, own.spawned, own.adopted, own.starting = spec, nil, nil, true
    spec.env = spec.env or {}
    spec.env.TFL_RUN_ID, spec.env.TFL_NODE = self.run_id, node.name
    self.core:lay_out(node.name)
    local ok, handle = pcall(self.call, self, "start", own, own)
    own.starting = nil
    if not ok then error(handle, 0) end
    local pid = type(handle) == "table" and handle.pid or nil
    if handle ~= nil and type(handle) ~= "table" or pid ~= nil and (math.type(pid) ~= "integer" or pid < 2) then
        self:mistake("start", own, "{pid = number}, a table of your own, or nothing was expected, got %s",
            show(type(handle) == "table" and pid or handle))
    elseif not own.spawned and not pid then
        for _, name in ipairs { "alive", "stop" } do
            if not self.members[name] then
                self:mistake("start", own, "it gave no {pid = …} and did not node:spawn, so the deployer needs %s(node)", name)
            end
        end
    end
    own.handle = handle
    if own.spawned then return end
    if pid and stranger(self, pid) then
        self:mistake("start", own, "the process %d that it gave was there before this run; tfl would end it with the run", pid)
    end
    ok, handle = pcall(self.core.adopt, self.core, own.name, pid)
    if ok then own.adopted = true return end
    if type(handle) ~= "table" or handle.code ~= "not_found" then error(handle, 0) end
    local err = errors.new("exited", "%s: the process %d that start gave is not there; its log ends:\n%s", own.name, pid,
        self:logs(own.name, 600))
    err.node = own.name
    error(err, 0)
end

--- Waits until a node that was told to end is gone.
local function gone(self, own, seconds)
    local deadline, pause = task.now() + seconds, 0.01
    while own.spawned and self.core:pid(own.name) or own.adopted and self:there(own) do
        if task.now() >= deadline then return false end
        wait.sleep(pause)
        pause = math.min(pause * 1.5, LOOK_SECONDS)
    end
    return true
end

--- Tells a node, marked as stopping, to end; by force when it does not within `seconds`.
function Custom:finish(own, how, seconds)
    local function tell(word)
        if self.members.stop then return self:call("stop", own, own, word) end
        self.core:signal(own.name, word == "kill" and "KILL" or word ~= "graceful" and word or nil)
    end
    tell(how)
    if how == "kill" or not gone(self, own, seconds) then
        if how ~= "kill" then tell "kill" end
        if not gone(self, own, KILL_SECONDS) then
            local err = errors.new("timeout", "%s: it is there still, %ds after the deployer %s was told to kill it", own.name,
                KILL_SECONDS, self.name)
            err.node = own.name
            error(err, 0)
        end
    end
    if own.adopted and self.core:state(own.name) == "stopping" then self.core:mark(own.name, "stopped") end
    own.adopted = nil
end

function Custom:stop(name, options)
    local own, how = self.own[name], options and options.how or "graceful"
    if own.spawned and not self.members.stop then return Local.stop(self, name, options) end
    if how ~= "kill" and self:state(name) == "paused" then self:resume(name) end
    self.core:mark(name, "stopping")
    self:finish(own, how, options and options.timeout or STOP_SECONDS)
end

function Custom:kill(name)
    if self.own[name].spawned and not self.members.stop then return Local.kill(self, name) end
    self:stop(name, { how = "kill" })
end

local function switch(verb, to, signal, back)
    return function(self, name)
        local own = self.own[name]
        if own.spawned and not self.members[verb] then return Local[verb](self, name) end
        self.core:mark(name, to)
        local ok, err
        if self.members[verb] then
            ok, err = pcall(self.call, self, verb, own, own)
        else
            ok, err = pcall(self.core.signal, self.core, name, signal)
        end
        if ok then return end
        self.core:mark(name, back)
        error(err, 0)
    end
end
Custom.pause = switch("pause", "paused", "STOP", "running")
Custom.resume = switch("resume", "running", "CONT", "paused")

-- ---- looking

--- Looks after the nodes that tfl did not spawn: one that is gone and was not told to go has exited.
function Custom:watch()
    while true do
        wait.sleep(LOOK_SECONDS)
        for _, node in ipairs(self.nodes) do
            local own = self.own[node.name]
            local function up()
                local state = own and own.adopted and self:state(own.name)
                return state == "running" or state == "paused"
            end
            local spec = own and own.spec
            if up() then
                local ok, there = pcall(self.there, self, own)
                if not ok then self.problem(there) return end
                if not there and own.spec == spec and up() then
                    own.adopted = nil
                    self.core:mark(own.name, "exited")
                end
            end
        end
    end
end

function Custom:logs(name, bytes)
    local own = self.own[name]
    if not self.members.logs or not own.spec then return Local.logs(self, name, bytes) end
    local text = self:call("logs", own, own)
    if type(text) ~= "string" then self:mistake("logs", own, "text was expected, got %s", show(text)) end
    return bytes and text:sub(-bytes) or text
end

function Custom:log_path(name) return not self.members.logs and Local.log_path(self, name) or nil end

function Custom:next_exit()
    local exit = Local.next_exit(self)
    if exit and not exit.asked and self.members.logs then
        local ok, text = pcall(self.logs, self, exit.node, 600)
        exit.log_tail = ok and text or exit.log_tail
    end
    return exit
end

-- ---- the end

--- All nodes at once, then what prepare made. What the functions left, processes and undo commands, goes with the ledger.
function Custom:cleanup()
    if self.watcher then self.watcher:cancel() end
    for one in pairs(self.calls) do one:cancel() end
    local tasks, first = {}, nil
    for _, node in ipairs(self.nodes) do
        local own = self.own[node.name]
        if own and (own.adopted or own.spawned and self.members.stop) and self.core:alive(own.name) then
            tasks[#tasks + 1] = task.spawn("stop", function()
                if self:state(own.name) == "paused" then self:resume(own.name) end
                self.core:mark(own.name, "stopping")
                self:finish(own, "graceful", CLEANUP_SECONDS)
            end)
        end
    end
    for _, one in ipairs(tasks) do
        one:wait()
        local ok, err = one:result()
        if ok == false then first = first or err end
    end
    for _, step in ipairs { function() Local.cleanup(self) end, self.members.cleanup and function() self:call("cleanup") end } do
        local ok, err = pcall(step)
        if not ok then first = first or err end
    end
    if first then error(first, 0) end
end

return M
