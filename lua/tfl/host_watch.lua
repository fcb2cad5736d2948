--- The host: how late the event loop was and how much all of the machine stalled (PSI), through the whole run. Never an
--- excuse by itself: the judgement asks for the slots it spoiled (JUDGING, Host starved).
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Watch = {}
Watch.__index = Watch

local M = {}

--- Half of the time stalled, and the slot does not count for nodes that cannot tell themselves.
local FULL_SHARE = 0.5

---@param run table
---@return table watch with :late_slots(), :summary(), :stop()
function M.start(run)
    local watch = setmetatable({ lag_ms = 0, slots = {}, psi_first = sys.psi_full(), from = task.now() }, Watch)
    sys.loop_lag_ms()
    watch.task = task.spawn("host-watch", function()
        local every = math.max(0.05, run.plan.slot_seconds)
        local last, at = sys.psi_full(), task.now()
        while true do
            wait.sleep(every)
            local now, psi = task.now(), sys.psi_full()
            watch.lag_ms = math.max(watch.lag_ms, sys.loop_lag_ms())
            if psi and last and run.genesis_ms and (psi - last) / 1e6 > FULL_SHARE * (now - at) then
                local slot = run:current_slot()
                for s = slot - math.ceil((now - at) / run.plan.slot_seconds), slot do watch.slots[s] = true end
            end
            last, at = psi, now
        end
    end)
    return watch
end

--- The set of slots in which the host stalled.
function Watch:late_slots() return self.slots end

function Watch:stop()
    self.task:cancel()
    self.lag_ms = math.max(self.lag_ms, sys.loop_lag_ms())
    local psi = sys.psi_full()
    self.psi_share = psi and self.psi_first and (psi - self.psi_first) / 1e6 / math.max(1e-3, task.now() - self.from)
end

---@return table {loop_lag_ms, psi_full}: worst lag; share of the run's time in which everything stalled
function Watch:summary()
    local function round(x, digits) return x and tonumber(string.format("%." .. digits .. "f", x)) end
    return { loop_lag_ms = round(self.lag_ms, 1), psi_full = round(self.psi_share, 4) }
end

return M
