--- `tfl clean` and a real cluster: what dead runs of this user have left goes, what lives and what is of others stays.
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

k8s.describe("tfl clean on a cluster", function()
    local made = {}

    after_each(function()
        k8s.delete_left()
        for _, name in ipairs(made) do k8s.run("delete namespace --ignore-not-found --wait=false " .. name) end
        made = {}
    end)

    local function namespace(kind, labels)
        local name = kind .. "-" .. support.dir():match "%w+$":lower()
        made[#made + 1] = name
        k8s.run("create namespace " .. name)
        if labels then k8s.run(("label namespace %s %s"):format(name, labels)) end
        return name
    end

    it("removes what dead runs have left, and neither what lives nor what is of others", function()
        local shared = namespace "shared"
        local others = namespace("others", "app.kubernetes.io/managed-by=tfl tfl.run=somebody tfl.owner=elsewhere-0123")
        local left = k8s.scenario { k8s.script "ctx:wait_for_height(1)",
            env = { K8S_RUNNER_NAMESPACE = shared, K8S_RUNNER_PRESERVE = "1" } }
        local result = support.run(left)
        assert.equal(0, result.code, result.text)
        assert.matches("statefulset.apps/node-0", k8s.run("-n " .. shared .. " get statefulsets -o name"), 1, true)
        local run = support.start(k8s.liveness("-t", "100s"))
        run:wait_output("liveness: run", 90)
        local live = k8s.live()
        result = support.run(k8s.on_cluster { "clean" })
        assert.equal(0, result.code, result.text)
        assert.matches("byhand-%S+: deleted in Kubernetes: its objects in " .. shared:gsub("%-", "%%-"), result.out)
        assert.matches("left alone, for whether they live only their owners can tell: ", result.out, 1, true) -- there may be many
        assert.is_nil(result.out:find(live, 1, true), result.text)
        assert.equal(live, k8s.live())
        local what = ("-n %s get statefulsets,services,configmaps,secrets -l tfl.run -o name"):format(shared)
        support.eventually(function() return k8s.run(what) == "" end, 60, "the objects to go")
        for _, name in ipairs { shared, others } do
            assert.equal("Active", k8s.run("get namespace -o jsonpath='{.status.phase}' " .. name))
        end
        run:signal "KILL"
        run:wait()
        support.eventually(function() return k8s.live() == "" end, 30, "the namespace told to go")
        result = support.run(k8s.on_cluster { "clean" })
        assert.is_nil(result.out:find("deleted in Kubernetes", 1, true), result.text)
    end)
end)

describe("tfl clean without a cluster", function()
    it("says that it was not looked at, and does the rest", function()
        support.write("bin/kubectl", [[#!/bin/sh
[ "$2" = current-context ] && echo gone && exit 0
echo "The connection to the server 127.0.0.1:9 was refused - did you specify the right host or port?" >&2
exit 1
]])
        os.execute("chmod +x " .. support.quote(support.path "bin/kubectl"))
        local env = { PATH = support.path "bin" .. ":" .. os.getenv "PATH" }
        local result = support.run { "clean", env = env }
        assert.equal(0, result.code, result.text)
        assert.matches("Kubernetes (context gone) was not looked at: ", result.out, 1, true)
        env.PATH = "/nowhere"
        result = support.run { "clean", env = env }
        assert.equal(0, result.code, result.text)
        assert.matches("nothing to clean", result.out)
    end)
end)
