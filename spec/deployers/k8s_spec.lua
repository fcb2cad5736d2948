--- `-d k8s` on a real cluster.
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

--- Namespaces of these tests that nobody has told to go. Those of this test's runs begin with the name of their scenario.
local function live(prefix)
    local names = {}
    for line in (k8s.run "get namespaces --no-headers" .. "\n"):gmatch "[^\n]+" do
        local name, status = line:match "^(%S+)%s+(%S+)"
        if name:find("tfl-" .. prefix, 1, true) == 1 and status == "Active" then names[#names + 1] = name end
    end
    return table.concat(names, " ")
end

k8s.describe("-d k8s", function()
    after_each(function() -- what a failed test has left
        for name in live "":gmatch "%S+" do k8s.run("delete namespace --wait=false " .. name) end
    end)

    --- What run and start take, on that cluster and with short slots.
    local function on_cluster(spec)
        local env = { KUBECONFIG = k8s.config, LOGOS_BLOCKCHAIN_TESTNET_IMAGE = k8s.image, CONSENSUS_SLOT_TIME = "200ms" }
        for name, value in pairs(spec.env or {}) do env[name] = value end
        spec.env, spec.timeout = env, spec.timeout or 120
        return spec
    end
    local function liveness(...)
        return on_cluster { "scenarios/liveness.lua", "-d", "k8s", "-n", "3", "--seed", "7", ... }
    end
    --- A scenario whose one workload does this to `ctx`.
    local function script(code)
        return support.write("script.lua", 'tfl.script("byhand", {nodes = 2, topology = function(t) t:full() end}, function(ctx)\n'
            .. code .. "\nend)")
    end
    local function namespace_of() return live "liveness" end

    it("passes as on the host, in pods without rights, and has the namespace deleted", function()
        local run = support.start(liveness("--keep", "--json"))
        run:wait_output("liveness: run", 90)
        local ns = namespace_of()
        local pod = support.json(k8s.run("-n " .. ns .. " get pod node-0-0 -o json"))
        local security = pod.spec.containers[1].securityContext
        assert.same({ false, false, true, "ALL" }, { security.privileged, security.allowPrivilegeEscalation,
            security.readOnlyRootFilesystem, security.capabilities.drop[1] })
        assert.is_false(pod.spec.automountServiceAccountToken)
        assert.equal("2Gi", pod.spec.containers[1].resources.limits.memory)
        assert.equal("secret/node-0-files-1", k8s.run("-n " .. ns .. " get secret node-0-files-1 -o name"))
        local result = run:wait(120)
        assert.equal(0, result.code, result.text)
        assert.equal("k8s", result.summary.deployer)
        assert.equal("", live "liveness")
        for i = 0, 2 do
            assert.truthy(support.read(("%s/logs/logos-blockchain-node-%d.log"):format(support.run_folder(), i)):find "listens for peers")
        end
    end)

    it("leaves nothing when tfl is killed", function()
        for _, moment in ipairs { "liveness: run", "liveness: deploy" } do
            local run = support.start(liveness("-t", "60s"))
            run:wait_output(moment, 90)
            support.eventually(function() return live "liveness" ~= "" end, 30, "a namespace")
            run:signal "KILL"
            run:wait()
            support.eventually(function() return live "liveness" == "" end, 10, "the namespace told to go")
        end
    end)

    it("fails the run when a pod is deleted by nobody's order, or its program ends", function()
        for _, case in ipairs {
            { "delete pod node-1-0 --wait=false", "its pod was deleted, and not by tfl" },
            { "exec node-1-0 -- /usr/local/bin/tfl-node --signal KILL || true", "SIGKILL" },
        } do
            local run = support.start(liveness("-t", "60s", "--json"))
            run:wait_output("liveness: run", 90)
            k8s.run("-n " .. namespace_of() .. " " .. case[1])
            local result = run:wait(60)
            assert.equal(1, result.code, result.text)
            assert.equal("node_exited", result.summary.error.code)
            assert.matches("node-1 ended by itself", result.summary.error.message, 1, true)
            assert.matches("listens for peers", result.summary.error.message .. support.read(support.run_folder()
                .. "/logs/logos-blockchain-node-1.log"), 1, true)
            assert.equal("", live "liveness")
        end
    end)

    it("does all verbs to nodes and starts others later; their disks stay", function()
        local result = support.run(on_cluster { timeout = 240, "-d", "k8s", script [[
            local node = ctx:node(1)
            local function height() return node:client():consensus_info().height end
            ctx:wait_for_height(3)
            node:stop()
            assert(node:state() == "stopped")
            node:start() node:wait_ready{within = "30s"}
            node:pause()
            assert(not tfl.try(function() return node:client():consensus_info{timeout = "500ms"} end))
            node:resume()
            local h = height()
            node:kill()
            ctx:node(0):kill() -- nobody can tell it what it has lost
            node:start()
            ctx:eventually(function() return height() >= h end, {within = "30s"})
            ctx:node(0):start() ctx:node(0):wait_ready{within = "30s"}
            node:wait_ready{within = "30s"}
            node:restart{wipe = true} node:wait_ready{within = "30s"}
            node:restart{args = {"--test", "drop_every=1000"}} node:wait_ready{within = "30s"}
            local late = ctx:start_node("Late_One", {peers = {0, 1}})
            late:wait_ready{within = "30s"}
            assert(late:client():network_info().n_peers >= 2)
        ]] })
        assert.equal(0, result.code, result.text)
    end)

    it("says by the cluster's words why a pod does not come up", function()
        local none = liveness()
        none.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE, none.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY = "tfl-nobody:1", "Never"
        local result = support.run(none)
        assert.equal(3, result.code, result.text)
        assert.matches("node%-%d: its pod cannot run: ErrImageNeverPull", result.text)
    end)

    --- A kubeconfig with what the function changes in it.
    local function config(change)
        local made = support.json(k8s.run "config view --raw --flatten --minify -o json")
        change(made.clusters[1].cluster, made.users[1].user)
        return support.write("kubeconfig", require("dkjson").encode(made))
    end

    it("goes on when the API server is away for ten seconds", function()
        local free = [[import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])]]
        local port, target = support.sh("python3 -c " .. support.quote(free)), nil
        port = "127.0.0.1:" .. port:match "%d+"
        local spec = liveness("-t", "30s", "--json")
        spec.env.KUBECONFIG = config(function(cluster)
            target = cluster.server:match "^https://([^/]+)"
            cluster.server, cluster["tls-server-name"] = "https://" .. port, target:match "^[^:]+"
        end)
        local function pipe() return support.start { program = "python3", support.root .. "/spec/support/pipe.py", port, target } end
        local way = pipe()
        local run = support.start(spec)
        run:wait_output("liveness: run", 90)
        way:signal "KILL"
        local events = support.run_folder() .. "/events.jsonl"
        support.eventually(function() return support.read(events):find '"cluster_away"' end, 10, "the news")
        local since = os.time()
        support.eventually(function() return os.time() > since + 9 end, 15, "ten seconds")
        way = pipe()
        local result = run:wait(90)
        assert.equal(0, result.code, result.text)
        assert.matches('"cluster_back"', support.read(events), 1, true)
        assert.equal("", live "liveness")
        way:signal "KILL"
    end)

    it("is looked at by tfl doctor", function()
        local spec = on_cluster { "doctor" }
        local said = support.run(spec).out
        for _, row in ipairs { "✓ kubectl   context %S+", "✓ cluster   %d+ nodes?, v%d", "✓ rights    may make and delete namespaces",
            "✓ disks     %S+", "✓ image     %S+\n" } do
            assert.matches(row, said)
        end
        spec.env.KUBECONFIG, spec.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE = config(function(_, user) user.as = "tfl-nobody" end), "tfl-nobody:1"
        said = support.run(spec).out
        assert.matches("✗ cluster   kubectl get nodes: Error from server (Forbidden)", said, 1, true)
        assert.matches("✗ rights    this user may not create namespaces: forbidden", said, 1, true)
        spec.env.KUBECONFIG = k8s.config
        assert.matches("✗ image     tfl-nobody:1: not seen on ", support.run(spec).out, 1, true)
    end)

    it("says which right is missing, and makes nothing then", function()
        local spec = liveness()
        spec.env.KUBECONFIG = config(function(_, user) user.as = "tfl-nobody" end)
        local result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("this user may not create namespaces: forbidden; the user of this kubeconfig lacks that right (RBAC)",
            result.text, 1, true)
        spec.env.KUBECONFIG = config(function(cluster) cluster.server = "https://127.0.0.1:9" end)
        result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("the API server cannot be reached: is the cluster up, and KUBECONFIG the right one?", result.text, 1, true)
        spec.env.PATH = "/nowhere"
        result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("install one from 1.20 on, and have it on PATH", result.text, 1, true)
    end)

    it("runs programs beside a node, with its disk", function()
        local result = support.run(on_cluster { "-d", "k8s", script [[
            ctx:wait_for_height(2)
            ctx:node(1):stop()
            local command = ctx:descriptors()[2].command
            for _, word in ipairs{"user.yaml", "--deployment", "deployment.yaml", "--check-store"} do table.insert(command, word) end
            command.timeout = "30s"
            local said = tfl.exec(command)
            assert(said.code == 0 and said.stdout:find "The store is sound: [1-9]", said.stdout .. said.stderr)
            command[#command] = "--nonsense"
            assert(tfl.exec(command).code == 2)
        ]] })
        assert.equal(0, result.code, result.text)
    end)

    it("hands the objects to helm where there is one (here one that renders the chart as it is written)", function()
        local helm = support.write("bin/helm", [[#!/usr/bin/env python3
import json, subprocess, sys
if sys.argv[1] == "version":
    sys.exit(0)
assert sys.argv[1:3] == ["upgrade", "--install"], sys.argv
chart, values, namespace = sys.argv[4], sys.argv[sys.argv.index("-f") + 1], sys.argv[sys.argv.index("--namespace") + 1]
assert "range .Values.objects" in open(chart + "/templates/objects.yaml").read() and "name: tfl" in open(chart + "/Chart.yaml").read()
for one in json.load(open(values))["objects"]:
    assert one["kind"] != "Namespace" and one["metadata"]["namespace"] == namespace
    subprocess.run(["kubectl", "apply", "--server-side", "--force-conflicts", "-f", "-"], input=json.dumps(one).encode(), check=True)
print("release " + sys.argv[3])
]])
        os.execute("chmod +x " .. support.quote(helm))
        local spec = on_cluster { "-d", "k8s", script [[
            ctx:wait_for_height(2)
            ctx:node(1):stop()
            ctx:start_node("late", {peers = {0}}):wait_ready{within = "30s"}
            assert(ctx:node(1):state() == "stopped")
            ctx:node(1):start() ctx:node(1):wait_ready{within = "30s"}
        ]] }
        spec.env.PATH, spec.env.K8S_RUNNER_DEBUG = helm:match "^(.*)/" .. ":" .. os.getenv "PATH", "1"
        local result = support.run(spec)
        assert.equal(0, result.code, result.text)
        assert.matches("release tfl%-byhand%-", result.text)
        assert.equal("", live "byhand")
    end)

    it("gives pods the time that the environment says", function()
        for name, said in pairs {
            K8S_RUNNER_DEPLOYMENT_TIMEOUT_SECS = "its pod does not run after 0.01s", K8S_RUNNER_HTTP_TIMEOUT_SECS = "within 0.01s",
        } do
            local spec = liveness()
            spec.env[name] = "0.01"
            local result = support.run(spec)
            assert.equal(3, result.code, result.text)
            assert.matches(said, result.text, 1, true)
            spec.env[name] = "soon"
            result = support.run(spec)
            assert.equal(2, result.code, result.text)
            assert.matches(name .. "=soon: a number of seconds above 0, at most 86400, was expected", result.text, 1, true)
        end
    end)

    it("reaches nodes by NodePorts, tells what the cluster says, and leaves all there when it is asked to", function()
        local address = k8s.run [[get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}']]
        local spec = liveness "--json"
        spec.env.K8S_RUNNER_NODE_HOST, spec.env.K8S_RUNNER_DEBUG, spec.env.K8S_RUNNER_PRESERVE = address, "1", "1"
        local result = support.run(spec)
        assert.equal(0, result.code, result.text)
        assert.matches("statefulset.apps/node-0 serverside-applied", result.text, 1, true)
        assert.matches("node-0: Started: Started container node", result.text, 1, true)
        local ns = namespace_of()
        assert.equal("NodePort", k8s.run("-n " .. ns .. " get service node-0 -o jsonpath={.spec.type}"))
        assert.matches("delete namespace " .. ns, result.text, 1, true)
    end)

    it("uses a namespace that is there, keeps to its quota, and leaves it there", function()
        local ns = "tfl-quota-" .. support.dir():match "%w+$":lower()
        k8s.run("create namespace " .. ns)
        local env = { K8S_RUNNER_NAMESPACE = ns, K8S_RUNNER_RELEASE = "mine" }
        local spec = liveness()
        for name, value in pairs(env) do spec.env[name] = value end
        local run = support.start(spec)
        run:wait_output("liveness: run", 90)
        assert.matches("statefulset.apps/mine-node-0", k8s.run("-n " .. ns .. " get statefulsets -o name"), 1, true)
        local result = run:wait(60)
        assert.equal(0, result.code, result.text)
        support.eventually(function() return k8s.run("-n " .. ns .. " get statefulsets,services,secrets -l tfl.run -o name") == "" end, 60,
            "objects gone")
        k8s.run("-n " .. ns .. " create quota small --hard=pods=1")
        result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("exceeded quota: small", result.text, 1, true)
        k8s.run("delete namespace --wait=false " .. ns)
    end)
end)

describe("-d k8s without a cluster", function()
    it("is told by tfl doctor in a sentence, without what kubectl logs", function()
        local kubectl = support.write("bin/kubectl", [[#!/bin/sh
[ "$2" = current-context ] && [ -n "$CONTEXT" ] && echo mine && exit 0
echo 'E1128 22:30:10.123456   4711 memcache.go:238] could not get current server API group list: dial tcp 127.0.0.1:8080' >&2
echo 'The connection to the server localhost:8080 was refused - did you specify the right host or port?' >&2
exit 1
]])
        os.execute("chmod +x " .. support.quote(kubectl))
        local env = { PATH = kubectl:match "^(.*)/" .. ":" .. os.getenv "PATH" }
        local said = support.run({ "doctor", env = env }).out
        assert.matches("✗ kubectl   no context is chosen, so no cluster: set KUBECONFIG", said, 1, true)
        env.CONTEXT = "yes"
        said = support.run({ "doctor", env = env }).out
        assert.matches("✓ kubectl   context mine\n  ✗ cluster   kubectl get nodes: The connection to the server localhost:8080 was refused",
            said, 1, true)
        assert.matches("the API server cannot be reached: is the cluster up, and KUBECONFIG the right one%?\n$", said)
        assert.is_nil(said:find("memcache", 1, true), said)
    end)

    it("refuses settings that make no sense, before it asks anybody", function()
        for name, values in pairs {
            K8S_RUNNER_DEPLOYMENT_TIMEOUT_SECS = { "0", "-1", "nan", "inf", "1e300", "86401", "soon" },
            K8S_RUNNER_HTTP_TIMEOUT_SECS = { "0", "nan", "inf", "1e300", "86401" },
            K8S_RUNNER_NAMESPACE = { "Upper", "-x", ("x"):rep(64) }, K8S_RUNNER_RELEASE = { "a_b" }, K8S_RUNNER_NODE_HOST = { "a b" },
            LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY = { "Sometimes" },
        } do
            for _, value in ipairs(values) do
                local result = support.run { "check", "scenarios/liveness.lua", "-d", "k8s", env = { [name] = value, PATH = "/nowhere" } }
                assert.equal(2, result.code, name .. "=" .. value .. ": " .. result.text)
                assert.matches(name .. "=" .. value .. ": ", result.text, 1, true)
            end
        end
    end)
end)
