--- `-d k8s --attach` on a real cluster: nodes that a run has left there, and such as others have installed.
local dkjson = require "dkjson"
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

k8s.describe("-d k8s --attach", function()
    local made = {}

    after_each(function() -- what a test has made
        for _, name in ipairs(made) do k8s.run("delete namespace --ignore-not-found --wait=false " .. name) end
        made = {}
    end)

    local function on_cluster(spec)
        spec.timeout = 240
        return k8s.on_cluster(spec)
    end
    --- A run in a namespace, attached to what a selector finds.
    local function attached(namespace, selector, ...)
        return on_cluster { env = { K8S_RUNNER_NAMESPACE = namespace }, "-d", "k8s", "--attach", selector, "-t", "150s", "--json", ... }
    end
    local function script(code, nodes)
        return support.write("script.lua", ('tfl.script("byhand", {nodes = %d, topology = function(t) t:full():security_param(60) end}, '
            .. "function(ctx)\n%s\nend)"):format(nodes or 3, code))
    end
    --- Namespace and selector of a run that has left its nodes there.
    local function preserved(file)
        local result = support.run(on_cluster { "-d", "k8s", "-t", file and "12s" or "60s", file or script "ctx:wait_for_height(4)",
            env = { K8S_RUNNER_PRESERVE = "1" } })
        assert.equal(0, result.code, result.text)
        local namespace, selector = result.err:match "K8S_RUNNER_NAMESPACE=(%S+) tfl SCENARIO.lua %-d k8s %-%-attach (%S+) drives it"
        assert.truthy(namespace, result.text)
        made[#made + 1] = namespace
        return namespace, selector
    end
    local function pods(namespace)
        return k8s.run("-n " .. namespace .. " get pods --sort-by=.metadata.name -o jsonpath='{.items[*].metadata.uid}'")
    end

    it("drives the nodes that a run has left, with all verbs, and leaves them there", function()
        local namespace, selector = preserved()
        local before = pods(namespace)
        local result = support.run(attached(namespace, selector, script [[
            local height = ctx:node(0):client():consensus_info().height
            assert(height >= 4, "it is the chain that was there")
            ctx:wait_for_height(height + 2)
            for _, option in ipairs{{wipe = true}, {args = {"--x"}}, {config = {a = 1}}} do
                local ok, err = tfl.try(function() ctx:node(1):restart(option) end)
                assert(not ok and tostring(err):find "keeps its arguments, files and disk", tostring(err))
            end
            local ok, err = tfl.try(function() ctx:start_node("more", {peers = {0}}) end)
            assert(not ok and tostring(err):find "are those that there are", tostring(err))
            local command = ctx:descriptors()[1].command
            command[#command + 1] = "--nonsense"
            local said = tfl.exec(command)
            assert(said.code == 2 and said.stderr:find "nonsense", said.stderr)
        ]]))
        assert.equal(0, result.code, result.text)
        assert.equal(before, pods(namespace))
        result = support.run(attached(namespace, selector, script [[
            ctx:node(1):kill()
            ctx:node(2):restart() ctx:node(2):wait_ready{within = "60s"}
            ctx:node(0):pause() ctx:node(0):resume()
            ctx:node(1):start() ctx:node(1):wait_ready{within = "60s"}
            local height = ctx:node(1):client():consensus_info().height
            ctx:wait_for_height(height + 2)
            ctx:node(1):stop()
        ]]))
        assert.equal(0, result.code, result.text)
        result = support.run(attached(namespace, selector, script "ctx:node(1):client():consensus_info()"))
        assert.equal(0, result.code, result.text)
        assert.matches("node-1 was stopped, started again", result.err, 1, true)
        for code, case in pairs {
            ["of the stack " .. selector .. " it is 3"] = attached(namespace, selector, "-n", "4", script ""),
            ["node-0 has another deployment.yaml"] = attached(namespace, selector, "scenarios/transactions.lua"),
        } do
            if code:find "another" then
                table.insert(case, "-p")
                table.insert(case, "rate=1")
            end
            result = support.run(case)
            assert.equal(2, result.code, result.text)
        end
        support.sh("mkdir -p " .. support.path "state/tfl/targets")
        local run = support.start(attached(namespace, selector, script 'ctx:log "drives" ctx:sleep "90s"'))
        run:wait_output("drives", 60)
        local target = support.json(support.sh("cat " .. support.path "state/tfl/targets/*.json"))[2]
        assert.equal("k8s", target.labels.deployer)
        local page = support.sh(("curl -sS http://%s%s"):format(target.targets[1], target.labels.__metrics_path__))
        assert.matches("tfl_node_peers %d", page)
        result = support.run(attached(namespace, selector, script ""))
        assert.equal(2, result.code, result.text)
        assert.matches("another tfl drives it", result.text, 1, true)
        result = support.run(k8s.on_cluster { "clean" })
        assert.is_nil(result.out:find("deleted in Kubernetes", 1, true), result.text)
        k8s.run("-n " .. namespace .. " delete pod node-2-0 --wait=false")
        result = run:wait(60)
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code)
        assert.matches("Active", k8s.run("get namespace " .. namespace))
        result = support.run(k8s.on_cluster { "clean" })
        assert.matches("deleted in Kubernetes: the namespace " .. namespace, result.out, 1, true)
    end)

    --- The nodes of a run as others would have installed them: without anything that says tfl, with names and ports as they like.
    local function of_others()
        local namespace = "others-" .. support.dir():match "%w+$":lower()
        made[#made + 1] = namespace
        preserved "scenarios/liveness.lua" -- without relays between its nodes
        local list = { apiVersion = "v1", kind = "List", items = {
            { apiVersion = "v1", kind = "Namespace", metadata = { name = namespace } } } }
        for path in support.sh("ls " .. support.quote(support.run_folder()) .. "/k8s/objects-*.json"):gmatch "[^\n]+" do
            local text = support.read(path):gsub('"tfl%.run":"[^"]*"', '"app":"logos-node"'):gsub('"tfl%.object"', '"instance"')
                :gsub('"app.kubernetes.io/managed%-by":"tfl",?', ""):gsub(',}', "}"):gsub('"TFL_POD"', '"POD"')
            for _, item in ipairs(support.json(text).items) do
                local kind, pod = item.kind, item.kind == "StatefulSet" and item.spec.template.spec
                item.metadata.namespace = namespace
                if pod then
                    for _, volume in ipairs(pod.volumes) do
                        if volume.name == "disk" then
                            volume.hostPath, volume.emptyDir = nil, setmetatable({}, { __jsontype = "object" })
                        end
                    end
                    pod.nodeSelector, item.spec.volumeClaimTemplates, item.spec.template.metadata.annotations = nil, nil, nil
                    pod.containers[1].ports = { { name = "api", containerPort = 8080 }, { name = "p2p", containerPort = 8081 } }
                end
                if kind ~= "Namespace" and kind ~= "DaemonSet" and item.metadata.name ~= "tfl-plan" then
                    list.items[#list.items + 1] = item
                end
            end
        end
        k8s.run("apply --validate=false -f " .. support.quote(support.write("others.json", dkjson.encode(list))))
        k8s.run("-n " .. namespace .. " wait --for=condition=Ready pod -l app=logos-node --timeout=50s")
        return namespace
    end

    it("drives nodes of others: judges, restarts, loads, and takes nothing away", function()
        local namespace = of_others()
        local result = support.run(attached(namespace, "app=logos-node:api", "-t", "14s", support.write("load.lua", [[
            local trouble = tfl.workload("trouble")
            function trouble:start(ctx)
                ctx:sleep "3s"
                ctx:node(1):restart()
                ctx:node(1):wait_ready{within = "60s"}
                local ok, err = tfl.try(function() ctx:node(0):kill() end)
                assert(not ok and tostring(err):find "only what made the nodes can do that", tostring(err))
            end
            tfl.scenario("others"):topology_with(function(t) t:nodes(3):full() end):enable_node_control()
                :wallets(4):transactions_with(function(x) x:per_second(2):kind("inscription") end)
                :with_workload(trouble):expect_consensus_liveness():build()
        ]])))
        assert.equal(0, result.code, result.text)
        assert.matches("node-0 is the pod node-0-0", result.err, 1, true)
        local by_name = {}
        for _, one in ipairs(result.summary.expectations) do by_name[one.name] = one.verdict end
        assert.same({ "pass", "pass", "pass" }, { by_name.consensus_liveness, by_name.safety, by_name.tx_inclusion })
        assert.equal(3, select(2, pods(namespace):gsub("%S+", "")))
        for message, case in pairs {
            ["has several ports (api 8080, p2p 8081) and none is named http"] = attached(namespace, "app=logos-node", script ""),
            ["has no port named rest (there are: api 8080, p2p 8081)"] = attached(namespace, "app=logos-node:rest", script ""),
            ["wallets: the genesis of a chain that tfl has not made"] = attached(namespace, "app=logos-node:8080",
                "scenarios/transactions.lua"),
            ["its slots are of 200 ms, and those of the scenario of 300 ms: CONSENSUS_SLOT_TIME=0.2"] = on_cluster {
                "-d", "k8s", "--attach", "app=logos-node:8080", "-t", "30s", script "",
                env = { K8S_RUNNER_NAMESPACE = namespace, CONSENSUS_SLOT_TIME = "300ms" } },
        } do
            result = support.run(case)
            assert.equal(2, result.code, result.text)
            assert.matches(message, result.text, 1, true)
        end
        local run = support.start(attached(namespace, "app=logos-node:8080", "scenarios/liveness.lua"))
        run:wait_output("liveness: run", 60)
        k8s.run("-n " .. namespace .. " delete pod node-1-0 --wait=false")
        result = run:wait(60)
        assert.equal(1, result.code, result.text)
        assert.matches("node-1 ended by itself", result.summary.error.message, 1, true)
        assert.matches("Active", k8s.run("get namespace " .. namespace))
    end)

    it("says what is missing", function()
        local namespace = "missing-" .. support.dir():match "%w+$":lower()
        made[#made + 1] = namespace
        k8s.run("create namespace " .. namespace)
        local function pod(name, labels, containers)
            local spec = { apiVersion = "v1", kind = "Pod", metadata = { name = name, labels = labels },
                spec = { containers = containers } }
            k8s.run(("-n %s apply -f %s"):format(namespace, support.quote(support.write(name .. ".json", dkjson.encode(spec)))))
        end
        local waits = { image = k8s.image, command = { "/usr/local/bin/tfl-node", "--sweep", "/nothing" },
            env = { { name = "TFL_POD", value = "1" } } }
        local function container(name, image)
            return { name = name, image = image or k8s.image, command = waits.command, env = waits.env, imagePullPolicy = "Never" }
        end
        pod("two", { app = "two" }, { container "first", container "second" })
        pod("ill", { app = "ill" }, { container("only", "tfl-nobody:1") })
        k8s.run("-n " .. namespace .. " wait --for=condition=Ready pod two --timeout=50s")
        support.eventually(function()
            return k8s.run("-n " .. namespace .. " get pod ill -o jsonpath='{.status.containerStatuses[0].state.waiting.reason}'")
                == "ErrImageNeverPull"
        end, 30, "the news of the image")
        local forbidden = attached(namespace, "app=two", script "")
        forbidden.env.KUBECONFIG = k8s.kubeconfig(function(_, user) user.as = "tfl-nobody" end)
        local no_namespace = attached(namespace, "app=two", script "")
        no_namespace.env.K8S_RUNNER_NAMESPACE = nil
        for _, case in ipairs {
            { 2, attached(namespace, "app=none", script ""),
                "no pod of the namespace " .. namespace .. " has these labels; its pods have app=ill" },
            { 2, attached("tfl-nowhere", "app=two", script ""), "there is no such namespace; there are such pods in " .. namespace },
            { 2, no_namespace, "K8S_RUNNER_NAMESPACE must say in which namespace; there are such pods in " .. namespace },
            { 2, attached(namespace, "a=b=c", script ""), "this is no selector of labels" },
            { 2, attached(namespace, "app=two", script("", 1)), "has several containers (first, second)" },
            { 3, attached(namespace, "app=ill", script("", 1)), "the pod ill is not ready: ErrImageNeverPull" },
            { 3, forbidden, "the user of this kubeconfig lacks that right (RBAC)" },
        } do
            local result = support.run(case[2])
            assert.equal(case[1], result.code, result.text)
            assert.matches(case[3], result.text, 1, true)
        end
    end)
end)
