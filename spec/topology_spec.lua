-- The builder of topologies and its plans, through the built tfl: shapes, defaults, precedence, refusals with their remedy; and
-- the files that the kind `reference` makes of a plan.
package.path = "lua/?.lua;" .. package.path
local inside = require "spec.topology.inside"
local support = require "spec.support"

support.guard()

--- Plans made inside one tfl: each case is {calls on t as Lua text, options as Lua text, env as Lua text}.
local function plans(cases)
    return inside([[
        local topology = require "tfl.topology"
        local results = {}
        for i, case in ipairs((...)) do
            local t = topology.new()
            local options = load("return " .. (case.options or "{}"))()
            local env = load("return " .. (case.env or "{}"))()
            options.seed = options.seed or 42
            options.window = options.window or "30s"
            options.getenv = function(name) return env[name] end
            local ok, plan = pcall(function()
                load("local t = ... " .. case.calls)(t)
                return topology.plan(t, options)
            end)
            if ok then
                results[i] = plan:data()
                results[i].edges, results[i].describe = plan:edges(), plan:describe()
                results[i].ratio, results[i].interval = plan:active_slot_ratio(), plan:block_interval()
            else
                results[i] = type(plan) == "table" and { error = plan.message, code = plan.code } or { error = plan }
            end
        end
        return results
    ]])(cases)
end

local function plan(calls, options, env)
    return plans({ { calls = calls, options = options, env = env } })[1]
end

describe("a plan", function()
    it("has the defaults", function()
        local p = plan("t:nodes(3):network_star()")
        assert.equal("3 nodes, star", p.describe)
        assert.same({ 200, 0.5, 150, 0, 2 },
            { p.slot_duration_ms, p.active_slot_coeff, p.window_slots, p.delta, p.diameter })
        assert.same({ { 1, 0 }, { 2, 0 } }, p.edges)
        assert.equal(11, p.security_param) -- ⌈ln(1e-6 / 150) / ln 0.1716⌉
        assert.equal("reference", p.kind)
        assert.equal(0.4, p.interval)
    end)

    it("has every shape", function()
        local results = plans({
            { calls = "t:nodes(4):chain()" }, { calls = "t:nodes(4):ring()" }, { calls = "t:nodes(4):full()" },
            { calls = "t:nodes(8):k_regular(3)" },
            { calls = "t:nodes(4):layout(function(n) return {{0, n - 1}, {3, 2}, {1, 2}, {2, 1}} end)" },
            { calls = "t:nodes(1)" },
        })
        assert.same({ { 1, 0 }, { 2, 1 }, { 3, 2 } }, results[1].edges)
        assert.same({ { 1, 0 }, { 2, 1 }, { 3, 0 }, { 3, 2 } }, results[2].edges)
        assert.equal(6, #results[3].edges)
        assert.equal(12, #results[4].edges)
        assert.equal("8 nodes, k_regular(3)", results[4].describe)
        for _, node in ipairs(results[4].nodes) do
            assert.equal(3, node.degree)
        end
        assert.same({ { 2, 1 }, { 3, 0 }, { 3, 2 } }, results[5].edges)
        assert.equal("1 node, star", results[6].describe)
    end)

    it("follows from its seed", function()
        local calls = "t:nodes(12):k_regular(4)"
        local results = plans({ { calls = calls }, { calls = calls }, { calls = calls, options = "{seed = 43}" } })
        assert.same(results[1], results[2])
        assert.not_same(results[1].edges, results[3].edges)
        assert.not_equal(results[1].nonce, results[3].nonce)
        assert.not_equal(results[1].nodes[1].peer_id, results[3].nodes[1].peer_id)
    end)

    it("keeps a node's keys when others join", function()
        local small, large = plan("t:nodes(2)"), plan("t:nodes(9):full()")
        assert.equal(small.nodes[2].leader_pub, large.nodes[2].leader_pub)
        assert.equal(small.nonce, large.nonce)
    end)

    it("takes flags before the environment, and that before the script", function()
        local env = '{CONSENSUS_SLOT_TIME = "1", CONSENSUS_ACTIVE_SLOT_COEFF = "0.9"}'
        local calls = 't:nodes(2):slot_duration("100ms"):active_slot_coeff(0.25)'
        local results = plans({
            { calls = calls }, { calls = calls, env = env },
            { calls = calls, env = env, options = '{slot_duration = "400ms", active_slot_coeff = 0.1, nodes = 5}' },
            { calls = "t:nodes(2)", env = '{CONSENSUS_SLOT_TIME = "350ms"}' },
            { calls = "t:nodes(2)", env = '{CONSENSUS_SLOT_TIME = ""}' },
        })
        assert.same({ 100, 0.25 }, { results[1].slot_duration_ms, results[1].active_slot_coeff })
        assert.same({ 1000, 0.9 }, { results[2].slot_duration_ms, results[2].active_slot_coeff })
        assert.same({ 400, 0.1, 5 }, { results[3].slot_duration_ms, results[3].active_slot_coeff, #results[3].nodes })
        assert.equal(350, results[4].slot_duration_ms)
        assert.equal(200, results[5].slot_duration_ms)
    end)

    it("derives Δ from the diameter and k from f, Δ and the window", function()
        local results = plans({
            { calls = "t:nodes(100):chain()" }, { calls = "t:nodes(3):active_slot_coeff(0.9)", options = '{window = "200s"}' },
            { calls = "t:nodes(3)", options = '{hop_ms = 300}' },
        })
        assert.equal(4, results[1].delta) -- 99 hops of 10 ms need 4 slots after the first
        assert.equal(32, results[2].security_param)
        assert.equal(2, results[3].delta)
        assert.is_true(results[1].security_param > 11)
    end)

    it("gives f as a ratio that nodes accept, and keeps what they will use", function()
        local results = plans({
            { calls = "t:active_slot_coeff(1/3)" }, { calls = "t:active_slot_coeff(0.05)" },
            { calls = "t:active_slot_coeff(1)" }, { calls = "t:active_slot_coeff(0.123456789)" },
            { calls = "t:active_slot_coeff(math.pi / 4)" },
        })
        assert.same({ numerator = 1, denominator = 3 }, results[1].ratio)
        assert.same({ numerator = 1, denominator = 20 }, results[2].ratio)
        assert.same({ numerator = 1, denominator = 1 }, results[3].ratio)
        assert.same({ numerator = 123456789, denominator = 1000000000 }, results[4].ratio)
        assert.near(math.pi / 4, results[5].active_slot_coeff, 1e-11)
        assert.is_true(results[5].ratio.denominator <= 1000000000)
    end)

    it("bears an unsafe k only when told to", function()
        local results = plans({
            { calls = "t:nodes(3):security_param(5)" }, { calls = "t:nodes(3):security_param(5, {unsafe_k = true})" },
            { calls = "t:nodes(3):security_param(5); t.unsafe_k = true" }, { calls = "t:nodes(3):security_param(50)" },
            { calls = "t:nodes(3)", options = "{defaults = {security_param = 5}}" },
        })
        assert.matches("the cluster's k = 5 is unsafe.* run for a shorter time %(%-t%).*t:security_param%(11%)", results[5].error)
        assert.matches("security_param%(5%) is unsafe.* use 11 or more.*unsafe_k = true", results[1].error)
        assert.same({ 5, 11 }, { results[2].security_param, results[2].safe_security_param })
        assert.equal(5, results[3].security_param)
        assert.equal(50, results[4].security_param)
    end)

    it("holds no secret in the data that is written", function()
        local p = plan("t:nodes(3)")
        assert.is_nil(p.nodes[1].node_key)
        assert.is_nil(p.nodes[1].leader_key)
    end)
end)

describe("a wish that cannot be", function()
    it("is refused with the remedy", function()
        local cases = {
            { "t:nodes(0)", "needs at least 1: t:nodes%(3%) in the scenario, or %-n 3" },
            { "t:nodes(3)", "cluster of 0 nodes", options = "{nodes = 0}" },
            { "t:nodes(-2)", "cluster of %-2 nodes" },
            { "t:nodes(5000)", "the most is 2048" },
            { "t:nodes(2.5)", "nodes%(2.5%): expected a whole number" },
            { 't:nodes("3")', 'nodes%("3"%): expected a whole number' },
            { "t:nodes(4):k_regular(4)", "lower k to 3 or add nodes" },
            { "t:nodes(5):k_regular(3)", "must be even; use k = 4 or 6 nodes" },
            { "t:nodes(4):layout(function() return {{0, 1}, {2, 3}} end)", "4 nodes are not connected by its 2 edges" },
            { "t:nodes(3):layout(function() return {{0, 1}, {1, 3}} end)", "edge 2 .* nodes 1 and 3; the plan has nodes 0 to 2" },
            { "t:nodes(3):layout(function() return {{0, 0}} end)", "joins node 0 with itself" },
            { "t:nodes(3):layout(function() return {{0}} end)", "edge 1 .* its part 2 is nil" },
            { "t:nodes(3):layout(function() return 7 end)", "the function returned 7" },
            { "t:layout(7)", "layout%(7%): expected a function" },
            { 't:slot_duration("49ms")', "slots of 49ms; they must be from 50ms" },
            { "t:slot_duration(0.0505)", "whole milliseconds" },
            { 't:slot_duration("2h")', "from 50ms to 1h" },
            { "t:slot_duration({ slots = 3 })", "no plan is known yet" },
            { "t:active_slot_coeff(0)", "above 0 and at most 1" },
            { "t:active_slot_coeff(1.5)", "above 0 and at most 1" },
            { "t:active_slot_coeff(0/0)", "expected a number above 0" },
            { "t:nodes(2):active_slot_coeff(1)", "active_slot_coeff%(1%) with 2 stakers" },
            { "t:security_param(0)", "expected 1 or more" },
            { "t:nodes(3)", 'CONSENSUS_SLOT_TIME: "fast" is no duration', env = '{CONSENSUS_SLOT_TIME = "fast"}' },
            { "t:nodes(3)", "CONSENSUS_SLOT_TIME: slots of 1ms", env = '{CONSENSUS_SLOT_TIME = "1ms"}' },
            { "t:nodes(3)", "CONSENSUS_ACTIVE_SLOT_COEFF=\"x\"", env = '{CONSENSUS_ACTIVE_SLOT_COEFF = "x"}' },
            { "t:nodes(3)", "CONSENSUS_ACTIVE_SLOT_COEFF: 2 is no chance", env = '{CONSENSUS_ACTIVE_SLOT_COEFF = "2"}' },
            { "t:nodes(3):netwrk_star()", 'no method "netwrk_star"; did you mean "network_star"?' },
            { 't:kind("refrence")', 'no kind "refrence"; did you mean "reference"?' },
            { 't:nodes(2):node(2):kind("reference")', "node%(2%): the cluster has the nodes 0 to 1" },
            { "t:node(3)", "node%(3%): nothing is said of that node; .*t:nodes%(3%) makes so many nodes" },
            { "t:node(0):kind(7)", "kind%(7%): expected the name of a kind" },
            { "t.slots = 3", 'no field "slots"' },
        }
        local asked = {}
        for i, c in ipairs(cases) do
            asked[i] = { calls = c[1], options = c.options, env = c.env }
        end
        for i, result in ipairs(plans(asked)) do
            assert.is_string(result.error, cases[i][1] .. " was not refused")
            assert.matches(cases[i][2], result.error)
            assert.is_true(result.code == "usage" or result.code == "bad_config" or result.code == nil)
        end
    end)
end)

describe("the reference kind", function()
    local spec = inside([[
        local topology, reference = require "tfl.topology", require "tfl.kinds.reference"
        local plan = topology.plan(topology.new():nodes(3):slot_duration("1500ms"):active_slot_coeff(0.2), {
            seed = 42, window = "600s", getenv = function() end,
        })
        local stakes = {}
        for i, node in ipairs(plan:nodes()) do
            stakes[i] = { key = node.leader_pub, stake = node.stake }
        end
        local node = plan:nodes()[2]
        local made = reference.spec({
            index = 1, name = "node-1", degree = node.degree, dirs = { data = "/tmp/x/data" },
            ports = { http = 20001, p2p = 20002 }, peers = { { port = 20000 }, { host = "node-2", port = 3000 } },
            keys = { node_key = node.node_key, leader_key = node.leader_key }, settings = { program = "/opt/tfl-node" },
        }, {
            chain_id = "demo-42", genesis_time_ms = 1700000000123, nonce = plan:nonce(), slot_ms = plan:slot_ms(),
            security_param = plan:security_param(), active_slot_ratio = plan:active_slot_ratio(), stakes = stakes,
        })
        made.key, made.leader, made.nonce = node.node_key, node.leader_key, plan:nonce()
        local duration = require("tfl.kinds.files").duration
        made.durations = { duration(50), duration(200), duration(3600000) }
        return made
    ]])

    it("launches tfl-node with the two files", function()
        local s = spec()
        assert.same({ "/opt/tfl-node", "user.yaml", "--deployment", "deployment.yaml" }, s.argv)
        assert.same({ "reference", "TERM", 1 }, { s.dialect, s.stop_signal, s.ready.peers })
        assert.equal(tonumber("600", 8), s.files["user.yaml"].mode)
        assert.same({ "0.050000000", "0.200000000", "3600.000000000" }, s.durations)
    end)

    it("writes them as the node reads them", function()
        local s = spec()
        assert.equal(([[
network:
  backend:
    swarm:
      host: 127.0.0.1
      port: 20002
      node_key: '%s'
    initial_peers:
    - /ip4/127.0.0.1/tcp/20000
    - /dns4/node-2/tcp/3000
cryptarchia:
  leader:
    key: %s
api:
  backend:
    listen_address: 127.0.0.1:20001
state:
  base_folder: /tmp/x/data
tracing:
  level: INFO
  logger: !Stdout
]]):format(s.key, s.leader), (s.files["user.yaml"].content:gsub("Stdout *\n+$", "Stdout\n")))
        local deployment = s.files["deployment.yaml"].content
        assert.matches("^chain_id: demo%-42\ncryptarchia:\n  security_param: %d+\n  slot_activation_coeff:\n    numerator: 1\n"
            .. "    denominator: 5\n  nonce: '" .. s.nonce .. "'\n  genesis_time_unix_ms: 1700000000123\n  stakes:\n", deployment)
        assert.matches("time:\n  slot_duration: '1.500000000'\n$", deployment)
        assert.equal(3, select(2, deployment:gsub("    stake: 100000\n", "")))
    end)

    it("writes files that the node itself accepts", function()
        local s = spec()
        for name, file in pairs(s.files) do
            support.write(name, file.content)
        end
        local node = support.tfl:match("^(.*/)[^/]*$") .. "tfl-node"
        local function check()
            local command = "cd %s && if %s user.yaml --deployment deployment.yaml --check-config; then echo ACCEPTED; fi"
            return (support.sh(command:format(support.quote(support.dir()), support.quote(node))))
        end
        assert.matches("ACCEPTED", check())
        support.write("user.yaml", (s.files["user.yaml"].content:gsub("port: 20002", "prot: 20002")))
        assert.not_matches("ACCEPTED", check())
    end)
end)
