--- `-d k8s` where there is no cluster.
local in_run = require "spec.support.in_run"
local support = require "spec.support"

support.guard()

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
        env.KUBECONFIG = "/nowhere/kubeconfig"
        assert.matches("; KUBECONFIG=/nowhere/kubeconfig: there is no such file\n", support.run({ "doctor", env = env }).out, 1, true)
    end)

    it("refuses what it cannot do before anything starts, with scenario and reason", function()
        local result = support.run { "check", "scenarios/snapshot_restore.lua", "-d", "k8s" }
        assert.equal(2, result.code, result.text)
        assert.matches("scenario snapshot_restore: snapshots: the deployer k8s cannot do that (the disks of nodes are in the cluster",
            result.text, 1, true)
        local file = support.write("taken.lua",
            'tfl.scenario("taken"):enable_node_control{snapshots = true}:expect_consensus_liveness():build()')
        assert.matches("scenario taken: snapshots: the deployer k8s", support.run({ "check", file, "-d", "k8s" }).text, 1, true)
        assert.equal(0, support.run({ "check", file }).code)
    end)

    it("says that nodes cannot push their metrics to localhost", function()
        local function said(url, deployer)
            return in_run({ env = { LOGOS_BLOCKCHAIN_METRICS_OTLP_INGEST_URL = url }, [[
                local lines = {}
                require("tfl.telemetry").announce { plan = { backend = require("tfl.deployers").get(...), run_id = "r" },
                    nodes = { { name = "node-0", kind = require "tfl.kinds.logos" } }, started = {},
                    say = function(_, _, line) lines[#lines + 1] = line end }
                return lines
            ]] }, deployer)
        end
        assert.matches("LOGOS_BLOCKCHAIN_METRICS_OTLP_INGEST_URL=http://localhost:4318/v1/metrics: in a pod that is the pod itself",
            said("http://localhost:4318/v1/metrics", "k8s")[1], 1, true)
        assert.is_nil(said("http://10.1.2.3:4318/v1/metrics", "k8s")[1])
        assert.is_nil(said("http://localhost:4318/v1/metrics", "compose")[1])
    end)

    it("says whose kubectl answers with what it cannot read", function()
        local kubectl = support.write("bin/kubectl", [[#!/bin/sh
case "$*" in *current-context*) echo 'WARNING: version skew'; echo mine ;; *can-i*) echo yes ;; *) echo 'all is well' ;; esac
]])
        os.execute("chmod +x " .. support.quote(kubectl))
        local result = support.run { "scenarios/liveness.lua", "-d", "k8s",
            env = { PATH = kubectl:match "^(.*)/" .. ":" .. os.getenv "PATH" } }
        assert.equal(3, result.code, result.text)
        assert.matches("kubectl get nodes -o json: no JSON: all is well", result.text, 1, true)
    end)

    it("refuses kinds that are ready when a port accepts, unless nodes have addresses of their own", function()
        local file = support.write("tcp.lua", [[
            tfl.kind("plain", {command = {"/bin/true"}, ports = {"p2p"}, ready = {tcp = "p2p"}})
            tfl.scenario("tcp"):topology_with(function(t) t:nodes(2):kind "plain" end):with_run_duration("10s")
                :with_expectation(tfl.expectation("e", {evaluate = function() end})):build()]])
        local env = { PATH = "/nowhere" }
        local result = support.run { "check", file, "-d", "k8s", env = env }
        assert.equal(2, result.code, result.text)
        assert.matches("-d k8s: node-0: its kind is ready when a port accepts, and tfl reaches pods by HTTP only", result.text, 1, true)
        env.K8S_RUNNER_NODE_HOST = "10.0.0.1"
        assert.equal(0, support.run({ "check", file, "-d", "k8s", env = env }).code)
    end)

    it("gives programs their words as they are, whatever Kubernetes makes of dollars", function()
        local words = { "node", "$(HOME)", "a$b", "$$", "$$(X)$" }
        local got = in_run([[
            local objects = require "tfl.deployers.k8s.objects"
            local run = {namespace = "n", run = "r", prefix = "", labels = {}, image = "i", pull_policy = "Never", machines = {}}
            local made = objects.node(run, {object = "o", name = "o", image = "i", argv = ..., env = {A = "$(B)"}, files = {},
                files_name = "f", index = 0, disk = "d", ports = {}, stop_signal = "TERM"})
            local container = made[3].spec.template.spec.containers[1]
            return {command = container.command, env = container.env[1].value, told = objects.told(container.command)}
        ]], words)
        assert.same({ "node", "$$(HOME)", "a$$b", "$$$$", "$$$$(X)$$" }, got.command)
        assert.equal("$$(B)", got.env)
        assert.same(words, got.told)
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
