-- The smallest question: does the chain keep growing on every node?
--
--     tfl scenarios/liveness.lua                  3 nodes in a star, 60 slots of 200 ms
--     tfl scenarios/liveness.lua -n 7 -t 20s      more nodes, longer
--
-- The bound is computed, not guessed: `tfl check scenarios/liveness.lua` shows how many blocks a healthy chain makes
-- in the window and how few would be too few.
local p = tfl.params{nodes = 3, duration = tfl.slots(60)}

tfl.scenario("liveness")
  :topology_with(function(t) t:nodes(p.nodes):network_star() end)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :build()
