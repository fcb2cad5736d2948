--- Nodes of kinds that speak no dialect of tfl's: their clients, and the blocks that Lua reads of them and tells the feed.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local keys = require "tfl.core.keys"
local loader = require "tfl.loader"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local M = {}

--- Between two calls of blocks(node) after it came back or failed: at first, at most, in seconds.
local PAUSE, PAUSE_MAX = 0.05, 1
local INFO_SECONDS = 10

--- An id as the feed takes it: 64 hex digits stay, any other text becomes its hash.
---@param id any
---@param what string
---@return string
local function id_of(id, what)
    if type(id) == "number" then id = tostring(id) end
    if type(id) ~= "string" or id == "" then errors.usage("%s: an id (a text) was expected, got %s", what, errors.show(id)) end
    if id:match("^" .. ("%x"):rep(64) .. "$") then return id:lower() end
    return (keys.hash("TFL_FOREIGN_ID", id):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

-- ---- the node as functions of a dialect have it

--- What info, blocks, submit and ready of a kind are given.
---@class tfl.KindPeer
---@field name string
---@field index integer
---@field host string
---@field ports table<string, integer>
local Peer = {}

--- An HTTP request to its API: {status, body, content_type}, whatever the status. Raises connect, timeout.
function Peer:get(path, options) return self.raw:get(path, options) end
function Peer:post(path, body, options) return self.raw:post(path, body, options) end
function Peer:sleep(d) wait.sleep(duration.to_seconds(d, nil, "node:sleep")) end

--- It has this block: {id =, parent = nil for the first of the chain, slot = nil, transactions = {…}, live = true}. Ancestors first.
--- Ids are texts; those that are not 64 hex digits are known by their hash.
function Peer:block(block)
    if not self.feed then errors.usage "node:block: only blocks(node) of a dialect tells of blocks" end
    block = errors.options("node:block", block, "id", "parent", "slot", "transactions", "live")
    local hashes = {}
    for i, hash in ipairs(block.transactions or {}) do hashes[i] = id_of(hash, "node:block, transactions") end
    self.feed:tell(self.name, {
        id = id_of(block.id, "node:block, id"), parent = block.parent and id_of(block.parent, "node:block, parent"),
        slot = block.slot, transactions = hashes, live = block.live,
    })
    self.first = self.first or block.id
end

--- Its tip, and its last final block (default: the first block it told of).
function Peer:view(view)
    if not self.feed then errors.usage "node:view: only blocks(node) of a dialect tells of views" end
    view = errors.options("node:view", view, "tip", "lib")
    self.feed:view(self.name, id_of(view.tip, "node:view, tip"), id_of(view.lib or self.first, "node:view, lib"))
end

local peer_meta = { __index = Peer, __name = "node" }

---@return tfl.KindPeer
local function peer_of(node, raw, site, feed)
    return setmetatable({ name = node.name, index = node.index, host = site.host, ports = site.ports, raw = raw, feed = feed }, peer_meta)
end

-- ---- the client

local Client = {}
local client_meta = { __index = Client, __name = "client" }

---@param node table of run.nodes
---@param raw userdata|nil the client of its API, when it has one
---@param site tfl.Site
function M.client(node, raw, site)
    return setmetatable({ node = node, kind = node.kind, raw = raw, site = site }, client_meta)
end

local function refuse(self, what)
    local err = errors.new("unsupported", "%s: %s: the kind %s %s", self.node.name, what, self.kind.name,
        self.kind.dialect and "does not tell that" or "has no chain dialect")
    err.node = self.node.name
    error(err, 0)
end

function Client:name() return self.node.name end
--- nil when the kind has no API.
function Client:base_url() return self.raw and self.raw:base_url() end

local function raw_of(self, what)
    if not self.raw then errors.usage("%s: %s: the kind %s has no api_port", self.node.name, what, self.kind.name) end
    return self.raw
end
function Client:get(...) return raw_of(self, "client:get"):get(...) end
function Client:post(...) return raw_of(self, "client:post"):post(...) end

local function bad_reply(self, fmt, ...)
    local err = errors.new("bad_reply", "%s: info of the kind %s: " .. fmt, self.node.name, self.kind.name, ...)
    err.node = self.node.name
    error(err, 0)
end

--- What info(node) of the dialect tells, checked: {tip, lib, height, slot, online}.
function Client:consensus_info(options)
    local dialect = self.kind.lua_dialect or refuse(self, "client:consensus_info")
    local asked = task.spawn("info", dialect.info, peer_of(self.node, self.raw, self.site))
    local _ <close> = setmetatable({}, { __close = function() asked:cancel() end })
    if not asked:wait(options and options.timeout or INFO_SECONDS) then
        local err = errors.new("timeout", "%s: no answer of info(node) of the kind %s", self.node.name, self.kind.name)
        err.node = self.node.name
        error(err, 0)
    end
    local ok, info, traceback = asked:result()
    if not ok then
        if type(info) == "table" and info.code and info.code ~= "usage" then error(info, 0) end
        error(loader.script_error(("kind %s, dialect.info"):format(self.kind.name), info, traceback), 0)
    end
    if type(info) ~= "table" then bad_reply(self, "a table {tip, lib, height} was expected, got %s", errors.show(info)) end
    if type(info.tip) ~= "string" and type(info.tip) ~= "number" then
        bad_reply(self, "tip: an id was expected, got %s", errors.show(info.tip))
    end
    for _, name in ipairs { "height", "slot" } do
        local value = info[name]
        if (name == "height" or value ~= nil) and (math.type(value) ~= "integer" or value < 0) then
            bad_reply(self, "%s: a whole number from 0 was expected, got %s", name, errors.show(value))
        end
    end
    return {
        tip = id_of(info.tip, "info, tip"), lib = id_of(info.lib or info.tip, "info, lib"), height = info.height, slot = info.slot,
        online = info.online == nil or info.online and true or false, state = info.state and tostring(info.state) or nil,
    }
end

--- Hands a transaction, whatever that is to the kind, to submit(node, intent); gives what that gives.
function Client:submit_transaction(intent)
    local dialect = self.kind.lua_dialect
    if not dialect or not dialect.submit then refuse(self, "client:submit_transaction") end
    return dialect.submit(peer_of(self.node, self.raw, self.site), intent)
end

for _, name in ipairs { "network_info", "headers", "block", "blocks", "late_slots", "mempool" } do
    Client[name] = function(self) return refuse(self, "client:" .. name) end
end

-- ---- the feed

--- Follows a node with blocks(node) of its kind's dialect until the task is cancelled.
---@param run table
---@param node table of run.nodes
---@return table task
function M.follow(run, node)
    local kind, client = node.kind, run.clients[node.name]
    run.feed:enter(node.name)
    return task.spawn("blocks", function()
        local peer, pause = peer_of(node, client.raw, client.site, run.feed), PAUSE
        while true do
            local began, traceback = task.now(), nil
            local ok, err = xpcall(kind.lua_dialect.blocks, function(err)
                traceback = debug.traceback("", 2)
                return err
            end, peer)
            if not ok and (type(err) ~= "table" or not err.code or err.code == "usage") then
                run:problem("usage", loader.script_error(("kind %s, dialect.blocks"):format(kind.name), err, traceback))
                run:stop()
                return
            end
            if task.now() - began > PAUSE_MAX then pause = PAUSE end
            wait.sleep(pause)
            pause = math.min(2 * pause, PAUSE_MAX)
        end
    end)
end

M.peer = peer_of

return M
