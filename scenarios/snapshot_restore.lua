-- A node's data is copied while it is stopped; the whole cluster is lost; it comes back from the copy, at its height, and the wallets'
-- notes can be spent.
--
--     tfl scenarios/snapshot_restore.lua
--     tfl scenarios/snapshot_restore.lua -p twin=true      must fail: it comes back with nothing (failed)
local p = tfl.params{nodes = 3, twin = {false, help = "the variant that must fail"}}

local cluster = {nodes = p.nodes, wallets = 2, snapshots = true, topology = function(t) t:full():slot_duration("100ms") end}

tfl.script("snapshot_restore", cluster, function(ctx)
  ctx:wait_for_height(20)
  ctx:node(0):stop()
  local copy = ctx:node(0):snapshot("before")
  local height = ctx:node(1):client():consensus_info().height
  for i = 1, p.nodes - 1 do ctx:node(i):kill() end

  for _, node in ipairs(ctx:nodes()) do
    if p.twin then node:restart{wipe = true} else ctx:start_node(node, {snapshot = copy}) end
  end
  ctx:eventually(function() return #ctx:node_clients() == p.nodes and ctx:node(0):client():consensus_info() end)
  local back = ctx:node(0):client():consensus_info().height
  ctx:log("was at height %d, is back at %d", height, back)
  if back < 19 then ctx:fail("node-0 came back at height %d; the snapshot had 19 or more", back) end

  ctx:wait_network_ready()
  local a, b = table.unpack(ctx:wallet_accounts())
  local hash = ctx:node(1):client():submit_transaction(a:transfer{to = b, amount = 5})
  local ok = tfl.try(ctx.eventually, ctx, function() return ctx:block_feed():transaction(hash) end, {within = "20s"})
  if not ok then ctx:fail("the transfer %s is in no block 20s after it was accepted", hash) end
end)
