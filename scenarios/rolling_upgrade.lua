-- An upgrade under way: one node after the other becomes one of another build, with the data it has, while the chain goes on. In between
-- the cluster is mixed, which is when old and new must understand each other.
--
--     tfl scenarios/rolling_upgrade.lua -p old=/path/to/old/tfl-node -p new=/path/to/new/tfl-node
--     tfl scenarios/rolling_upgrade.lua -p twin=true        must fail: the new build dials nobody, and the cluster falls apart
--
-- Without paths both are the tfl-node that comes with tfl. For the real node the kinds are {base = "logos", program = …}.
local p = tfl.params{
  nodes = 4, duration = "30s", old = {"", help = "program of the build there is"}, new = {"", help = "program of the next one"},
  first = {1, type = "integer", help = "so many nodes are of the next build from the start"},
  twin = {false, help = "the variant that must fail"},
}

local function program(path) return path ~= "" and path or nil end
local old = tfl.kind("old", {base = "reference", program = program(p.old)})
local new = tfl.kind("new", {base = "reference", program = program(p.new), args = p.twin and {"--test", "peers="} or {}})

local upgrade = tfl.workload("upgrade")
function upgrade:start(ctx)
  ctx:wait_for_height(3)
  for i, node in ipairs(ctx:nodes()) do
    if i > p.first then
      node:restart{kind = new}
      local back, err = tfl.try(node.wait_ready, node, {within = p.twin and "4s" or "10s"}) -- the twin's never is
      if not back then ctx:fail("%s did not come back as the new build: %s", node.name, err.message) end
      ctx:log("%s is new; %d to go", node.name, #ctx:nodes() - i)
      ctx:sleep(tfl.blocks(3))                     -- the next one when this one has had time to take part
    end
  end
  self.done = true
end

local upgraded = tfl.expectation("upgraded")
function upgraded:evaluate(ctx)
  if not upgrade.done then ctx:inconclusive("the upgrade was not over within the window; run longer") end
  for i, node in ipairs(ctx:nodes()) do
    local argv, version = ctx:descriptors()[i].argv, node:client():get("/version")
    if p.new ~= "" and argv[1] ~= p.new then ctx:fail("%s still runs %s", node.name, argv[1]) end
    if version.status ~= 200 then ctx:fail("%s does not tell its version: HTTP %d", node.name, version.status) end
  end
end

tfl.scenario("rolling_upgrade")
  :topology_with(function(t)
    t:nodes(p.nodes):full():slot_duration("100ms"):security_param(40):kind(old)
    for i = 0, p.first - 1 do t:node(i):kind(new) end
  end)
  :enable_node_control()
  :with_workload(upgrade)
  :with_expectation(upgraded)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_recovery{within = "8s"}
  :expect_height_convergence()
  :build()
