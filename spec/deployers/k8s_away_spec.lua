--- An API server that is away for a while: tfl reaches the cluster by a pipe that the tests break.
local k8s = require "spec.support.k8s"
local support = require "spec.support"

support.guard()

k8s.describe("-d k8s", function()
    after_each(k8s.delete_left)

    --- Starts a scenario through a pipe; gives the run once its window has begun, and what breaks the pipe and mends it.
    local function start(name, ...)
        local free = [[import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])]]
        local port, target = support.sh("python3 -c " .. support.quote(free)), nil
        port = "127.0.0.1:" .. port:match "%d+"
        local spec = k8s.scenario { ("scenarios/%s.lua"):format(name), "-n", "3", ... }
        spec.env.KUBECONFIG = k8s.kubeconfig(function(cluster)
            target = cluster.server:match "^https://([^/]+)"
            cluster.server, cluster["tls-server-name"] = "https://" .. port, target:match "^[^:]+"
        end)
        local way
        local function mend()
            way = support.start { program = "python3", support.root .. "/spec/support/pipe.py", port, target }
            way:wait_output("listens", 10)
        end
        mend()
        local run = support.start(spec)
        run:wait_output(name .. ": run", 90)
        return run, function() way:signal "KILL" way:wait() end, mend
    end
    local function recorded(what, within)
        local events = support.run_folder() .. "/events.jsonl"
        support.eventually(function() return support.read(events):find(what, 1, true) end, within, what)
    end
    local function seconds(n)
        local since = os.time()
        support.eventually(function() return os.time() > since + n end, n + 5, n .. " seconds")
    end

    it("fails no run whose nodes were fine when it is away for ten seconds of it", function()
        local run, cut, mend = start("transactions", "-t", "30s", "--json")
        cut()
        recorded('"cluster_away"', 10)
        seconds(9)
        mend()
        local result = run:wait(90)
        assert.equal(0, result.code, result.text)
        recorded('"cluster_back"', 1)
        assert.equal("", k8s.live())
        cut()
    end)

    it("hides no pod that somebody deletes meanwhile", function()
        local run, cut, mend = start("liveness", "-t", "40s", "--json")
        cut()
        recorded('"cluster_away"', 10)
        local ns = k8s.live()
        local function uid() return k8s.run("-n " .. ns .. " get pod node-1-0 --ignore-not-found -o jsonpath={.metadata.uid}") end
        local was = uid()
        k8s.run("-n " .. ns .. " delete pod node-1-0 --grace-period=0 --force")
        support.eventually(function() return uid() ~= "" and uid() ~= was end, 20, "another pod")
        mend()
        local result = run:wait(90)
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code)
        assert.matches("its pod was deleted, and not by tfl", result.summary.error.message, 1, true)
        cut()
    end)

    it("is waited for when it is away as the window ends", function()
        local run, cut, mend = start("liveness", "-t", "15s", "--json")
        seconds(8)
        cut()
        recorded('"name":"settle"', 30)
        seconds(6)
        mend()
        local result = run:wait(90)
        assert.equal(0, result.code, result.text)
        assert.equal("", k8s.live())
        cut()
    end)

    it("has the namespace deleted once it is back, by tfl, or by the guardian when that is killed", function()
        for _, signal in ipairs { "INT", "KILL" } do
            local run, cut, mend = start("liveness", "-t", "60s")
            cut()
            run:signal(signal)
            if signal == "INT" then run:wait_output("tried again", 30) else run:wait(10) end
            seconds(2)
            assert.not_equal("", k8s.live())
            mend()
            if signal == "INT" then assert.equal(130, run:wait(60).code) end
            support.eventually(function() return k8s.live() == "" end, 30, "the namespace told to go")
            cut()
        end
    end)
end)
