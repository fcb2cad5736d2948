--- The topics of `tfl help TOPIC`.
return {
    env = require("tfl.env").help(),
    completion = [[
Completion of commands, options, values, scenario files, deployers and parameters:
  bash   source PREFIX/share/bash-completion/completions/tfl       (a bash-completion that looks there finds it by itself)
  zsh    fpath=(PREFIX/share/zsh/site-functions $fpath); autoload -Uz compinit; compinit
PREFIX is where tfl was installed, as /usr/local; in a checkout the files are assets/completion/tfl.bash and _tfl.
Both ask the tfl that is typed, so they offer what that one knows: tfl completion WORD… tells what the last word may become.
]],
    exit = [[
Exit codes:
  0    pass           every expectation holds
  1    fail           an expectation does not hold, or a node died unasked or crashed when it was stopped
  2    usage          wrong flag, environment or scenario, a file or folder that cannot be written there, or an error in a script
  3    infra          the cluster could not be started or driven; says nothing of the nodes' chain
  4    inconclusive   too little was seen to judge (--inconclusive fail|pass maps it)
  130  interrupted    Ctrl-C (1 when safety had failed by then)
]],
    scenario = [[
A scenario file:
  local p = tfl.params{nodes = 3, duration = "30s"}          -- -n, -t, -p NAME=VALUE

  tfl.scenario("mine")
    :topology_with(function(t)
      t:nodes(p.nodes):network_star()                         -- or chain, ring, full, k_regular(k), layout(fn)
      t:slot_duration("200ms"):active_slot_coeff(0.5)
    end)
    :with_run_duration(p.duration)                           -- or function(deployer) return deployer == "k8s" and "2m" or "30s" end
    :with_workload(tfl.workload("w", {start = function(self, ctx) ctx:sleep "1s" end}))
    :with_expectation(tfl.expectation("e", {evaluate = function(self, ctx)
      if ctx:node(0):client():consensus_info().height < 1 then ctx:fail("node-0 has no block") end
    end}))
    :expect_consensus_liveness()
    :build()

Examples with comments: scenarios/liveness.lua, transactions.lua, ramp.lua, conflicts.lua, custom_expectation.lua,
custom_workload.lua. More: tfl help transactions, tfl help faults, tfl help hand
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
With the kind logos accounts are the nodes' own wallets, one each: hand a transfer to the client of the node that has the key.

Of the account: unanswered (no node took it, after all tries), repeated (made again, the very same), orphaned (accepted, but built on one
that no node took), pending (too young to be judged).
Codes: tx_lost (accepted, and not on the chain; the hashes are told), tx_rejected, tx_late, tx_twice, too_slow, not_conserved,
invalid_transaction, double_spend; inconclusive: generator_lag (this host sent over 5 % late: by more than a block interval;
for latencies a twentieth of it), no_sample, chain_stalled.
]],
    faults = [[
Faults: needs :enable_node_control() in the scenario; {links = true} for those of links (chaos and t:links ask for relays themselves),
{snapshots = true} has tfl check refuse a deployer that takes none.
  Nodes    n:stop{how = "graceful" | "kill" | "INT", timeout =}  n:kill()  n:pause()  n:resume()  n:state()
           n:start{peers =, config =, args =}   n:restart{wipe = true, peers =, config =, args =}
           config: a table over the node's own configuration, or a function that changes it; holds for later starts, too
           ctx:start_node(name, {peers = "default" | "none" | {…}, config =, snapshot =, args =})   t:late_nodes(n, {stake = 0}) plans some
           n:snapshot(name) of a stopped or paused node → {name, path}     client:dial_peer(node)
  Links    ctx:partition({0, 1}, {2, 3})  {one_way = true} last      ctx:isolate(node)      ctx:heal()
           ctx:link(a, b, {latency =, jitter =, rate = bytes a second, loss =, one_way =} | "wan" | "lossy"); a, b: nodes, lists or "all"
           → fault with :heal() and :counts() → {bytes, delayed, withheld, connections, refused}, :bit()
           t:links("wan") shapes all links for the whole run; the bounds know it
  Chaos    scenario:chaos_with(function(c) … end); each verb opens a clause, the rest shapes it:
           c:restart() c:kill() c:pause() c:churn() c:partition("halves" | "one" | "majority" | {{0}, {1, 2}}) c:latency(d)
             :min_delay(d) :max_delay(d) :duration(d) :target_cooldown(d) :exclude(…) :max_down(n) :apply()      c:final_heal()
           tfl check FILE --seed N prints the schedule; --replay RUNDIR makes the faults of that run again
  Judging  expect_recovery{within =}, expect_fork_resolution{within =}, expect_height_convergence{lag =}
           ctx:faults() → {{name, verb, targets, t0, t1, ready_t, bit, …}}   ctx:window(fault, "before" | "during" | "after") → slots
           ctx:figures{window = slots} → canonical, observed, forks, propagation_ms, transactions
Codes: not_recovered, fork_unresolved, not_converged; inconclusive: fault_never_bit, no_sample. A node that dies unasked always fails;
one that crashes when it is stopped, too (crashed_on_stop). Another exit code than 0 then, or a stop that came to SIGKILL, is a warning.
]],
    logging = [[
Logs of the nodes: logs/logos-blockchain-node-N.log of the run's folder, two files of 32 MiB at most; tfl help env tells of
LOGOS_BLOCKCHAIN_LOG_LEVEL, _LOG_DIR, _LOG_FILTER, _TESTS_TRACING. TFL_LOG is tfl's own log.
  ctx:logs(node):grep(pattern, {since = "10s"}) → {{node =, text =, file =, line =, t =, slot =}…}, whole   lines that match a Lua pattern
  ctx:logs(node):text([bytes])                    the end of it
  scenario:expect_no_log(pattern, {nodes = {0, "node-1"}})      no such line from a node's start to the end of the run (logged)
t: seconds since the start of the run; t and slot are those of the time that a line, or one before it, begins with (of no zone: UTC).
whole: false when a node has logged so much that older lines are gone; expect_no_log is inconclusive then (log_cut).
A kind of your own gets n.level, n.log_filter and n.otlp {endpoint, service_name, protocol} from the environment, when they are set.
]],
    metrics = [[
Metrics: what Prometheus has seen of the nodes. LOGOS_BLOCKCHAIN_METRICS_QUERY_URL says where it is; scripts/setup/setup-observability.sh
starts one that finds the nodes of each run by itself, with the labels run, scenario, node, kind and deployer.
  scenario:expect_metric{query =, op = "<" | "<=" | ">" | ">=" | "==" | "~=", value =, name =, within = "20s"}
      every series of the answer must hold the bound, at the end of the run, once Prometheus has looked at the nodes again (for up to
      `within`); `$run` in a query is the run's id. Without the variable the scenario is refused.
  ctx:telemetry():prometheus() → nil without the variable, else
      :query(q) → {{labels = {…}, value =, t =}…}       a query that raises (nobody answers) makes its hook inconclusive
      :query_range(q, {since = "60s", step = "1s"}) → {{labels =, points = {{t =, value =}…}}…}
      :base_url()                                    t: seconds since the start of the run
Codes: metric_bound (NaN holds no bound); inconclusive: metrics_unreachable, no_sample (no such series). Example: scenarios/metrics.lua
]],
    hand = [[
By hand: clusters that do only what you say.
  tfl.script("name", {nodes = 3, start = "all" | "none", topology = function(t) … end, wallets = 2}, function(ctx) … end)
      genesis = "5s" puts the beginning of the chain off, so that nodes can be started before it.
      in a scenario file; run by tfl FILE.lua. It passes when the function returns, saw something, and safety holds; -t bounds it.
  tfl test my_spec.lua [--filter PATTERN] [--seed N] [--json] [--junit FILE]
      your own busted specs; in them local c = tfl.cluster{nodes =, start =, topology =, wallets =, seed =, snapshot =, duration =}:
      all that ctx has, c:close(). A cluster is closed with the test (or the block, for one made in setup) that made it. One at a time.
      The last line has the seed; of a test that fails, the run folder of its cluster is kept and told. duration bounds a cluster's
      life (10 minutes when not said); a script has it, too.
  Both: ctx:start_node(name, {peers = {…}})  ctx:wait_network_ready{within =}  ctx:wait_for_height(h)
      ctx:wait_for_slot(n)  ctx:eventually(fn, {within =})
      ctx:start_load{per_second = 20, duration = "30s", kind = "transfer" | "inscription", targets = {…}} sends from now on → load with
      :counts(), :wait("sent" | "included" | "final", {within =}), :stop()
      ctx:node(i):… the verbs, ctx:partition(…) and the rest of tfl help faults, ctx:block_feed(), ctx:random(n)
      A cluster from {snapshot = s} with the same seed goes on with the chain of the node the snapshot is of.
]],
    extending = [[
Kinds: any program as a node.
  local k = tfl.kind("mine", {
    command = function(n) return {"program", "--listen", n.host .. ":" .. n.ports.http} end,
    files = function(n) return {["conf.yaml"] = tfl.yaml.encode{name = n.name, peers = #n.peers}} end,   -- in its folder
    env = function(n) return {LEVEL = "info"} end,         -- command, files and env may also be plain tables
    ports = {"http", "p2p"},                               -- reserved for each node, TCP and UDP; n.ports by name
    api_port = "http", peer_port = "p2p",                  -- where it is asked, where others dial it (these are the defaults)
    ready = {http = "/health", status = 200, body = function(text) return text:find "ok" end},
                                                           -- or {tcp = "p2p"}, {log = "^listening"}, function(node) return bool end
    stop_signal = "INT",                                   -- TERM
    capabilities = {pause = "it has a watchdog"},          -- what it cannot do, and why; all else it can
    metrics = "/metrics",                                  -- its page for Prometheus, if it has one
    dialect = …,                                           -- how its chain is read; see below
  })
  t:kind(k)   t:node(2):kind(k)   node:restart{kind = k}   -- for all nodes, for one, from now on (an upgrade)
n: name, index, host, ports, dirs {run, data, log}, peers {{name, index, host, port}…} (whom it dials), keys {node_key, leader_key}
(hex seeds; files with one in it are the owner's alone), args, and cluster {name, run_id, seed, chain_id, genesis_time_ms, slot_ms,
security_param, active_slot_ratio, stakes, nodes {{name, index, host, port, ports, stake}…}}. host and port of peers and nodes are
where others dial a node: of a relay when links can be faulty, so a node is to tell others that address as its own.

Dialect: without one everything works but what needs the chain (liveness, safety, recovery, ctx:block_feed).
  dialect = "reference"                                    -- or "logos": it speaks that interface
  dialect = {base = "reference", info = "/v2/info", stream = false}   -- the same under other paths; false: it has no such thing
  dialect = {
    info = function(node) return {tip = id, height = 12, lib = id, online = true} end,
    blocks = function(node)                                -- goes on for as long as the node is up; called again when it ends
      node:block{id = …, parent = …, slot = …, transactions = {…}}   -- ancestors first; the first of the chain has no parent
      node:view{tip = id, lib = id}                        -- its tip and last final block now
      node:sleep "50ms"
    end,
    submit = function(node, intent) … end,                 -- node:client():submit_transaction(intent)
    slots = true,                                          -- its blocks have slots of t:slot_duration: liveness can be judged
  }
A function of a kind has 20 s. Programs must stay in the foreground: one that makes a daemon of itself has ended, to tfl, and is not found.
node: name, index, host, ports, :get(path), :post(path, body) → {status, body}, :sleep(d). Ids are texts.

Variants of a kind of tfl's own: tfl.kind("next", {base = "reference", program = "/path/tfl-node", args = {}, config = {}, env = {}});
base = "logos" has version = "JUN" | "AUG" and deployment = {…} (merged into deployment.yaml), too.
Examples: scenarios/custom_kind.lua, scenarios/rolling_upgrade.lua
]],    deployer = [[
Deployers of your own: where the nodes of a file run, by tfl FILE.lua -d mine.
  tfl.deployer("mine", {
    start = function(node) return node:spawn{"prlimit", "--nofile=64", "--", table.unpack(node.spec.argv)} end,
  })
node:spawn{argv…, env = {}} runs a program as tfl runs local nodes; that is all it needs. A start that makes something else run gives
{pid = n} (of this host: tfl watches and signals it), or whatever it likes (kept as node.handle) when there are alive and stop.
All but start may be left out; they run in tasks, may wait (tfl.exec), and those of different nodes run at the same time:
  prepare(plan)        before all: plan.name, run_id, seed, dir, nodes {{name, index, kind}…}
  site(node)           → {host = "10.0.0.2", ports = {http = 80}}; else 127.0.0.1 and ports that are free there
  reach(from, to)      → {host =, port =}: what one node dials to find another, when that is not the host and port of its site
  start(node)          files are written; the program is to get all of node.spec.env
  stop(node, how)      how = "graceful" (node.spec.stop_signal) | "kill" | a signal's name; tfl waits for the end, then kills
  alive(node)          → is it there? Asked five times a second, of nodes not spawned; false when nobody stopped it: it has exited
  pause(node) resume(node)     logs(node) → text (else the file node.spec.log)     cleanup()   after all nodes are gone
  capabilities = {link = "why not", pause = false}   of stop, kill, restart, pause, resume, link, start_node, snapshot; all there, but
                       link with a site or reach, and pause with a stop of your own. What a scenario needs and is not there is refused
  hop = "10ms"         the worst way of a block over one link, for the bounds
node: name, index, kind, host, ports, dir, spec {argv, env, cwd, log, stop_signal}, handle.
Nothing is left behind: processes are found by TFL_RUN_ID in their environment; for all else say BEFORE you make it how it is undone:
  node:undo{"ip", "netns", "del", name, timeout = "10s"}, plan:undo{…}   at the end of the run, the newest first, or by the guardian when
                       tfl is killed; the same command once. It gives u: u.done() when the thing is gone already
node:fail(fmt, …), plan:fail: it could not be done, and that is not the script's fault (exit 3). Any other error is the script's (exit 2).
Example: scenarios/custom_deployer.lua
]],
    repl = [[
A cluster that runs while you type:
  tfl repl [SCENARIO.lua]
      3 nodes and 10 wallets, or the cluster of a scenario; its workloads and expectations are not run. Faults of links work always.
      It ends with :quit or Ctrl-D, or after 12 hours (-t). Everything is taken down, however it ends.
  tfl SCENARIO.lua --repl-on-failure
      the same on the cluster of a run that has failed, still running, before it is taken down.
Lines
  Lua. An expression shows its value; the methods of ctx are there by their names: node(1):kill(), wait_for_height(20), spawn(fn), …
  Globals stay; a local ends with its line. _ is the last result. What is not finished goes on in the next line.
  Ctrl-C cancels what runs, or the line; Tab completes; Ctrl-R searches. History: $XDG_STATE_HOME/tfl/history.
Commands
  :nodes  :blocks [N]  :tree [N]  :faults  :log NODE [LINES]  :watch [FOR] EXPR
  :load RATE [FOR] [KIND]  :load stop  :load      :run SCENARIO [OPTION…]      :save FILE      :events off|few|all  :more  :help  :quit
  :save writes what was done, at the slots it was done, as a scenario: what only looked is left out, what failed is a comment.
News (reorganisations, finality, crashes) are told above the line you type. A node that dies by itself does not end the session.
From a pipe it reads lines as a script: no prompts, no colours; errors and news go to stderr with the number of the line.
Exit: 0; 1 when safety failed or a node died by itself, or (from a pipe) a line failed; 130 after a signal; 3 when it could not start.
]],
}
