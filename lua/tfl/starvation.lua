--- When a process was kept from running by its host, out of what the kernel counts: how long it ran, and how long it was ready to and
--- did not. One that sleeps, hangs or was stopped waits for nobody, whatever the load of the host is. No reading of files here.
local M = {}

local Process = {}
Process.__index = Process

--- Of a time between two looks: as much of it waited, and it counts; as much, and not even what takes little time was done in time.
local SHARE, MOST = 0.25, 0.5

---@return table process
function M.process() return setmetatable({}, Process) end

--- A look at a process. The kernel counts a wait when it is over, so one that goes on is seen by the state alone.
---@param now number seconds
---@param pid integer
---@param ran number|nil seconds so far; nil: nobody can tell
---@param waited number|nil
---@param ready boolean|nil
---@return number|nil seconds before now since when it was kept from running
---@return boolean|nil starved it waited most of that time
function Process:look(now, pid, ran, waited, ready)
    local last = self.last
    self.last = ran and { at = now, pid = pid, ran = ran, waited = waited, ready = ready } or nil
    if not ran or not last or last.pid ~= pid or now <= last.at then return nil end
    local time, kept = now - last.at, waited - last.waited
    if kept >= SHARE * time then return math.max(time, kept), kept >= MOST * time end
    if ready and last.ready and ran - last.ran < SHARE * time then return time, true end
end

return M
