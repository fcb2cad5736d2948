-- An expectation of your own: every node leads at least one block of the canonical chain.
--
-- Hooks of an expectation, each optional:
--   init(self, topology, metrics)        before anything starts
--   start_capture(self, ctx)             the window opens; subscribe here
--   check_during_capture(self, ctx)      about every second; ctx:fail ends the run early
--   evaluate(self, ctx)                  after the nodes have settled
-- A hook that returns passes. ctx:fail(message) and ctx:inconclusive(message) end it.
local p = tfl.params{
  nodes = 3,
  duration = tfl.slots(120),
  least = {1, help = "blocks each node must have led"},
}

local everyone_leads = tfl.expectation("everyone_leads")

function everyone_leads:evaluate(ctx)
  local led, canonical = {}, ctx:block_feed():canonical()
  for _, block in ipairs(canonical) do
    local leader = ctx:node(0):client():block(block.id).header.proof_of_leadership.leader_key
    led[leader] = (led[leader] or 0) + 1
  end
  local leaders, fewest = 0, math.huge
  for _, n in pairs(led) do
    leaders = leaders + 1
    fewest = math.min(fewest, n)
  end
  ctx:figure("leaders", leaders, "nodes")
  -- a fair chain leaves a node out by chance, too: say nothing when that is likelier than 1 in a million
  local n = #ctx:nodes()
  if n * (1 - 1 / n) ^ #canonical > 1e-6 then
    ctx:inconclusive("%d blocks are too few to miss a leader among %d nodes; run longer", #canonical, n)
  end
  if leaders < n then
    ctx:fail("only %d of %d nodes led a canonical block", leaders, n)
  end
  ctx:figure("fewest", fewest, "blocks")
  if fewest < p.least then
    ctx:fail("a node led only %d canonical blocks, %d expected", fewest, p.least)
  end
end

tfl.scenario("custom_expectation")
  :topology_with(function(t) t:nodes(p.nodes):full() end)
  :with_run_duration(p.duration)
  :with_expectation(everyone_leads)
  :expect_consensus_liveness()
  :build()
