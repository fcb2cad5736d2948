--- Waiting until nodes of the user's kinds are ready, by what the kind says (`await` of its node_spec): an HTTP answer, a port that
--- accepts, a line of its log, a function, or the answer of its dialect. For kinds of tfl's own the deployers do it.
local client = require "tfl.core.client"
local errors = require "tfl.errors"
local foreign = require "tfl.foreign"
local loader = require "tfl.loader"
local node_logs = require "tfl.node_logs"
local node_specs = require "tfl.node_specs"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local M = {}

--- Between two looks: at first, at most, in seconds; how long one question may take.
local PAUSE, PAUSE_MAX, ANSWER = 0.01, 0.1, 2

--- A node to wait for.
---@class tfl.Awaited
---@field node table of the run
---@field await table|function of the node_spec
---@field site tfl.Site
---@field client table of the node
---@field log_from integer where its log began when it was started

local looks = {}

--- An HTTP answer with the status (200), and a body that a function likes.
function looks.http(one)
    local await, site = one.await, one.site
    if not one.raw then
        local port = site.ports[await.port or one.node.kind.api_port]
        one.raw = client.new { name = one.node.name, url = node_specs.url(site, port), dialect = "http" }
    end
    local answer = one.raw:get(await.http, { timeout = ANSWER })
    if answer.status ~= (await.status or 200) then
        return false, ("status %d, expected %d"):format(answer.status, await.status or 200)
    end
    if await.body and not await.body(answer.body) then
        return false, "its body is not what ready.body wants: " .. answer.body:sub(1, 100)
    end
    return true
end

function looks.tcp(one)
    wait.reach(one.site.host, one.site.ports[one.await.tcp], 0.5)
    return true
end

--- A line of its log since it was started.
function looks.log(one)
    while true do
        local text, at = sys.read_from(one.site.log, one.log_from)
        if not text then return false, at end
        if text == "" then return false, "no such line in its log yet" end
        one.log_from = at
        local found
        one.rest, found = node_logs.lines(one.rest or "", text, function(line) return line:find(one.await.log) end)
        if found or one.rest:find(one.await.log) then return true end
        wait.sleep(0) -- a node that floods its log must not keep others from their turn
    end
end

function looks.fn(one) return one.await(foreign.peer(one.node, one.client.raw, one.site)), "its function `ready` gives nothing" end
function looks.info(one) return one.client:consensus_info { timeout = ANSWER }.online, "it says it is not online" end
function looks.runs() return true end

local function look_of(await)
    if type(await) == "function" then return looks.fn, "ready(node)" end
    if await.http then return looks.http, "GET " .. await.http end
    if await.tcp then return looks.tcp, "a connection to its port " .. await.tcp end
    if await.log then return looks.log, ("a line like %q"):format(await.log) end
    return await.info and looks.info or looks.runs, await.info and "info of its dialect" or "running"
end

local function fail(deployer, one, code, fmt, ...)
    local told, tail = pcall(deployer.logs, deployer, one.node.name, 600)
    local err = errors.new(code, fmt, ...)
    if not told then tail = "(it cannot be read: " .. errors.text(tail) .. ")" end
    err.message = err.message .. (#tail > 0 and "; its log ends: " .. tail or "; its log is empty")
    err.node = one.node.name
    error(err, 0)
end

local function wait_for(deployer, one, deadline, within)
    local look, what = look_of(one.await)
    local pause = PAUSE
    while true do
        if not deployer:alive(one.node.name) then fail(deployer, one, "exited", "%s: ended before it was ready", one.node.name) end
        local ok, ready, why = pcall(look, one)
        if ok and ready then return end
        if not ok and (type(ready) ~= "table" or ready.code == "usage" or ready.code == "script_error") then
            if type(ready) == "table" and ready.code == "script_error" then error(ready, 0) end
            error(loader.script_error(("kind %s, ready"):format(one.node.kind.name), ready), 0)
        end
        local last = ok and tostring(why) or ready.message
        if task.now() >= deadline then
            fail(deployer, one, "not_ready", "%s: not ready within %.3gs: %s (last: %s)", one.node.name, within, what, last)
        end
        wait.sleep(math.max(0, math.min(pause, deadline - task.now())))
        pause = math.min(pause * 1.5, PAUSE_MAX)
    end
end

--- Waits for all, each in a task of its own; raises not_ready or exited of the first in their order that fails, with the end of its log.
---@param deployer table
---@param list tfl.Awaited[]
---@param seconds number for all together
---@param told fun(name: string, seconds: number) a node is ready
---@param within? number seconds for messages, when some of them are over already
function M.wait(deployer, list, seconds, told, within)
    local began, tasks = task.now(), {}
    local _ <close> = setmetatable({}, { __close = function()
        for _, one in ipairs(tasks) do one:cancel() end
    end })
    for i, one in ipairs(list) do
        tasks[i] = task.spawn("ready", function()
            wait_for(deployer, one, began + seconds, within or seconds)
            told(one.node.name, task.now() - began)
        end)
    end
    for i, one in ipairs(tasks) do
        one:wait()
        local ok, err = one:result()
        if ok == false then
            if type(err) == "table" and err.code == "script_hog" then
                err = loader.script_error(("kind %s, ready of %s"):format(list[i].node.kind.name, list[i].node.name), err)
            end
            error(err, 0)
        end
    end
end

return M
