--- `-d k8s` on a real cluster: what can be done to nodes, and who installs them.
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

k8s.describe("nodes on k8s", function()
    after_each(k8s.delete_left)

    it("does all verbs to nodes and starts others later; their disks stay", function()
        local result = support.run(k8s.scenario { timeout = 240, k8s.script [[
            local node = ctx:node(1)
            local function height() return node:client():consensus_info().height end
            ctx:wait_for_height(3)
            node:stop()
            assert(node:state() == "stopped")
            node:start() node:wait_ready{within = "60s"}
            node:pause()
            assert(not tfl.try(function() return node:client():consensus_info{timeout = "500ms"} end))
            node:resume()
            local h = height()
            node:kill()
            ctx:node(0):kill() -- nobody can tell it what it has lost
            node:start()
            ctx:eventually(function() return height() >= h end, {within = "60s"})
            ctx:node(0):start() ctx:node(0):wait_ready{within = "60s"}
            node:wait_ready{within = "60s"}
            node:restart{wipe = true} node:wait_ready{within = "60s"}
            node:restart{args = {"--test", "drop_every=1000"}} node:wait_ready{within = "60s"}
            local late = ctx:start_node("Late_One", {peers = {0, 1}})
            late:wait_ready{within = "60s"}
            assert(late:client():network_info().n_peers >= 2)
        ]] })
        assert.equal(0, result.code, result.text)
    end)

    it("runs programs beside a node, with its disk", function()
        local result = support.run(k8s.scenario { k8s.script [[
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
        local spec = k8s.scenario { k8s.script [[
            ctx:wait_for_height(2)
            ctx:node(1):stop()
            ctx:start_node("late", {peers = {0}}):wait_ready{within = "60s"}
            assert(ctx:node(1):state() == "stopped")
            ctx:node(1):start() ctx:node(1):wait_ready{within = "60s"}
        ]] }
        spec.env.PATH, spec.env.K8S_RUNNER_DEBUG = helm:match "^(.*)/" .. ":" .. os.getenv "PATH", "1"
        local result = support.run(spec)
        assert.equal(0, result.code, result.text)
        assert.matches("release tfl%-byhand%-", result.text)
        assert.equal("", k8s.live())
        if select(2, support.sh "command -v helm") ~= 0 then return end -- a real one renders the same
        local values = support.sh(("ls -v '%s'/k8s/values-*.json | tail -n 1"):format(support.run_folder())):gsub("%s+$", "")
        local list = support.write("list.json", require("dkjson").encode {
            apiVersion = "v1", kind = "List", items = support.json(support.read(values)).objects,
        })
        local rendered = support.write("rendered.yaml", (support.sh(("helm template tfl %s -f %s"):format(
            support.quote(support.root .. "/assets/helm"), support.quote(values)))))
        local function read(path) return k8s.run("create --dry-run=client --validate=false -o json -f " .. support.quote(path)) end
        assert.equal(read(list), read(rendered))
    end)
end)
