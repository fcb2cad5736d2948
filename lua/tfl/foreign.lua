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
local BLOCKS_AT_ONCE = 500 -- that a node is told to have before others have a turn

--- An id as the feed takes it: 64 hex digits stay, any other text becomes its hash.
---@param id any
---@param what string
---@return string
local function id_of(id, what)
    if math.type(id) == "integer" then id = tostring(id) end
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

local function api(self, what)
    if not self.raw then errors.usage("node:%s: its kind has no api_port", what) end
    return self.raw
end

--- An HTTP request to its API: {status, body, content_type}, whatever the status. Raises connect, timeout.
function Peer:get(path, options) return api(self, "get"):get(path, options) end
function Peer:post(path, body, options) return api(self, "post"):post(path, body, options) end
function Peer:sleep(d) wait.sleep(duration.to_seconds(d, nil, "node:sleep")) end

--- It has this block: {id =, parent = nil for the first of the chain, slot = nil, transactions = {…}, live = true}. Ancestors first.
--- Ids are texts; those that are not 64 hex digits are known by their hash.
function Peer:block(block)
    if not self.feed then errors.usage "node:block: only blocks(node) of a dialect tells of blocks" end
    block = errors.options("node:block", block, "id", "parent", "slot", "transactions", "live")
    if block.transactions ~= nil and type(block.transactions) ~= "table" then
        errors.usage("node:block, transactions: a list of hashes was expected, got %s", errors.show(block.transactions))
    elseif self.slots and block.parent and math.type(block.slot) ~= "integer" then
        errors.usage("node:block %s: its slot is %s; the dialect says slots = true, so each block must have one", errors.show(block.id),
            errors.show(block.slot))
    end
    local hashes = {}
    for i, hash in ipairs(block.transactions or {}) do hashes[i] = id_of(hash, "node:block, transactions") end
    self.feed:tell(self.name, {
        id = id_of(block.id, "node:block, id"), parent = block.parent and id_of(block.parent, "node:block, parent"),
        slot = block.slot, transactions = hashes, live = block.live,
    })
    self.told, self.lib = self.told + 1, self.lib or block.id
    if self.told % BLOCKS_AT_ONCE == 0 then wait.sleep(0) end -- others have their turn
end

--- Its tip, and its last final block (default: that of the last view, at first the first block it told of).
function Peer:view(view)
    if not self.feed then errors.usage "node:view: only blocks(node) of a dialect tells of views" end
    view = errors.options("node:view", view, "tip", "lib")
    local tip = id_of(view.tip, "node:view, tip")
    local lib = id_of(view.lib == nil and self.lib or view.lib, "node:view, lib")
    for what, id in pairs { tip = tip, lib = lib } do
        if not self.feed:block(id) then
            errors.usage("node:view, %s: no node:block told of %s", what, errors.show(view[what] == nil and self.lib or view[what]))
        end
    end
    self.feed:view(self.name, tip, lib)
    self.lib = view.lib == nil and self.lib or view.lib
end

local peer_meta = { __index = Peer, __name = "node" }

---@return tfl.KindPeer
local function peer_of(node, raw, site, feed)
    return setmetatable({ name = node.name, index = node.index, host = site.host, ports = site.ports, raw = raw, feed = feed, told = 0,
        slots = node.kind.slots, lib = nil }, peer_meta)
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
    local err = errors.new("script_error", "kind %s, dialect.info of %s: " .. fmt, self.kind.name, self.node.name, ...)
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
        error(loader.script_error(("kind %s, dialect.info of %s"):format(self.kind.name, self.node.name), info, traceback), 0)
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
    local what = ("kind %s, dialect.blocks of %s"):format(kind.name, node.name)
    return task.spawn("blocks", function()
        local peer, pause, one, told = peer_of(node, client.raw, client.site, run.feed), PAUSE, nil, nil
        local _ <close> = setmetatable({}, { __close = function() if one then one:cancel() end end })
        while true do
            local began = task.now()
            one = task.spawn(what, kind.lua_dialect.blocks, peer)
            one:wait()
            local ok, err, traceback = one:result()
            if ok == nil then return end
            local coded = type(err) == "table" and err.code and err.code ~= "usage" and err.code ~= "script_hog"
            if not ok and not coded then
                run:trouble(loader.script_error(what, err, traceback))
                run:stop()
                return
            elseif not ok and err.message ~= told then -- it is called again; the same trouble is told once
                told = err.message
                run.record:event("feed_error", { node = node.name, message = told })
                run:say(node.name, ("%s: %s"):format(what, told))
            end
            if task.now() - began > PAUSE_MAX then pause = PAUSE end
            wait.sleep(pause)
            pause = math.min(2 * pause, PAUSE_MAX)
        end
    end)
end

M.peer = peer_of

return M
