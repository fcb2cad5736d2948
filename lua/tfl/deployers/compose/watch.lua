--- What the compose deployer hears of its containers: their ends, what they print, and that the engine is still there. Methods of it.
local errors = require "tfl.errors"
local log_file = require "tfl.deployers.log_file"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Watch = {}

local LOG_SECONDS = 2 -- what a container has printed is read within this after its end
local PING_SECONDS, PING_WITHIN = 5, 20

local OUT_OF_MEMORY = "tfl: the kernel has ended it: its container's memory is used up (mem_limit in docker-compose.yml.in)\n"

--- A task that ends with the deployer at the latest.
function Watch:spawn(name, fn, ...)
    local one = task.spawn(name, fn, ...)
    self.tasks[one] = true
    return one
end

--- The engine is gone, or does not answer: the run cannot go on, and it is nobody's fault but the host's.
local function lost(self, why)
    if self.closing or self.lost then return end
    self.lost = true
    self.problem(errors.new("connect", "the Docker engine at %s went away during the run (%s); what it still has of this run, `tfl clean` "
        .. "removes once it is back", self.engine.host, why))
end

local function read_events(self, next_event)
    local ok, err = pcall(function()
        for event in next_event do
            local own = self.own[event.Actor.Attributes["tfl.node"]]
            -- a container that the tool makes may die before its id is known here
            local ours = own and (not own.id or own.id == event.Actor.ID)
            if ours and event.Action == "oom" then own.oom = true end
            if ours and event.Action == "die" then
                own.died = math.tointeger(tonumber(event.Actor.Attributes.exitCode)) or 0
                if own.running then self:ended(own) end
            end
        end
    end)
    lost(self, ok and "its stream of events ended" or type(err) == "table" and err.message or tostring(err))
end

local function ping(self)
    while true do
        wait.sleep(PING_SECONDS)
        local ok, err = pcall(self.engine.ask, self.engine, "GET", "/_ping", { timeout = PING_WITHIN })
        if not ok then return lost(self, type(err) == "table" and err.message or tostring(err)) end
    end
end

--- From here on every end of a container with the label is heard.
function Watch:begin_watch(label)
    local next_event, close = self.engine:events(label)
    self.close_events = close
    self:spawn("events", read_events, self, next_event)
    self:spawn("ping", ping, self)
end

function Watch:end_watch()
    if self.close_events then self.close_events() end
    for one in pairs(self.tasks) do one:cancel() end
    self.tasks = {}
end

--- What a container prints, from one start to its end, goes to the log of its node.
function Watch:follow(own, path, since)
    local write = log_file.writer(path)
    local _ <close> = setmetatable({}, { __close = function() write(nil) end })
    local ok, next_text, close = pcall(self.engine.logs, self.engine, own.id, since)
    if not ok then return end -- the engine is gone: whoever reads events says so
    local _ <close> = setmetatable({}, { __close = close })
    pcall(function()
        for text in next_text do
            local written, why = write(text)
            if not written then return self.say(("%s: its log is given up: %s"):format(own.name, why)) end
        end
    end)
end

--- A container has ended: once its last words are in the log, its node is told to be stopped, or exited when nobody asked.
function Watch:ended(own)
    self:spawn("end", function()
        if own.follow then own.follow:wait(LOG_SECONDS) end
        if not own.running then return end
        own.running = false
        if own.oom then
            local write = log_file.writer(self.specs[own.name].log)
            write(OUT_OF_MEMORY)
            write(nil)
            own.oom = nil
        end
        self.core:mark(own.name, self:state(own.name) == "stopping" and "stopped" or "exited", own.died)
        own.gone:notify()
    end)
end

return Watch
