-- The same cluster as if its nodes stood in different regions: each link is 40 ms ± 10 ms slow, one way. `t:links` is part of the plan,
-- so the bounds of the judgement know it (Δ). Blocks must show the delay: else the links were not shaped, and the run says nothing.
--
--     tfl scenarios/wan.lua                                "wan" is a preset, "lossy" another; {latency =, jitter =, rate =, loss =}
--     tfl scenarios/wan.lua -p twin=true                   must fail: the links are as they are on this host (failed)
local p = tfl.params{nodes = 5, duration = "20s", twin = {false, help = "the variant that must fail"}}

local slow = tfl.expectation("propagation")
function slow:evaluate(ctx)
  local ms = ctx:figures().propagation_ms
  if not ms.p50 then ctx:inconclusive("no block was seen on its way") end
  ctx:figure("p50", ms.p50, "ms")
  ctx:figure("p99", ms.p99, "ms")
  if ms.p50 < 25 then
    ctx:fail("half of the blocks took %.1f ms or less to the other nodes; at 40 ms a link at least 25 were expected", ms.p50)
  end
end

tfl.scenario("wan")
  :topology_with(function(t)
    t:nodes(p.nodes):ring()
    if not p.twin then t:links("wan") end
  end)
  :enable_node_control{links = true}
  :with_expectation(slow)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :build()
