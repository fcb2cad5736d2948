--- Things that many ask for at the same moment, made by one call for all of them.
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local Gather = {}
Gather.__index = Gather

local M = {}

--- How long one is waited for after another, in seconds.
local SECONDS = 0.05

---@param make fun(batch: any[]) waits; makes all that is in the batch, or raises for all of it
function M.new(make) return setmetatable({ make = make, pending = {}, results = {}, made = wait.signal() }, Gather) end

local function work(self)
    wait.sleep(SECONDS)
    while #self.pending > 0 do
        local batch = self.pending
        self.pending = {}
        local ok, err = pcall(self.make, batch)
        for _, one in ipairs(batch) do self.results[one] = { ok = ok, err = err } end
        self.made:notify()
    end
    self.worker = nil
end

--- Waits until it is made; raises what make raised.
---@param one any
function Gather:add(one)
    self.results[one] = nil
    table.insert(self.pending, one)
    self.worker = self.worker or task.spawn("gather", work, self)
    while not self.results[one] do self.made:wait() end
    local result = self.results[one]
    self.results[one] = nil
    if not result.ok then error(result.err, 0) end
end

--- Nothing more is made.
function Gather:cancel()
    if self.worker then self.worker:cancel() end
end

return M
