-- Two clusters of one chain that know nothing of each other grow apart; then a node joins that has peers in both. Everything converges
-- on the longer chain. Driven by hand: nothing runs that the function does not start.
--
--     tfl scenarios/two_chains_bridge.lua
--     tfl scenarios/two_chains_bridge.lua -p twin=true     must fail: the bridge has peers in one only (failed)
local p = tfl.params{twin = {false, help = "the variant that must fail"}}

local cluster = {nodes = 5, start = "none", topology = function(t) t:slot_duration("100ms"):security_param(60) end}

tfl.script("two_chains_bridge", cluster, function(ctx)
  ctx:start_node("node-0", {peers = "none"})
  ctx:start_node("node-1", {peers = {0}})
  ctx:start_node("node-2", {peers = "none"})
  ctx:start_node("node-3", {peers = {2}})
  ctx:wait_network_ready()
  ctx:wait_for_height(4)
  local a, b = ctx:node(1):client():consensus_info(), ctx:node(3):client():consensus_info()
  if a.tip == b.tip then ctx:inconclusive("the two clusters are on one chain before they were joined") end
  ctx:log("heights %d and %d, joined now", a.height, b.height)

  ctx:start_node("node-4", {peers = p.twin and {1} or {1, 3}})
  local function one_chain()
    local tips, n = {}, 0
    for _, client in ipairs(ctx:node_clients()) do
      local tip = client:consensus_info().tip
      n, tips[tip] = n + (tips[tip] and 0 or 1), true
    end
    return n == 1
  end
  if not tfl.try(ctx.eventually, ctx, one_chain, {within = p.twin and "4s" or "20s"}) then
    ctx:fail("the nodes are still on different chains")
  end
end)
