-- How much can the chain take? The rate goes up in steps; the answer is the highest one at which transactions still get on the chain
-- in time (p95 within the bound), with all steps below it in time, too.
--
--     tfl scenarios/ramp.lua                                     six steps from 50/s to 300/s, 5 s each
--     tfl scenarios/ramp.lua -p from=200 -p to=2000 -p steps=4 -p within=2
--
-- `least` makes it a test: the run fails when the answer is lower. Latencies count from the moment a transaction was meant to be sent,
-- so a node that answers slowly cannot hide behind a load that waits for it; one that never gets on the chain counts as endless.
-- `tfl check` refuses steps above what blocks can hold.
local p = tfl.params{
  nodes = 3,
  from = {50, help = "transactions a second of the first step"},
  to = {300, help = "of the last step"},
  steps = 6,
  step = {5, help = "seconds that a step lasts"},
  within = {3, help = "bound of p95, in seconds"},
  least = {0, help = "the rate that must be reached, 0: any"},
  wallets = 20,
}

local stages = {}
for i = 1, p.steps do
  local rate = p.steps == 1 and p.to or p.from + (p.to - p.from) * (i - 1) / (p.steps - 1)
  stages[i] = {p.step, rate, rate}                -- duration, rate at its end, rate at its beginning: a step
end

local highest = tfl.expectation("highest_rate")

function highest:evaluate(ctx)
  local best, all = 0, true
  for _, stage in ipairs(ctx:transactions().stages) do
    local fine = stage.p95 and stage.p95 <= p.within
    ctx:log("%6.0f/s  p50 %s  p95 %s%s", stage.rate, stage.p50 and ("%.2fs"):format(stage.p50) or "never",
      stage.p95 and ("%.2fs"):format(stage.p95) or "never", fine and "" or "  too slow")
    all = all and fine
    if all then best = stage.rate end
  end
  if best == 0 then ctx:fail("p95 is above %gs at the first step, %g/s", p.within, p.from) end
  if best < p.least then ctx:fail("only %g/s within %gs, at least %g/s expected", best, p.within, p.least) end
  ctx:figure("highest", best, "a second")
  if all then ctx:log("every step was in time: the chain may take more, see -p to=") end
end

tfl.scenario("ramp")
  :topology_with(function(t) t:nodes(p.nodes):network_star() end)
  :wallets(p.wallets)
  :transactions_with(function(x) x:stages(stages):targets("round_robin") end)
  :with_run_duration(p.steps * p.step)
  :with_expectation(highest)
  :expect_consensus_liveness()
  :build()
