--- How the k8s deployer ends nodes, and holds them. Methods of it.
local errors = require "tfl.errors"
local objects = require "tfl.deployers.k8s.objects"
local task = require "tfl.core.task"

local Stop = {}

local KILL_SECONDS = 60
local WORD_SECONDS = 10 -- for the cluster to say that a program is gone to which SIGKILL was sent; now and then it never does
local STOP_SECONDS = 15 -- for the cluster, which sends SIGKILL after ten, to say that it is done

local function wait_down(own, seconds)
    local deadline = task.now() + seconds
    while own.up and task.now() < deadline do own.changed:wait(deadline - task.now()) end
    return not own.up
end

--- The same, but no longer than until its log shows that it has ended: now and then the cluster never says so.
local function wait_ended(self, own, seconds)
    local deadline = task.now() + seconds
    while not wait_down(own, math.min(0.2, deadline - task.now())) and not self:is_silent(own) and task.now() < deadline do end
    return not own.up
end

--- Sends a signal to a node within its pod. An end of the node takes the program that sends it along, so nobody minds how that ended.
local function signal(self, own, name)
    local words = { "exec", "-n", self.run.namespace, own.pod, "-c", own.container or "node", "--" }
    local command = objects.signal(self.run, own.wanted, name)
    table.move(command, 1, #command, #words + 1, words)
    local ok, err = pcall(self.cluster.kubectl, self.cluster, words)
    if ok then return end
    local message, stays = err.message, name == "STOP" or name == "CONT"
    if not (stays or message:find "executable file not found" or message:find "no such file" or message:find "orbidden") then return end
    err.message, err.node = ("%s: SIG%s cannot be sent: %s"):format(own.name, name, err.message), own.name
    error(err, 0)
end

--- Takes the object of a pod away whose container has ended: the cluster takes its time to do so, and makes no other one before.
local function forget(self, own, uid)
    if not uid then return end
    pcall(self.cluster.ask, self.cluster, "DELETE", self.cluster:path("pods", own.pod), { body = {
        apiVersion = "v1", kind = "DeleteOptions", gracePeriodSeconds = 0, preconditions = { uid = uid },
    } })
end

--- Ends a node: its signal and after ten seconds SIGKILL by the cluster, or SIGKILL at once; its pod goes, its disk stays.
function Stop:stop(name, options)
    local own, how = self.own[name], options and options.how or "graceful"
    if own.up and self:state(name) == "paused" and how ~= "kill" then self:resume(name) end
    self.core:mark(name, "stopping")
    local uid = own.uid
    if how ~= "graceful" then signal(self, own, how == "kill" and "KILL" or how) end
    self:scale(own, 0)
    if how ~= "kill" and not wait_ended(self, own, options and options.timeout or STOP_SECONDS) and not self:is_silent(own) then
        signal(self, own, "KILL")
    end
    if not wait_ended(self, own, WORD_SECONDS) then forget(self, own, uid) end
    if wait_down(own, KILL_SECONDS) then return forget(self, own, uid) end
    local err = errors.new("timeout", "%s: its pod is there still, %ds after SIGKILL", name, KILL_SECONDS)
    err.node = name
    error(err, 0)
end

function Stop:kill(name) self:stop(name, { how = "kill" }) end

local function switch(word, to, back)
    return function(self, name)
        self.core:mark(name, to)
        local ok, err = pcall(signal, self, self.own[name], word)
        if ok then return end
        self.core:mark(name, back)
        error(err, 0)
    end
end
Stop.pause = switch("STOP", "paused", "running")
Stop.resume = switch("CONT", "running", "paused")

return Stop
