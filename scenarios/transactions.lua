-- What becomes of every transaction? Wallets send transfers at a steady pace, whatever the nodes answer, and tfl follows each one
-- from the moment it was meant to be sent until it is final.
--
--     tfl scenarios/transactions.lua                     5 transfers for each block, 30 s
--     tfl scenarios/transactions.lua -p rate=50 -t 1m    more, longer
--     tfl scenarios/transactions.lua -p kind=inscription
--
-- `rate` counts for each block of a healthy chain: one comes every slot ÷ f (400 ms here), so 50 are 125 a second. The load brings its
-- own expectation, tx_inclusion: whatever a node has accepted is on the canonical chain at the end. The other two replay that chain in
-- tfl from genesis, and take no node's word for it.
local p = tfl.params{
  nodes = 3,
  duration = "30s",
  rate = {5, help = "transactions for each block"},
  wallets = 10,
  kind = {"transfer", choices = {"transfer", "inscription"}},
}

tfl.scenario("transactions")
  :topology_with(function(t) t:nodes(p.nodes):network_star() end)
  :wallets(p.wallets)
  :transactions_with(function(x) x:rate(p.rate):kind(p.kind) end)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_conservation()
  :expect_no_double_spend()
  :build()
