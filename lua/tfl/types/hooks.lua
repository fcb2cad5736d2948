---@meta

---@class tfl.Workload
---@field expectations table expectations that it brings
local workload = {}

--- Once, before the cluster is started.
---@param topology table the plan of the cluster, as plan.json has it
---@param metrics table {expected_blocks, run_duration, slot_duration, active_slot_coeff, slots}
function workload:init(topology, metrics) end

--- At the beginning of the window, in a task of its own; ends with the window at the latest.
---@param ctx tfl.Context
function workload:start(ctx) end

---@class tfl.Expectation
local expectation = {}

--- Once, before the cluster is started.
---@param topology table the plan of the cluster, as plan.json has it
---@param metrics table as of workload:init
function expectation:init(topology, metrics) end

--- Before the window begins and workloads start.
---@param ctx tfl.Context
function expectation:start_capture(ctx) end

--- Again and again in the window: every second, with short slots every five of them.
---@param ctx tfl.Context
function expectation:check_during_capture(ctx) end

--- After the window. It passes when it returns; one that saw no event and no answer of a node is no_sample.
---@param ctx tfl.Context
function expectation:evaluate(ctx) end

return { workload = workload, expectation = expectation }
