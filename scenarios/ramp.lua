-- How much can the chain take? The rate goes up in steps; the answer is the highest one at which transactions still get on the chain
-- in time (p95 within the bound), with all steps below it in time, too.
--
--     tfl scenarios/ramp.lua                                     six steps from 50/s to 300/s, 5 s each
--     tfl scenarios/ramp.lua -p from=200 -p to=2000 -p steps=4 -p within=2s
--
-- `least` makes it a test: the run fails when the answer is lower. Latencies count from the moment a transaction was meant to be sent,
-- so a node that answers slowly cannot hide behind a load that waits for it; one that never gets on the chain counts as endless.
-- `tfl check` refuses steps above what blocks can hold.
local p = tfl.params{
  nodes = 3,
  from = {50, help = "transactions a second of the first step"},
  to = {300, help = "of the last step"},
  steps = 6,
  step = {"5s", type = "duration", help = "how long a step lasts"},
  within = {"3s", type = "duration", help = "bound of p95"},
  least = {0, help = "the rate that must be reached, 0: any"},
  wallets = 20,
}

-- seconds of a duration that may be "5s" or a number
local function seconds(d) return tonumber(d) or tonumber((d:gsub("ms$", ""))) and tonumber((d:gsub("ms$", ""))) / 1000
  or tonumber((d:gsub("s$", ""))) end

local stages, total = {}, 0
for i = 1, p.steps do
  local rate = p.steps == 1 and p.to or p.from + (p.to - p.from) * (i - 1) / (p.steps - 1)
  stages[i] = {p.step, rate, rate}                -- duration, rate at its end, rate at its beginning: a step
  total = total + seconds(p.step)
end

local highest = tfl.expectation("highest_rate")

function highest:evaluate(ctx)
  local best, all = 0, true
  for _, stage in ipairs(ctx:transactions().stages) do
    local fine = stage.p95 and stage.p95 <= seconds(p.within)
    ctx:log("%6.0f/s  p50 %s  p95 %s%s", stage.rate, stage.p50 and ("%.2fs"):format(stage.p50) or "never",
      stage.p95 and ("%.2fs"):format(stage.p95) or "never", fine and "" or "  too slow")
    all = all and fine
    if all then best = stage.rate end
  end
  if best == 0 then ctx:fail("p95 is above %s at the first step, %g/s", p.within, p.from) end
  if best < p.least then ctx:fail("only %g/s within %s, at least %g/s expected", best, p.within, p.least) end
  ctx:figure("highest", best, "a second")
  ctx:figure("reached_the_end", all and 1 or 0)
end

tfl.scenario("ramp")
  :topology_with(function(t) t:nodes(p.nodes):network_star() end)
  :wallets(p.wallets)
  :transactions_with(function(x) x:stages(stages):targets("round_robin") end)
  :with_run_duration(total)
  :with_expectation(highest)
  :expect_consensus_liveness()
  :build()
