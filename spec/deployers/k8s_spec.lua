--- `-d k8s` on a real cluster: runs, their ends, and a cluster that does not do what it should.
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

-- Lowers what the program of a pod may have, until the kernel has ended it. 3: the pod is not of this machine.
local TAKE_MEMORY = [[
for dir in $(find /sys/fs/cgroup -type d \( -path '*podUID/*' -o -path "*pod$(echo UID | tr - _).slice/*" \)); do
    pid=$(head -n 1 "$dir/cgroup.procs" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q 'tfl-node' || continue
    limit=$dir/memory.limit_in_bytes
    [ -e "$limit" ] || limit=$dir/memory.max
    [ -e "$limit" ] || continue
    bytes=2097152
    for _ in $(seq 400); do
        kill -0 "$pid" 2>/dev/null || exit 0
        if echo "$bytes" >"$limit"; then bytes=$((bytes - 16384)); else bytes=$((bytes + 16384)) && sleep 0.1; fi
    done 2>/dev/null
    echo "it lives with $bytes bytes"
    exit 1
done
exit 3]]

k8s.describe("-d k8s", function()
    after_each(k8s.delete_left)

    it("passes as on the host, in pods without rights, and has the namespace deleted", function()
        local run = support.start(k8s.liveness("--keep", "--json"))
        run:wait_output("liveness: run", 90)
        local ns = k8s.live()
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
        assert.equal("", k8s.live())
        for i = 0, 2 do
            assert.truthy(support.read(("%s/logs/logos-blockchain-node-%d.log"):format(support.run_folder(), i)):find "listens for peers")
        end
    end)

    it("leaves nothing when tfl is killed", function()
        for _, moment in ipairs { "liveness: run", "liveness: deploy" } do
            local run = support.start(k8s.liveness("-t", "60s"))
            run:wait_output(moment, 90)
            support.eventually(function() return k8s.live() ~= "" end, 30, "a namespace")
            run:signal "KILL"
            run:wait()
            support.eventually(function() return k8s.live() == "" end, 30, "the namespace told to go")
        end
    end)

    it("fails the run when a pod is deleted by nobody's order, or its program ends", function()
        for _, case in ipairs {
            { "delete pod node-1-0 --wait=false", "its pod was deleted, and not by tfl" },
            { "exec node-1-0 -- /usr/local/bin/tfl-node --signal KILL || true", "SIGKILL" },
        } do
            local run = support.start(k8s.liveness("-t", "60s", "--json"))
            run:wait_output("liveness: run", 90)
            k8s.run("-n " .. k8s.live() .. " " .. case[1])
            local result = run:wait(60)
            assert.equal(1, result.code, result.text)
            assert.equal("node_exited", result.summary.error.code)
            assert.matches("node-1 ended by itself", result.summary.error.message, 1, true)
            assert.matches("listens for peers", result.summary.error.message .. support.read(support.run_folder()
                .. "/logs/logos-blockchain-node-1.log"), 1, true)
            assert.equal("", k8s.live())
        end
    end)

    it("hears of a node that ended in the last moment before the run is judged", function()
        local spec = k8s.scenario { k8s.script [[
            ctx:wait_for_height(2)
            local kill = {"/usr/local/bin/tfl-node", "--signal", "KILL"}
            tfl.exec{"kubectl", "-n", os.getenv "K8S_RUNNER_NAMESPACE", "exec", "node-1-0", "--", table.unpack(kill)}
        ]], "--json" }
        spec.env.K8S_RUNNER_NAMESPACE = ("tfl-last-%d-0"):format(k8s.seed())
        local result = support.run(spec)
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code)
        assert.equal("node-1", result.summary.error.node)
        assert.equal("", k8s.live())
    end)

    it("fails the run when the kernel ends a node for want of memory, and says so", function()
        local run = support.start(k8s.liveness("-t", "60s", "--json"))
        run:wait_output("liveness: run", 90)
        local uid = k8s.run("-n " .. k8s.live() .. " get pod node-1-0 -o jsonpath='{.metadata.uid}'")
        local said, code = support.sh("(" .. TAKE_MEMORY:gsub("UID", uid) .. ")")
        if code == 3 then return pending "the pods do not run on this machine" end
        assert.equal(0, code, said)
        local result = run:wait(60)
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code)
        assert.matches("node-1 ended by itself (killed by SIGKILL, OOMKilled)", result.summary.error.message, 1, true)
    end)

    it("says by the cluster's words why a pod does not come up", function()
        local none = k8s.liveness()
        none.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE, none.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY = "tfl-nobody:1", "Never"
        local result = support.run(none)
        assert.equal(3, result.code, result.text)
        assert.matches("node%-%d: its pod cannot run: ErrImageNeverPull", result.text)
    end)

    it("ends as infra, saying which right is missing, when the cluster refuses what a node needs", function()
        local user = "tfl-" .. support.dir():match "%w+$":lower()
        local all = "pods,services,configmaps,secrets,events,namespaces,nodes,persistentvolumeclaims,statefulsets.apps,"
            .. "statefulsets.apps/scale,daemonsets.apps,storageclasses.storage.k8s.io,pods/proxy"
        local _ <close> = setmetatable({}, { __close = function()
            k8s.run(("delete clusterrolebinding,clusterrole %s --ignore-not-found"):format(user))
        end })
        k8s.run(("create clusterrolebinding %s --clusterrole=%s --user=%s"):format(user, user, user))
        for more, missing in pairs { ["pods/exec"] = "pods/log", ["pods/log"] = "pods/exec" } do
            k8s.run(("delete clusterrole %s --ignore-not-found"):format(user))
            k8s.run(("create clusterrole %s --verb='*' --resource=%s,%s"):format(user, all, more))
            local spec = k8s.scenario { k8s.script "ctx:wait_for_height(2) ctx:node(1):kill()", "--json" }
            spec.env.KUBECONFIG = k8s.kubeconfig(function(_, who) who.as = user end)
            local result = support.run(spec)
            assert.equal(3, result.code, result.text)
            assert.matches(missing, result.summary.error.message, 1, true)
            assert.matches("lacks that right (RBAC)", result.summary.error.message, 1, true)
        end
    end)

    it("says which right is missing, and makes nothing then", function()
        local spec = k8s.liveness()
        spec.env.KUBECONFIG = k8s.kubeconfig(function(_, user) user.as = "tfl-nobody" end)
        local result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("this user may not create namespaces: forbidden; the user of this kubeconfig lacks that right (RBAC)",
            result.text, 1, true)
        spec.env.KUBECONFIG = k8s.kubeconfig(function(cluster) cluster.server = "https://127.0.0.1:9" end)
        result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("the API server cannot be reached: is the cluster up, and KUBECONFIG the right one?", result.text, 1, true)
        spec.env.PATH = "/nowhere"
        result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("install one from 1.20 on, and have it on PATH", result.text, 1, true)
    end)
end)
