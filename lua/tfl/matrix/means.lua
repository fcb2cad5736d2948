--- How many runs this machine bears at once: its processors and its free memory, as far as this process may use them.
local sys = require "tfl.core.sys"

local M = {}

--- What a run takes at the most on this host: tfl with its guardian, and each node.
local RUN_BYTES, NODE_BYTES = 96 << 20, 32 << 20

local function read(path)
    return sys.read_file(path) or ""
end

--- Processors: those this process may run on, less when its control group has a quota.
local function cores()
    local list, n = read "/proc/self/status":match "Cpus_allowed_list:%s*([%d,%-]+)", 0
    for part in (list or "0"):gmatch "[^,]+" do
        local from, to = part:match "^(%d+)%-?(%d*)$"
        n = n + (math.tointeger(tonumber(to)) or tonumber(from)) - tonumber(from) + 1
    end
    local quota, period = read "/sys/fs/cgroup/cpu.max":match "^(%d+) (%d+)"
    if quota then n = math.min(n, tonumber(quota) / tonumber(period)) end
    return math.max(1, n // 1 | 0)
end

--- Bytes that are free, or will be when asked for.
local function memory()
    local free = (tonumber(read "/proc/meminfo":match "MemAvailable:%s*(%d+)") or 1 << 20) * 1024
    local limit, used = read "/sys/fs/cgroup/memory.max":match "^%d+", read "/sys/fs/cgroup/memory.current":match "^%d+"
    if limit and used then free = math.min(free, tonumber(limit) - tonumber(used)) end
    return free
end

--- How many runs at once, and why.
---@param nodes integer of the largest run
---@return integer jobs, string reason
function M.jobs(nodes)
    local by_cores, by_memory = cores(), math.max(1, memory() // (RUN_BYTES + nodes * NODE_BYTES) | 0)
    local reason = ("%d core%s, memory for %d"):format(by_cores, by_cores == 1 and "" or "s", by_memory)
    return math.min(by_cores, by_memory), reason
end

return M
