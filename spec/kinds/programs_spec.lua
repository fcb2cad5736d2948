-- Programs that nobody here wrote, as nodes: etcd, whose revisions are blocks, and nats-server, which has no chain at all.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local function needs(program)
    local _, code = support.sh("command -v " .. program)
    if code ~= 0 then pending(program .. " is not installed") end
end

describe("etcd", function()
    local function run(twin)
        needs "etcd"
        return support.run {
            "scenarios/custom_kind.lua", "--json", "--quiet", "--seed", "5", "-p", "twin=" .. tostring(twin), timeout = 100,
        }
    end

    it("loses no acknowledged write while its leader is killed and then cut off, and its members have one history", function()
        local result = run(false)
        assert.equal(0, result.code, result.text)
        local linear, safety = nodes.expectation(result, "linear"), nodes.expectation(result, "safety")
        assert.is_true(linear.figures.acknowledged > 20, result.text)
        assert.same({ "pass", "ok" }, { safety.verdict, safety.code })
        assert.is_true(result.summary.blocks.final_height >= linear.figures.acknowledged, result.text)
        local cut
        for _, event in ipairs(nodes.events(result, "^fault_end$")) do
            if event.name:find "^isolate" then cut = event end
        end
        assert.is_true(cut.counts.withheld > 0, "the cut withheld nothing")
        assert.is_true(cut.bit)
        assert.not_matches("at most 0%.0s", nodes.expectation(result, "recovery").message) -- a block of before the cut's end is no recovery
    end)

    it("is a node in five minutes, as the README has it", function()
        needs "etcd"
        local section = support.read(support.root .. "/README.md"):match "\n### Your own node in five minutes\n(.-)\n### "
        local file = support.write("etcd.lua", section:match "\n```lua\n(.-)\n```")
        local result = support.run { file, "--json", "--quiet", "--seed", "6", timeout = 100 }
        assert.equal(0, result.code, result.text)
        assert.equal(200, nodes.expectation(result, "nobody_decides_alone").figures.healthy)
    end)

    it("fails when one member alone is believed", function()
        local result = run(true)
        assert.equal(1, result.code, result.text)
        assert.matches("stale: w%d+ was acknowledged, and node%-%d does not have it", nodes.expectation(result, "writes").message)
    end)
end)

describe("nats-server", function()
    it("routes between three servers, is cut apart and grows together", function()
        needs "nats-server"
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(3):full():kind(nats):slot_duration "2s" end)
            :enable_node_control{links = true}:with_workload(w)]], nodes.WORKLOAD .. [[
        local nats = tfl.kind("nats", {
            ports = {"client", "cluster", "monitor"}, api_port = "monitor", peer_port = "cluster",
            command = {"nats-server", "-c", "nats.conf"},
            files = function(n)
                local routes, own = {}, n.cluster.nodes[n.index + 1]
                for i, peer in ipairs(n.peers) do routes[i] = ('"nats-route://%s:%d"'):format(peer.host, peer.port) end
                return {["nats.conf"] = ([=[
server_name: %s
listen: "%s:%d"
http: "%s:%d"
ping_interval: "500ms"
ping_max: 1
cluster {
  name: spec, listen: "%s:%d", advertise: "%s:%d", no_advertise: true, connect_retries: 1000
  routes: [%s]
}
]=]):format(n.name, n.host, n.ports.client, n.host, n.ports.monitor, n.host, n.ports.cluster, own.host, own.port,
                    table.concat(routes, ", "))}
            end,
            ready = {log = "Server is ready"},
        })
        local function asked(ctx, i, path) return tfl.json.decode(ctx:node(i):client():get(path).body) end
        local function others(ctx, i) -- names of the nodes it has a route with
            local seen, names = {}, {}
            for _, route in ipairs(asked(ctx, i, "/routez").routes or {}) do seen[route.remote_id] = true end
            for index = 0, 2 do
                local ok, about = tfl.try(asked, ctx, index, "/varz")
                if ok and seen[about.server_id] then names[#names + 1] = "node-" .. index end
            end
            return table.concat(names, " ")
        end
        local function eventually(ctx, i, want)
            ctx:eventually(function() return others(ctx, i) == want end, {within = "20s"})
        end
        function w:start(ctx)
            eventually(ctx, 0, "node-1 node-2") eventually(ctx, 1, "node-0 node-2") eventually(ctx, 2, "node-0 node-1")
            local cut = ctx:isolate(1)
            eventually(ctx, 0, "node-2") eventually(ctx, 1, "") eventually(ctx, 2, "node-0")
            local counts = cut:heal()
            assert(counts.withheld > 0, "nothing was withheld")
            eventually(ctx, 0, "node-1 node-2") eventually(ctx, 1, "node-0 node-2")
            ctx:node(2):kill()
            eventually(ctx, 0, "node-1")
            ctx:node(2):start() ctx:node(2):wait_ready()
            eventually(ctx, 2, "node-0 node-1")
            self.done = true
        end
        local e = tfl.expectation "whole"
        function e:evaluate(ctx) if not w.done then ctx:fail "it was not over" end equal("node-0 node-1", others(ctx, 2)) end
        w.expectations = {e}
        ]])
        local result = nodes.run(file, { "--seed", "5", timeout = 90 })
        assert.equal(0, result.code, result.text)
        assert.equal(1, #result.summary.expectations, "without a chain there is no safety to judge")
    end)
end)
