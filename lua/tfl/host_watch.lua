--- The host: how late the event loop was, how much all of the machine stalled (PSI), what its own host took (steal), kills for lack of
--- memory, disk that is left, jumps of the clock, through the whole run. Never an excuse by itself: the judgement asks for the slots it
--- spoiled (JUDGING, Host starved).
local figures = require "tfl.host_figures"
local proc = require "tfl.core.proc"
local starvation = require "tfl.starvation"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Watch = {}
Watch.__index = Watch

local M = {}

--- Half of the time stalled, and the slot does not count for nodes that cannot tell themselves.
local FULL_SHARE = 0.5
--- As much of all processors stolen, and nobody can be in time.
local STOLEN_SHARE = 0.25
--- Between two looks at a node, in seconds.
local NODE_SECONDS = 0.002
--- When tfl itself stands still, so do the relays between the nodes, where they are its own: from here on that is a cut of all links.
local STALL_MS = 1000
local FULL_BYTES = 64 * 1024
--- Between two looks at what changes slowly, in seconds.
local SLOWLY = 1

local function processor() return figures.processor(sys.read_file "/proc/stat") end
local function oom_kills() return figures.oom_kills(sys.read_file "/proc/vmstat") end

---@param run table
---@return table watch with :late_slots(), :summary(), :stop()
function M.start(run)
    local watch = setmetatable({
        run = run, lag_ms = 0, slots = {}, psi_first = sys.psi_full(), from = task.now(), processor_first = processor(),
        oom_first = oom_kills(), oom = 0, disk_free = sys.disk_free(run.dir), clock = figures.clock(), jumped_ms = 0,
        kept = {}, starved = {}, processes = {}, spoilt = {},
    }, Watch)
    sys.loop_lag_ms()
    watch.task = task.spawn("host-watch", function()
        local every = math.max(0.05, run.plan.slot_seconds, NODE_SECONDS * #run.nodes)
        local last, at, looked, ticks = sys.psi_full(), task.now(), 0, processor()
        while true do
            wait.sleep(every)
            local now, psi = task.now(), sys.psi_full()
            local lag = sys.loop_lag_ms()
            watch.lag_ms = math.max(watch.lag_ms, lag)
            if lag >= STALL_MS and run.plan.links and not run.plan.backend.relays_apart then run.faults:stalled(lag / 1000, 0) end
            if psi and last and (psi - last) / 1e6 > FULL_SHARE * (now - at) then watch:mark(watch.slots, now - at) end
            local ticks_now = processor()
            local all_late = lag / 1000 >= run.plan.slot_seconds or (figures.stolen(ticks, ticks_now) or 0) >= STOLEN_SHARE
            if all_late then watch:mark(watch.spoilt, math.max(now - at, lag / 1000)) end
            for _, node in ipairs(run.nodes) do watch:look_at(node.name, now) end
            last, at, ticks = psi, now, ticks_now
            if now - looked >= SLOWLY then
                looked = now
                watch:look()
            end
        end
    end)
    return watch
end

--- What changes slowly; what is worth knowing when goes into the record.
function Watch:look()
    local record = self.run.record
    self.disk_free = math.min(self.disk_free, sys.disk_free(self.run.dir))
    local killed = self.oom_first and (oom_kills() or self.oom_first) - self.oom_first or 0
    if killed > self.oom then record:event("host", { what = "oom_kill", count = killed - self.oom }) end
    self.oom = killed
    local jump = self.clock:look(task.wall_ms(), task.now() * 1000)
    if jump then
        record:event("host", { what = "clock_jump", ms = jump })
        self.jumped_ms = math.abs(jump) > math.abs(self.jumped_ms) and jump or self.jumped_ms
    end
end

--- The slots of the last so many seconds.
function Watch:mark(set, seconds)
    if not self.run.genesis_ms then return end
    local slot = self.run:current_slot()
    for s = slot - math.ceil(seconds / self.run.plan.slot_seconds), slot do set[s] = true end
end

--- Is a node that is a process of this host kept from running?
function Watch:look_at(name, now)
    local pid = self.run.started[name] and self.run.deployer:pid(name)
    local ran, waited, ready
    if pid then ran, waited, ready = proc.load(pid) end
    self.processes[name] = self.processes[name] or starvation.process()
    if ran and not self.kept[name] then self.kept[name], self.starved[name] = {}, {} end
    local seconds, starved = self.processes[name]:look(now, pid, ran, waited, ready)
    if seconds then self:mark(self.kept[name], seconds) end
    if starved then self:mark(self.starved[name], seconds) end
end

--- The slots in which the host kept a node from running, or all of them; nil when nobody can tell.
---@param name string
---@return table<integer, boolean>|nil
---@return table<integer, boolean>|nil starved those in which it waited most of the time
function Watch:kept_slots(name)
    if not self.kept[name] then return nil end
    local function with(own)
        local set = {}
        for _, some in ipairs { own, self.slots, self.spoilt } do
            for slot in pairs(some) do set[slot] = true end
        end
        return set
    end
    return with(self.kept[name]), with(self.starved[name])
end

--- The set of slots in which the host stalled.
function Watch:late_slots() return self.slots end

--- Was there no room for another line on the disk of the run?
function Watch:was_full()
    self.disk_free = math.min(self.disk_free, sys.disk_free(self.run.dir))
    return self.disk_free < FULL_BYTES
end

function Watch:stop()
    self.task:cancel()
    self:look()
    self.lag_ms = math.max(self.lag_ms, sys.loop_lag_ms())
    local psi = sys.psi_full()
    self.psi_share = psi and self.psi_first and (psi - self.psi_first) / 1e6 / math.max(1e-3, task.now() - self.from)
    self.stolen = figures.stolen(self.processor_first, processor())
end

--- loop_lag_ms: worst lag; psi_full, steal: shares of the run's time; oom_kills: of the whole host; disk_free_bytes: the least;
--- clock_jump_ms: the greatest. Of what nobody can tell here: nil.
---@return table
function Watch:summary()
    local function round(x, digits) return x and tonumber(string.format("%." .. digits .. "f", x)) end
    return {
        loop_lag_ms = round(self.lag_ms, 1), psi_full = round(self.psi_share, 4), steal = round(self.stolen, 4),
        oom_kills = self.oom_first and self.oom, disk_free_bytes = self.disk_free < math.maxinteger and self.disk_free or nil,
        clock_jump_ms = round(self.jumped_ms, 0),
    }
end

return M
