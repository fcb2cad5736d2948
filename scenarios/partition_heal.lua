-- Two halves of the cluster are cut off from each other, grow apart, and are joined again: the longer branch wins, the other half
-- reorganises, and nothing that was final is undone. That needs a security parameter above what the shorter side can grow by
-- meanwhile; with a small one both sides finalise, for ever apart.
--
--     tfl scenarios/partition_heal.lua
--     tfl scenarios/partition_heal.lua -p twin=true        must fail: k = 4 (final_conflict)
local p = tfl.params{nodes = 4, duration = "24s", twin = {false, help = "the variant that must fail"}}

local split = tfl.workload("split")
function split:start(ctx)
  ctx:wait_for_height(3)
  local cut = ctx:partition({0, 1}, {2, 3})
  ctx:sleep "5s"
  local a, b = ctx:node(0):client():consensus_info(), ctx:node(2):client():consensus_info()
  if a.tip == b.tip then ctx:inconclusive("both halves are on the same block after 5s apart") end
  local counts = cut:heal()
  ctx:log("healed: %d bytes withheld, %d dials refused; heights were %d and %d", counts.withheld, counts.refused, a.height, b.height)
end

tfl.scenario("partition_heal")
  :topology_with(function(t)
    t:nodes(p.nodes):full():slot_duration("100ms")
    if p.twin then t:security_param(4, {unsafe_k = true}) else t:security_param(50) end
  end)
  :enable_node_control{links = true}
  :with_workload(split)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_fork_resolution{within = "6s"}
  :expect_recovery{within = "6s"}
  :expect_height_convergence()
  :build()
