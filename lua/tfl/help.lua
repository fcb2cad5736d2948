--- The topics of `tfl help TOPIC`.
return {
    env = [[
Environment (flags win over it, it wins over the script's defaults):
  CONSENSUS_SLOT_TIME               length of a slot: bare seconds (0.2) or 200ms
  CONSENSUS_ACTIVE_SLOT_COEFF       chance that a slot has a leader, above 0 and at most 1
  LOGOS_BLOCKCHAIN_DEMO_NODES       number of nodes, as -n
  LOGOS_BLOCKCHAIN_DEMO_RUN_SECS    duration of the window in seconds, as -t
  LOGOS_BLOCKCHAIN_TESTS_KEEP_LOGS  set: keep node data and logs of runs that pass, too
  SLOW_TEST_ENV                     true: a slow machine; deadlines and the time before genesis double
  TFL_LOG                           tfl's own log: warn, info, "warn,feed=debug" (RUST_LOG when unset)
  TFL_NODE_BIN                      program of the reference kind instead of the tfl-node beside tfl
  TFL_READY_SECONDS                 how long nodes may take to be ready (30, and 0.1 for each node)
  XDG_STATE_HOME                    runs and ledgers are under $XDG_STATE_HOME/tfl (~/.local/state/tfl)
  NO_COLOR                          set: no colours
]],
    exit = [[
Exit codes:
  0    pass           every expectation holds
  1    fail           an expectation does not hold, or a node died unasked
  2    usage          wrong flag, environment or scenario, or an error in a script
  3    infra          the cluster could not be started or driven; says nothing of the nodes' chain
  4    inconclusive   too little was seen to judge (--inconclusive fail|pass maps it)
  130  interrupted    Ctrl-C
]],
    scenario = [[
A scenario file:
  local p = tfl.params{nodes = 3, duration = "30s"}          -- -n, -t, -p NAME=VALUE

  tfl.scenario("mine")
    :topology_with(function(t)
      t:nodes(p.nodes):network_star()                         -- or chain, ring, full, k_regular(k), layout(fn)
      t:slot_duration("200ms"):active_slot_coeff(0.5)
    end)
    :with_run_duration(p.duration)
    :with_workload(tfl.workload("w", {start = function(self, ctx) ctx:sleep "1s" end}))
    :with_expectation(tfl.expectation("e", {evaluate = function(self, ctx)
      if ctx:node(0):client():consensus_info().height < 1 then ctx:fail("node-0 has no block") end
    end}))
    :expect_consensus_liveness()
    :build()

Examples with comments: scenarios/liveness.lua, transactions.lua, ramp.lua, conflicts.lua, custom_expectation.lua,
custom_workload.lua. More: tfl help transactions
]],
    transactions = [[
Transactions: accounts that sign, a load that is sent at planned times, and what must become of it.
  tfl.scenario("mine")
    :wallets(10, {balance = 1000000})          -- keys from the seed, notes in genesis
    :transactions_with(function(x)
      x:rate(5)                                -- for each block (every slot ÷ f); or one of
                                               --   x:per_second(20)
                                               --   x:stages{{"10s", 50}, {"20s", 50}}   ramps, transactions a second;
                                               --   {"10s", 50, 50} is a step
      x:kind("transfer")                       -- or "inscription"
      x:targets("random")                      -- or "round_robin", or {0, "node-2"}
      x:users(10)                              -- wallets that send (all)
    end)
    :expect_tx_inclusion{min_ratio = 1, within = "20s"}    -- comes with the load: all that was accepted is on the chain
    :expect_inclusion_latency{p50 =, p95 =, p99 =}         -- from the intended time to the first canonical block
    :expect_finality_latency{p95 = "30s"}                  -- to finality; the run waits for it
    :expect_conservation() :expect_no_double_spend()       -- tfl replays the canonical chain

The load is open: a slow answer moves no later transaction, and latencies count from the intended time. In scripts:
  local a, b = table.unpack(ctx:wallet_accounts())
  client:submit_transaction(a:transfer{to = b, amount = 5})         -- raises `rejected` when the node refuses it
  client:submit_transaction(tfl.inscription{channel = "news", data = "hello"})
  a:balance() · a:dropped(tx) takes back what tx spent · a:twin() signs with the same key and the same notes
  client:mempool() · ctx:block_feed():transaction(hash) · ctx:transactions(), the account of the load
  for i, late in ctx:pace{rate = 20} do … end                       -- arrivals of your own, 20 a second

Codes: tx_lost (accepted, and not on the chain; the hashes are told), tx_rejected, tx_late, tx_twice, too_slow, not_conserved,
invalid_transaction, double_spend; inconclusive: generator_lag (this host sent over 5 % late), no_sample, chain_stalled.
]],
}
