-- Every node is restarted, one after the other, as in an upgrade, under load: the chain goes on, and no accepted transaction is lost.
--
--     tfl scenarios/rolling_restart.lua
--     tfl scenarios/rolling_restart.lua -p twin=true       must fail: all at once and without their data (stalled)
local p = tfl.params{nodes = 4, duration = "24s", twin = {false, help = "the variant that must fail"}}

local roll = tfl.workload("roll")
function roll:start(ctx)
  if p.twin then ctx:sleep(tfl.slots(45)) end      -- so that what they lose is of the window
  ctx:wait_for_height(p.twin and 25 or 3)
  if p.twin then
    for _, node in ipairs(ctx:nodes()) do node:stop() end
    for _, node in ipairs(ctx:nodes()) do node:restart{wipe = true} end
    return
  end
  for _, node in ipairs(ctx:nodes()) do
    node:restart()
    node:wait_ready()
    ctx:sleep(tfl.blocks(2))
  end
end

tfl.scenario("rolling_restart")
  :topology_with(function(t) t:nodes(p.nodes):full() end)
  :wallets(8)
  :transactions_with(function(x) x:rate(4) end)
  :enable_node_control()
  :with_workload(roll)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_recovery{within = "8s"}
  :expect_conservation()
  :build()
