-- scripts/run/run-examples.sh, on a small tree of its own.
local support = require "spec.support"
local trees = require "spec.support.trees"
support.guard()

local quote, tree, run = support.quote, trees.make, trees.run

describe("scripts/run/run-examples.sh", function()
    local function examples(dir, ...)
        support.write(dir .. "/scenarios/liveness.lua", "")
        return run(dir, { program = dir .. "/scripts/run/run-examples.sh", ... })
    end

    it("builds, runs the scenario on the deployer and prints the equal line", function()
        local dir = tree()
        local result = examples(dir, "--run-seconds", "30", "-n", "3", "host")
        assert.equal("[scenarios/liveness.lua][-d][host][-n][3][-t][30s]one\n", result.out, result.text)
        assert.matches("\ntfl scenarios/liveness.lua %-d host %-n 3 %-t 30s\n", result.err)
        assert.equal(7, result.code)
    end)

    it("refuses what it does not know before it installs anything", function()
        local dir = tree()
        for message, words in pairs {
            ["usage:"] = {}, ["podman: host, compose or k8s"] = { "podman" }, ["%-t 1h: a whole number"] = { "-t", "1h", "host" },
            ["%-n: a value"] = { "host", "-n" }, ["no scenarios/livenes.lua"] = { "host", "livenes" },
            ["%-%-bundle none: there is no such file"] = { "--bundle", "none", "host" }, ["%-%-fast: there is no such flag"] = { "--fast" },
        } do
            local result = examples(dir, table.unpack(words))
            assert.equal(2, result.code, result.text)
            assert.matches(message, result.err)
            assert.equal("", result.out)
        end
    end)

    -- On k8s, with stand-ins for kubectl, Docker and the tools of clusters, which write down what they were called with. cluster: the
    -- context, and a line for each machine as kubectl gives it; tools: names of programs that there are.
    local function on_cluster(dir, cluster, tools, env)
        local bin, log = support.dir() .. "/bin", quote(support.path "calls")
        os.execute("rm -rf " .. quote(bin) .. "; rm -f " .. log)
        local function program(path, text)
            support.write(path, "#!/bin/bash\n" .. text .. "\n")
            os.execute("chmod +x " .. quote(path))
        end
        program(bin .. "/kubectl", ([[case "$*" in
*current-context) echo %s ;;
*images*) echo '%s' ;;
*) printf '%s' ;;
esac]]):format(cluster.context, cluster.images or "", cluster.machines))
        program(bin .. "/docker", [[case $1 in version) echo amd64 ;; save) echo "the image $2" ;; esac]])
        for _, name in ipairs(tools) do
            program(bin .. "/" .. name, ('{ echo "%s $*"; [ -t 0 ] || cat; } >>%s'):format(name, log))
        end
        program(dir .. "/scripts/build/build_test_image.sh", 'echo "build $LOGOS_BLOCKCHAIN_TESTNET_IMAGE $*" >>' .. log)
        support.write(dir .. "/scenarios/liveness.lua", "")
        env = env or {}
        env.PATH = bin .. ":/usr/bin:/bin"
        local result = run(dir, { program = dir .. "/scripts/run/run-examples.sh", "--yes", "k8s", env = env })
        return result, support.read(support.path "calls") or ""
    end

    it("gives the image to a cluster by its own tool", function()
        local dir, there = tree(), "n1 containerd://1.6 \n"
        local socket = support.path "c.sock"
        os.execute(("python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' %s"):format(quote(socket)))
        local image = "logos-blockchain-testing:local"
        for _, case in ipairs {
            { { context = "kind-mine", machines = there }, "kind", "kind load docker-image " .. image .. " --name mine\n" },
            { { context = "k3d-two", machines = there .. there }, "k3d", "k3d image import " .. image .. " -c two\n" },
            { { context = "minikube", machines = there }, "minikube", "minikube -p minikube image load " .. image .. "\n" },
            { { context = "other", machines = "n1 docker://20 prof\n" }, "minikube", "minikube -p prof image load " .. image .. "\n" },
            { { context = "plain", machines = there }, "ctr", ("ctr -a %s -n k8s.io images import -\nthe image %s\n"):format(socket, image),
                { CONTAINERD_ADDRESS = socket } },
        } do
            local result, calls = on_cluster(dir, case[1], { case[2] }, case[4])
            assert.equal("build  --yes\n" .. case[3], calls, result.text)
            assert.equal("[scenarios/liveness.lua][-d][k8s]one\n", result.out, result.text)
        end
    end)

    it("leaves alone what a registry or the cluster has, and else says what to push where", function()
        local dir, two = tree(), "n1 containerd://1.6 \nn2 containerd://1.6 \n"
        local result, calls = on_cluster(dir, { context = "far", machines = two }, {}, { LOGOS_BLOCKCHAIN_TESTNET_IMAGE = "r.org/a:1" })
        assert.equal("[scenarios/liveness.lua][-d][k8s]one\n", result.out, result.text)
        assert.matches("r.org/a:1: the machines of the cluster pull it themselves", result.err, 1, true)
        assert.equal("", calls)
        local images = [=[["docker.io/library/logos-blockchain-testing:local"]]=]
        result = on_cluster(dir, { context = "far", machines = two, images = images .. "\n" .. images }, {})
        assert.equal("[scenarios/liveness.lua][-d][k8s]one\n", result.out, result.text)
        for _, case in ipairs {
            { { context = "far", machines = two, images = images },
                "docker push REGISTRY/logos-blockchain-testing:local\nand run this again with LOGOS_BLOCKCHAIN_TESTNET_IMAGE=REGISTRY/" },
            { { context = "kind-mine", machines = two }, "a cluster of kind, and there is no kind on PATH" },
        } do
            result, calls = on_cluster(dir, case[1], {})
            assert.equal(3, result.code, result.text)
            assert.matches(case[2], result.err, 1, true)
            assert.equal("", result.out .. calls)
        end
    end)
end)
