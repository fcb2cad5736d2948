-- SIGKILL at random instants under load. After each kill the store of the node is looked at while it is down (SQLite's integrity check,
-- every block hashed again, parents before children), then the node comes back with what it had. At the end nothing that was accepted
-- is missing: accepted means durable.
--
--     tfl scenarios/crash_recovery.lua                     20 kills, in a window that is as long as these take
--     tfl scenarios/crash_recovery.lua -p kills=200
--     tfl scenarios/crash_recovery.lua -p twin=true        must fail: a node forgets every tenth transaction (tx_lost)
local p = tfl.params{nodes = 4, kills = {20, type = "integer"}, twin = {false, help = "the variant that must fail"}}

local crash = tfl.workload("crash")
function crash:start(ctx)
  if p.twin then ctx:node(0):restart{args = {"--test", "drop_every=10"}} end
  local last, longest = 0, 0
  for i = 1, p.kills do
    if ctx:remaining() < 1.5 * longest + 1 then      -- a node that is down at the end would keep what only it has
      ctx:log("%d of %d kills: the window has no room for another one", i - 1, p.kills)
      break
    end
    local left = ctx:remaining()
    local pick = ctx:random(p.nodes - 1)
    local victim = (last + pick) % p.nodes           -- another one than last time
    last = victim
    ctx:sleep(ctx:random(700) / 1000)
    local node = ctx:node(victim)
    node:kill()
    local command = ctx:descriptors()[victim + 1].command  -- its program, in its folder or in a container like its own
    for _, word in ipairs{"user.yaml", "--deployment", "deployment.yaml", "--check-store"} do table.insert(command, word) end
    command.timeout = "60s" -- a busy cluster takes its time to make a pod and to take it away
    local check = tfl.exec(command)
    if check.code ~= 0 then ctx:fail("after kill %d of %s: %s", i, node.name, check.stderr) end
    if i % 5 == 0 then ctx:log("%d kills; %s: %s", i, node.name, check.stdout:match "[^\n]*") end
    node:start()
    node:wait_ready()
    ctx:figure("kills", i)
    longest = math.max(longest, left - ctx:remaining())
  end
end

-- A container takes its time to come back, and so does the one in which its store is looked at.
local SECONDS = {compose = 4, k8s = 12}

tfl.scenario("crash_recovery")
  :topology_with(function(t) t:nodes(p.nodes):full() end)
  :wallets(10)
  :transactions_with(function(x) x:rate(10) end)
  :enable_node_control()
  :with_workload(crash)
  :with_run_duration(function(deployer) return p.kills * (SECONDS[deployer] or 2) end)
  :expect_consensus_liveness()
  :expect_conservation()
  :expect_no_double_spend()
  :build()
