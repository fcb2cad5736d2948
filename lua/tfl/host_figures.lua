--- What the kernel tells about this host, out of its texts: processor time that was stolen, kills for lack of memory; and clocks that
--- jump. No reading of files here.
local M = {}

--- Processor time of all processors so far, from /proc/stat: all of it, and what the host of a virtual machine took (steal).
---@param text string|nil
---@return {all: integer, steal: integer}|nil ticks
function M.processor(text)
    local rest = text and text:match "^cpu +([%d ]+)"
    if not rest then return nil end
    local all, steal, n = 0, 0, 0
    for ticks in rest:gmatch "%d+" do
        n = n + 1
        if n <= 8 then all = all + tonumber(ticks) end -- guests are in user and nice already
        if n == 8 then steal = tonumber(ticks) end
    end
    return n >= 8 and { all = all, steal = steal } or nil
end

--- The share of processor time that was stolen between two of these.
---@param first {all: integer, steal: integer}|nil
---@param last {all: integer, steal: integer}|nil
---@return number|nil
function M.stolen(first, last)
    if not first or not last or last.all <= first.all then return nil end
    return math.max(0, last.steal - first.steal) / (last.all - first.all)
end

--- Processes that the kernel killed for lack of memory since it started, from /proc/vmstat.
---@param text string|nil
---@return integer|nil
function M.oom_kills(text) return text and math.tointeger(tonumber(text:match "\noom_kill (%d+)" or text:match "^oom_kill (%d+)")) end

local Clock = {}
Clock.__index = Clock

local JUMP_MS = 250

--- Watches how the wall clock goes against one that never jumps. What is there at one look and gone at the next was no jump but a
--- process that was late between the two clocks.
function M.clock() return setmetatable({}, Clock) end

---@param wall_ms number
---@param steady_ms number
---@return number|nil milliseconds it has jumped by
function Clock:look(wall_ms, steady_ms)
    local offset = wall_ms - steady_ms
    local before, suspect = self.offset, self.suspect
    self.suspect = nil
    if not before or math.abs(offset - before) < JUMP_MS then
        self.offset = offset
    elseif suspect and math.abs(offset - suspect) < JUMP_MS then
        self.offset = offset
        return offset - before
    else
        self.suspect = offset
    end
    return nil
end

return M
