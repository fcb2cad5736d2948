--- `-d k8s` on a real cluster: what the environment says of it, and `tfl doctor`.
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

k8s.describe("settings of -d k8s", function()
    after_each(k8s.delete_left)

    it("gives pods the time that the environment says", function()
        for name, said in pairs {
            K8S_RUNNER_DEPLOYMENT_TIMEOUT_SECS = "its pod does not run after 0.01s", K8S_RUNNER_HTTP_TIMEOUT_SECS = "within 0.01s",
        } do
            local spec = k8s.liveness()
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
        local spec = k8s.liveness "--json"
        spec.env.K8S_RUNNER_NODE_HOST, spec.env.K8S_RUNNER_DEBUG, spec.env.K8S_RUNNER_PRESERVE = address, "1", "1"
        local result = support.run(spec)
        assert.equal(0, result.code, result.text)
        assert.matches("statefulset.apps/node-0 serverside-applied", result.text, 1, true)
        assert.matches("node-0: Scheduled: Successfully assigned", result.text, 1, true)
        local ns = k8s.live()
        assert.equal("NodePort", k8s.run("-n " .. ns .. " get service node-0 -o jsonpath={.spec.type}"))
        assert.matches("delete namespace " .. ns, result.text, 1, true)
    end)

    it("uses a namespace that is there, keeps to its quota, and leaves it there", function()
        local ns = "tfl-quota-" .. support.dir():match "%w+$":lower()
        k8s.run("create namespace " .. ns)
        local env = { K8S_RUNNER_NAMESPACE = ns, K8S_RUNNER_RELEASE = "mine" }
        local spec = k8s.liveness()
        for name, value in pairs(env) do spec.env[name] = value end
        local run = support.start(spec)
        run:wait_output("liveness: run", 90)
        assert.matches("statefulset.apps/mine-node-0", k8s.run("-n " .. ns .. " get statefulsets -o name"), 1, true)
        local result = run:wait(60)
        assert.equal(0, result.code, result.text)
        assert.matches(("K8S_RUNNER_RELEASE=mine K8S_RUNNER_NAMESPACE=%s LOGOS_BLOCKCHAIN_TESTNET_IMAGE="):format(ns), result.text, 1, true)
        support.eventually(function() return k8s.run("-n " .. ns .. " get statefulsets,services,secrets -l tfl.run -o name") == "" end, 60,
            "objects gone")
        k8s.run("-n " .. ns .. " create quota small --hard=pods=1")
        result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("exceeded quota: small.*; the quota of the namespace does not allow it: fewer nodes", result.text)
        k8s.run("delete namespace --wait=false " .. ns)
    end)

    it("leaves alone what another run has in a namespace, and takes several with a prefix each", function()
        local ns = "tfl-several-" .. support.dir():match "%w+$":lower()
        k8s.run("create namespace " .. ns)
        local function run_of(release, time)
            local spec = k8s.liveness("-t", time)
            spec.env.K8S_RUNNER_NAMESPACE, spec.env.K8S_RUNNER_RELEASE = ns, release
            return spec
        end
        local first = support.start(run_of(nil, "45s")) -- still there when the second is refused
        first:wait_output("liveness: run", 90)
        local second = support.run(run_of(nil, "45s"))
        assert.equal(3, second.code, second.text)
        assert.matches('"node-0" already exists', second.text, 1, true)
        assert.matches("somebody else has objects of these names in the namespace: K8S_RUNNER_RELEASE gives", second.text, 1, true)
        second = support.run(run_of("other", "20s"))
        assert.equal(0, second.code, second.text)
        local result = first:wait(90)
        assert.equal(0, result.code, result.text)
        k8s.run("delete namespace --wait=false " .. ns)
    end)

    it("is looked at by tfl doctor", function()
        local spec = k8s.on_cluster { "doctor" }
        local said = support.run(spec).out
        for _, row in ipairs { "✓ kubectl   context %S+", "✓ cluster   %d+ nodes?, v%d", "✓ rights    may make and delete namespaces",
            "✓ disks     %S+", "✓ image     %S+\n" } do
            assert.matches(row, said)
        end
        spec.env.KUBECONFIG = k8s.kubeconfig(function(_, user) user.as = "tfl-nobody" end)
        spec.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE = "tfl-nobody:1"
        said = support.run(spec).out
        assert.matches("✗ cluster   kubectl get nodes: Error from server (Forbidden)", said, 1, true)
        assert.matches("✗ rights    this user may not create namespaces: forbidden", said, 1, true)
        spec.env.KUBECONFIG = k8s.config
        assert.matches("✗ image     tfl-nobody:1: not seen on ", support.run(spec).out, 1, true)
    end)
end)
