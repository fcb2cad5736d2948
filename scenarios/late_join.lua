-- A node that was not there from the start joins in mid-run, fetches the chain and keeps up. `late_nodes` plans it: it has keys (and
-- here no stake), but is not started with the others.
--
--     tfl scenarios/late_join.lua
--     tfl scenarios/late_join.lua -p twin=true             must fail: it joins without peers (not_converged)
local p = tfl.params{nodes = 3, duration = "20s", twin = {false, help = "the variant that must fail"}}

local join = tfl.workload("join")
function join:start(ctx)
  ctx:wait_for_height(8)
  local node = ctx:start_node("node-" .. p.nodes, {peers = p.twin and "none" or "default"})
  node:wait_ready()
  ctx:log("%s is there, at height %d", node.name, node:client():consensus_info().height)
end

tfl.scenario("late_join")
  :topology_with(function(t) t:nodes(p.nodes):network_star():late_nodes(1) end)
  :enable_node_control()
  :with_workload(join)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_recovery{within = "10s"}
  :expect_height_convergence()
  :build()
