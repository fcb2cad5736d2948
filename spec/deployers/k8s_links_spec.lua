-- Link faults of `-d k8s`: what is refused, and what the relays in the cluster do.
local k8s = require "spec.support.k8s"
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

describe("link faults of containers and pods", function()
    it("are refused for nodes with one address for all, when a scenario is checked", function()
        local file = nodes.scenario(":topology_with(function(t) t:nodes(2):kind(k) end):enable_node_control{links = true}"
            .. ":with_workload(w):with_expectation(e)", nodes.WORKLOAD .. [[
            function w:start() end
            local e = tfl.expectation "e"
            function e:evaluate() end
            local k = tfl.kind("program", {ports = {"http"}, command = function() return {"true"} end})
        ]])
        for backend, what in pairs { k8s = "pods", compose = "containers" } do
            local result = support.run { "check", file, "-d", backend }
            assert.equal(2, result.code, result.text)
            assert.matches(("link faults: nodes of the kind program: the deployer %s cannot do that (they have one address for all who "
                .. "dial them, and of %s it cannot be told who does)"):format(backend, what), result.text, 1, true)
        end
        assert.equal(0, support.run({ "check", file }).code)
    end)
end)

k8s.describe("-d k8s with link faults", function()
    local namespaces, count = {}, 0

    after_each(function() -- what a failed test has left
        for _, name in ipairs(namespaces) do k8s.run("delete namespace --wait=false --ignore-not-found " .. name) end
        namespaces = {}
    end)

    --- What run and start take, on that cluster, in a namespace of its own that the test knows. Gives its name, too.
    local function on_cluster(spec)
        count = count + 1
        local name = ("links-%s-%d"):format(support.dir():match "[^.]*$":lower(), count)
        namespaces[#namespaces + 1] = name
        local env = { KUBECONFIG = k8s.config, LOGOS_BLOCKCHAIN_TESTNET_IMAGE = k8s.image, K8S_RUNNER_NAMESPACE = name }
        table.move({ "-d", "k8s", "--seed", "7" }, 1, 4, #spec + 1, spec)
        spec.env, spec.timeout = env, spec.timeout or 120
        return spec, name
    end
    --- Is a namespace there that nobody has told to go?
    local function lives(name)
        return k8s.run("get namespace --ignore-not-found -o 'jsonpath={.status.phase}' " .. name) == "Active"
    end
    --- A run of two nodes in whose window a script does this.
    local function script(code)
        return support.write("script.lua", 'tfl.script("links", {nodes = 2, topology = function(t) t:full():slot_duration("200ms") end},'
            .. "function(ctx)\n" .. code .. "\nend)")
    end
    local function exec(name, words) return ("kubectl -n %s exec tfl-relay -- /usr/local/bin/%s"):format(name, words) end

    it("judges a partition as on the host: it heals, or makes two chains for ever", function()
        local function run(twin)
            return support.run((on_cluster { "scenarios/partition_heal.lua", "--json", "-p", "twin=" .. twin, timeout = 150 }))
        end
        local good = run "false"
        assert.equal(0, good.code, good.text)
        assert.matches("healed: [1-9]%d* bytes withheld, [1-9]%d* dials refused", good.text)
        local bad = run "true"
        assert.equal(1, bad.code, bad.text)
        local codes = {}
        for _, one in ipairs(bad.summary.expectations) do codes[one.code] = true end
        assert.is_true(codes.final_conflict, bad.text)
        for _, name in ipairs(namespaces) do assert.is_false(lives(name)) end
    end)

    it("slows links, holds a node that joins while a cut is in force, heals once, and tells when the relays stood still", function()
        local spec, name = on_cluster { script((([[
            local height = function() return ctx:node(0):client():consensus_info().height end
            local function wait_blocks(n) local h = height() + n ctx:eventually(function() return height() >= h end, {within = "60s"}) end
            ctx:wait_for_height(2)
            local slow = ctx:link("all", "all", {latency = "300ms"})
            wait_blocks(5)
            assert(slow:heal().delayed > 0, "nothing was delayed")
            local figures = ctx:figures{window = ctx:window(slow, "during")}
            assert(figures.propagation_ms.p50 >= 250, "propagation " .. tostring(figures.propagation_ms.p50))
            local cut = ctx:partition({0, 1})
            local late = ctx:start_node("Late_One", {peers = {0, 1}})
            ctx:eventually(function() return cut:counts().refused >= 3 end, {within = "30s"})
            assert(late:client():network_info().n_peers == 0, "it has a peer")
            assert(ctx:node(0):client():network_info().n_peers == 1, "others are cut, too")
            -- the answer to the first request is lost, for tfl waits ten seconds for one
            local found = tfl.exec{"sh", "-c", "pgrep -f 'proxy .*--accept-paths=.*'$K8S_RUNNER_NAMESPACE'/'", timeout = "5s"}
            local pid = assert(found.stdout:match "^%d+", found.stderr)
            tfl.exec{"kill", "-STOP", pid}
            ctx:spawn(function()
                ctx:sleep "12s"
                tfl.exec{"kill", "-CONT", pid}
            end)
            local began = os.time()
            assert(cut:heal().refused >= 3)
            assert(os.time() - began >= 9, "it did not wait")
            late:wait_ready{within = "60s"}
            assert(late:client():network_info().n_peers == 2)
            for _, word in ipairs{"STOP", "CONT"} do
                local said = tfl.exec{"sh", "-c", "EXEC " .. word, timeout = "20s"}
                assert(said.ok, said.stderr)
                if word == "STOP" then ctx:sleep "2s" end
            end
            ctx:eventually(function() return ctx:faults()[#ctx:faults()].verb == "stall" end, {within = "20s"})
            late:wait_ready{within = "60s"}
        ]]):gsub("EXEC", exec("$K8S_RUNNER_NAMESPACE", "tfl-node --signal")))) }
        local result = support.run(spec)
        assert.equal(0, result.code, result.text)
        assert.matches("the relays between the nodes (tfl-relay) stood still for ", result.text, 1, true)
        local log = support.read(support.run_folder() .. "/logs/tfl-relay.log")
        assert.matches("fault 1 is in force.*fault 1 is over.*fault 2 is in force.*fault 2 is over.*stood still", log)
        assert.equal(2, select(2, log:gsub("is over", "")))
        assert.is_false(lives(name))
    end)

    it("ends the run as infra when the relay ends by nobody's order, and leaves nothing when tfl is killed", function()
        local function begin()
            local spec, name = on_cluster { script [[
                local slow = ctx:link(0, 1, {latency = "1ms"})
                ctx:log "slowed"
                while true do slow:counts() ctx:sleep "0.1s" end
            ]], "--json" }
            local run = support.start(spec)
            run:wait_output("slowed", 90)
            return run, name
        end
        for _, case in ipairs {
            { "delete pod tfl-relay --wait=false", "its pod was deleted, and not by tfl" },
            { "exec tfl-relay -- /usr/local/bin/tfl-node --signal KILL || true", "its program ended" },
        } do
            local run, name = begin()
            k8s.run("-n " .. name .. " " .. case[1])
            local result = run:wait(60)
            assert.equal(3, result.code, result.text)
            assert.equal("exited", result.summary.error.code)
            assert.matches("tfl-relay, the relays in the links between the nodes: ", result.summary.error.message, 1, true)
            assert.matches(case[2], result.summary.error.message, 1, true)
            assert.is_false(lives(name))
        end
        local run, name = begin()
        local pod = support.json(k8s.run("-n " .. name .. " get pod tfl-relay -o json"))
        local security = pod.spec.containers[1].securityContext
        assert.same({ false, false, true, "ALL", true, 10001 }, { security.privileged, security.allowPrivilegeEscalation,
            security.readOnlyRootFilesystem, security.capabilities.drop[1], pod.spec.securityContext.runAsNonRoot,
            pod.spec.securityContext.runAsUser })
        assert.is_false(pod.spec.automountServiceAccountToken)
        run:signal "KILL"
        run:wait()
        support.eventually(function() return not lives(name) end, 30, "the namespace told to go")
    end)
end)
