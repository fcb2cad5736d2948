-- Kubernetes: 10 nodes up and ready by tfl against `kubectl apply` and `kubectl rollout status` of the very same objects, in turns. On the
-- cluster of KUBECONFIG, which has the image LOGOS_BLOCKCHAIN_TESTNET_IMAGE; where none answers it says so and has no figures.
local bench = require "scripts.bench.bench"
local system = require "system"

local ROUNDS = 5
local NODES = 10

local sh = bench.sh

local function must(command)
    local ok, out = sh(command)
    assert(ok, command .. ": " .. out)
    return out
end

if not os.getenv "KUBECONFIG" or not sh "timeout 30 kubectl get nodes" then
    print "no cluster here (KUBECONFIG, kubectl): nothing is measured"
    return
end

--- The objects of a run with names of their own, in one file; as they are, but that `rollout status` wants a strategy it can follow.
local function copy(dir, round)
    local run = must(("cat '%s'/k8s/objects-*.json"):format(dir)):match '"tfl%.run":"([^"]+)"'
    local path = ("%s/copy-%d.json"):format(os.getenv "BENCH_DIR", round)
    local file = assert(io.open(path, "w"))
    for name in must(("ls -v '%s'/k8s/objects-*.json"):format(dir)):gmatch "[^\n]+" do
        local from <close> = assert(io.open(name))
        local text = from:read("a"):gsub(run:gsub("%-", "%%-"), "bench-" .. round):gsub('"OnDelete"', '"RollingUpdate"')
        file:write(text, "\n")
    end
    file:close()
    return path
end

local ROLLOUT = [[kubectl apply --server-side -f '%s' >/dev/null || exit 1
pids=
for i in $(seq 0 %d); do kubectl -n tfl-bench-%d rollout status --timeout=180s statefulset/node-$i >/dev/null & pids="$pids $!"; done
for pid in $pids; do wait $pid || exit 1; done]]

local file = bench.scenario("k8s", ([[
tfl.scenario("k8s")
  :topology_with(function(t) t:nodes(%d):network_star():slot_duration("500ms") end)
  :with_run_duration "5s":build()
]]):format(NODES))

local ratios = {}
for round = 1, ROUNDS do
    local summary = bench.start({ file, "-d", "k8s" }):finish(240, true)
    local ours = bench.phase(summary, "deploy") + bench.phase(summary, "ready")
    local path = copy(summary.dir, round)
    must(("kubectl delete namespace --ignore-not-found --timeout=120s tfl-bench-%d"):format(round))
    must "while kubectl get namespaces | grep -q '^tfl-k8s-.*Terminating'; do sleep 0.5; done" -- what still ends takes part in nothing
    local from = system.monotime()
    must(ROLLOUT:format(path, NODES - 1, round))
    local theirs = system.monotime() - from
    must(("kubectl delete namespace --timeout=120s tfl-bench-%d"):format(round))
    ratios[round] = ours / theirs
    print(("round %d: %d pods ready after %.2fs, by kubectl alone %.2fs: %.2f"):format(round, NODES, ours, theirs, ratios[round]))
end
table.sort(ratios)
print(("ratios %.2f to %.2f"):format(ratios[1], ratios[#ratios]))
bench.figure("10 pods: against rollout status", ratios[(#ratios + 1) // 2], "x", "<", 1.3)
