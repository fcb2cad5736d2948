--- What the k8s deployer sees of its pods: whether they run, why not, how they ended, what they print, what the cluster says of them.
--- Methods of it.
local cluster = require "tfl.deployers.k8s.cluster"
local errors = require "tfl.errors"
local http = require "tfl.core.http"
local log_file = require "tfl.deployers.log_file"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Watch = {}

local LOST_SECONDS = 60 -- without an answer of the API server the run cannot go on
local PING_SECONDS = 2 -- between two looks whether it answers
local DOUBT_SECONDS = 20 -- until a busy kubelet has told that a container ended, as its log has already
local SILENT_SECONDS = 3 -- a log that has come to its end again and again for so long is that of a container that has ended
local DEAF_SECONDS = 5 -- for the answer of a node that is asked for a sign of life
local LOG_SECONDS = 2 -- what a node has printed is read within this after its end

--- A task that ends with the deployer at the latest.
function Watch:spawn(name, fn, ...)
    local one = task.spawn(name, fn, ...)
    self.tasks[one] = true
    return one
end

--- What a container that cannot start waits for, when waiting longer helps nobody.
local HOPELESS = {
    ErrImagePull = true, ImagePullBackOff = true, ErrImageNeverPull = true, InvalidImageName = true, ImageInspectError = true,
}

--- What the kubelet tries again, after ten seconds and more, and a busy machine gets over.
local TRIED_AGAIN = { CreateContainerConfigError = true, CreateContainerError = true, RunContainerError = true }

local function container_of(own, pod)
    for _, status in ipairs(pod.status.containerStatuses or {}) do
        if status.name == (own.container or "node") then return status end
    end
    return {}
end

--- How often the container of a node had ended before.
function Watch:restarts(own, pod) return container_of(own, pod).restartCount or 0 end

--- A node has ended: once its last words are in the log, it is told to be stopped, or exited when nobody asked.
function Watch:ended(own, code, why)
    if not own.up or own.ending then return end
    if own.lost then return own.lost(why or "its program ended with exit code " .. tostring(code)) end
    own.ending, own.why = true, why
    self:spawn("end", function()
        if own.following then own.following:wait(LOG_SECONDS) end
        if not own.up then return end
        local asked = self:state(own.name) == "stopping"
        own.up, own.ending = false, nil
        self.core:mark(own.name, asked and "stopped" or "exited", code)
        own.changed:notify()
        if not asked then pcall(self.scale, self, own, 0) end -- the cluster would start it again
    end)
end

local function with_message(reason, message)
    return (reason or "?") .. (message and message ~= "" and ": " .. message:gsub("%s+$", "") or "")
end

--- How a container ended: its exit code, and the cluster's word for it when that says more.
local function end_of(terminated)
    local plain = terminated.reason == "Error" or terminated.reason == "Completed"
    return terminated.exitCode, not plain and with_message(terminated.reason, terminated.message) or nil
end

local DELETED = "its pod was deleted, and not by tfl"
local DEAF = "nobody listens on its port, and the cluster has not told how it ended: does the kubelet of its machine run?"

local function own_of(self, object)
    return self.by_pod[object.metadata.name]
end

local function gone(self, own, uid, why)
    if own.uid ~= uid then return end
    own.spent, own.uid, own.running = uid, nil, nil
    self:ended(own, nil, why)
    own.changed:notify()
end

--- A pod is as it is said here.
local function look(self, own, pod)
    local status, meta = container_of(own, pod), pod.metadata
    local state, uid = status.state or {}, meta.uid
    if uid == own.spent then return end -- of an earlier start
    if own.up and own.uid and own.uid ~= uid then return gone(self, own, own.uid, DELETED) end -- while nobody could see it
    own.uid, own.leaving, own.ip = uid, meta.deletionTimestamp ~= nil, pod.status.podIP
    local before = own.before and own.before.uid == uid and own.before.count or 0 -- ends that nobody saw who follows it now
    local over = state.terminated or (status.restartCount or 0) > before and (status.lastState or {}).terminated
    if own.lost and own.leaving then
        self:ended(own, nil, DELETED)
    elseif pod.status.phase == "Failed" and pod.status.reason then
        own.trouble = with_message(pod.status.reason, pod.status.message)
        self:ended(own, over and over.exitCode, own.trouble)
    elseif over then
        local code, why = end_of(over)
        if own.leaving then why = DELETED end
        own.trouble = ("its program ended with exit code %s%s"):format(code, why and ", " .. why or "")
        self:ended(own, code, why)
    elseif own.leaving and not self.closing and self:state(own.name) ~= "stopping" then
        self:ended(own, nil, DELETED) -- there is no way back, and a busy kubelet may take minutes to tell of its end
    elseif state.waiting and HOPELESS[state.waiting.reason] then
        own.trouble = with_message(state.waiting.reason, state.waiting.message)
    elseif state.waiting and TRIED_AGAIN[state.waiting.reason] then
        own.failing = {
            what = with_message(state.waiting.reason, state.waiting.message), since = own.failing and own.failing.since or task.now(),
        }
    elseif state.running and not own.leaving then
        own.running = uid
    end
    own.changed:notify()
end

local function follow_pods(self)
    self.cluster:follow("pods", self.selector, function(type, pod)
        local own = own_of(self, pod)
        if not own then return end
        if type == "DELETED" then
            look(self, own, pod)
            gone(self, own, pod.metadata.uid, DELETED)
        else
            look(self, own, pod)
        end
    end, function(pods)
        local there = {}
        for _, pod in ipairs(pods) do
            there[pod.metadata.uid] = true
            local own = own_of(self, pod)
            if own then look(self, own, pod) end
        end
        for _, own in pairs(self.by_object) do
            if own.uid and not there[own.uid] then gone(self, own, own.uid, DELETED) end
        end
    end)
end

--- The run cannot go on, and it is nobody's fault but the cluster's.
function Watch:lost(err)
    if self.closing or self.told then return end
    self.told = true
    self.problem(err)
end

--- Warnings of the cluster about the run's objects go into the record, and into messages about what does not come up.
local function follow_events(self)
    local told = {}
    local function hear(event)
        local object = event.involvedObject or {}
        local own = self.by_object[object.name] or self.by_pod[object.name]
        if not own or event.type ~= "Warning" and not self.settings.debug then return end
        local key = event.metadata.uid .. (event.count or 1)
        if told[key] then return end
        told[key] = true
        self.event("pod_event", { node = own.name, reason = event.reason, message = event.message, count = event.count })
        if self.settings.debug then self.say(("%s: %s: %s"):format(own.name, event.reason, event.message)) end
        if event.type ~= "Warning" then return end
        own.warning = with_message(event.reason, event.message)
        local hint = event.reason == "FailedCreate" and cluster.forbids(event.message:lower())
        if hint then
            own.trouble = ("%s; %s"):format(own.warning, hint)
            own.changed:notify()
        end
    end
    self.cluster:follow("events", nil, function(type, event)
        if type ~= "DELETED" then hear(event) end
    end, function(events)
        for _, event in ipairs(events) do hear(event) end
    end)
end

--- A cluster that does not answer for a while is no reason to end a run whose nodes may be fine; for a minute it is.
local function ping(self)
    local since, away
    while true do
        wait.sleep(PING_SECONDS)
        local ok, err = pcall(self.cluster.ask, self.cluster, "GET", self.cluster:path "pods", { query = "limit=1", patience = 0 })
        if ok then
            if away then
                self.event("cluster_back", { seconds = task.now() - since })
                self.away_until = task.now()
            end
            since, away = nil, nil
        elseif err.status == 401 or err.status == 403 then
            return self:lost(err)
        else
            since = since or task.now()
            if not away then self.event("cluster_away", { message = err.message }) end
            away = true
            if task.now() - since > LOST_SECONDS then
                return self:lost(errors.new("connect", "the API server of the cluster has not answered for %ds (%s)", LOST_SECONDS,
                    err.message))
            end
        end
    end
end

--- After a minute the run is lost by then.
function Watch:wait_reachable()
    local from = task.now()
    self.cluster:ask("GET", self.cluster:path "pods", { query = "limit=1", patience = LOST_SECONDS + 10 })
    if task.now() - from > 1 then self.away_until = task.now() end
    return self.away_until
end

--- Does nobody take connections on the port of its API any more? Only what the API server has met there counts.
local function is_deaf(self, own)
    local spec = own.up and self:state(own.name) == "running" and self.specs[own.name]
    if not spec or not spec.dialect or not spec.ports.http then return false end
    local ok, answer = pcall(http.request, { url = self.cluster:pod_url(own.pod, spec.ports.http) .. "/", timeout = DEAF_SECONDS })
    return ok and answer.status >= 500 and answer.body:find "error trying to reach service: .*connection refused" ~= nil
end

--- Waits until the cluster has told how a node ended whose log has ended, or on whose port nobody listens. One of these that it says
--- nothing of has ended all the same: who would tell is gone.
function Watch:wait_told()
    local looks = {}
    for _, own in pairs(self.own) do
        looks[#looks + 1] = self:spawn("look", function()
            local deadline = task.now() + DOUBT_SECONDS
            while is_deaf(self, own) do
                if task.now() > deadline then return self:ended(own, nil, DEAF) end
                own.changed:wait(1)
            end
            while own.up and own.doubt and task.now() - own.doubt < DOUBT_SECONDS do own.changed:wait(0.2) end
        end)
    end
    for _, look_at in ipairs(looks) do look_at:wait() end
    for _, own in pairs(self.own) do
        while own.up and own.ending do own.changed:wait(0.2) end
    end
end

function Watch:begin_watch()
    self:spawn("ping", ping, self)
    self:spawn("pods", follow_pods, self)
    self:spawn("events", follow_events, self)
end

function Watch:end_watch()
    for one in pairs(self.tasks) do one:cancel() end
    self.tasks = {}
end

--- Tells which lines of a log are new when it is read again from a second on, after the connection was lost. The stamps of what a program
--- prints on its two outputs may go back a little, so lines are counted, not compared by time.
---@return fun(): string query of where to read from; each reading begins with it
---@return fun(stamp: string, line: string): boolean, boolean|nil is it new? Of the first one read again: is it of another log, which began
--- since? That of a container does when it is started again.
local function once()
    local second, had, met, first = nil, {}, {}, false
    local function again()
        met, first = {}, second ~= nil
        return second and "&sinceTime=" .. second:gsub("%+", "%%2B") or ""
    end
    return again, function(stamp, line)
        local own, other = stamp:gsub("%.%d+", ""), nil
        if first then first, other = false, not had[line] end
        if not second or own > second then second, had, met = own, {}, {} end
        if own < second then return true, other end -- it is not read again
        met[line] = (met[line] or 0) + 1
        if met[line] <= (had[line] or 0) then return false, other end
        had[line] = met[line]
        return true, other
    end
end

--- Has its log been at its end for a while, whenever it was asked for? That of a container that runs has none.
function Watch:is_silent(own)
    local silent, now = own.silent, task.now()
    return silent ~= nil and now - silent.from >= SILENT_SECONDS and now - silent.till < 1
end

--- What a node prints, from one start to its end, goes to its log, each line once, whatever happens to the connection.
function Watch:follow_log(own, path, uid)
    local write, again, is_new = log_file.writer(path), once()
    local _ <close> = setmetatable({}, { __close = function() write(nil) end })
    local given_up
    while own.up and own.uid == uid and not given_up do
        local close = function() end
        local ok, err = pcall(function()
            local next_line
            next_line, close = self.cluster:lines(self.cluster:path("pods", own.pod .. "/log"),
                "container=" .. (own.container or "node") .. "&follow=true&timestamps=true" .. again())
            for line in next_line do
                local stamp, said = line:match "^(%d+%-%d+%-%d+T%S+) ?(.*)$"
                local new, other = false, nil
                if stamp then new, other = is_new(stamp, line) end
                if other == false then own.doubt = nil end
                if new then own.silent = nil end
                if new then
                    local written, why = write(said .. "\n")
                    if not written then
                        given_up = true
                        return self.say(("%s: its log is given up: %s"):format(own.name, why))
                    end
                end
            end
        end)
        close()
        if not ok and err.status == 403 then return self:lost(err) end
        if own.ending then return end
        local ended = ok or err.status and err.status < 500
        own.silent = ended and { from = own.silent and own.silent.from or task.now(), till = task.now() } or nil
        own.doubt = own.doubt or task.now() -- its container has ended, or only the connection: the next lines tell
        wait.sleep(0.2)
    end
end

return Watch
