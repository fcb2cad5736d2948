-- Does the chain stay live while nodes are restarted at random? Each node is left alone for a while after its own restart (the cooldown
-- is each node's, not a global one); the schedule comes from the seed, so `--seed` runs it again and `--replay RUNDIR` follows a run.
--
--     tfl check scenarios/chaos_restart.lua --seed 7       the schedule, before anything starts
--     tfl scenarios/chaos_restart.lua --seed 7
--     tfl scenarios/chaos_restart.lua -p twin=true         must fail: a node comes back without peers and stops following (lagging)
local p = tfl.params{nodes = 4, duration = "40s", recovery = {"8s", help = "bound of a recovery"},
  twin = {false, help = "the variant that must fail"}}

local loner = tfl.workload("loner")
function loner:start(ctx)
  ctx:sleep "3s"
  ctx:node(3):restart{peers = "none", args = {"--test", "lead=false"}}
end

local s = tfl.scenario("chaos_restart")
  :topology_with(function(t) t:nodes(p.nodes):full() end)
  :enable_node_control()
  :chaos_with(function(c)
    c:restart():min_delay "2s":max_delay "5s":target_cooldown "8s"
    if p.twin then c:exclude(3) end
    c:apply()
  end)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_recovery{within = p.recovery}
if p.twin then s:with_workload(loner) end
s:build()
