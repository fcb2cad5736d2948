-- Kinds of the user's own: any program as a node, how it is waited for, its chain read by Lua, what cannot be done with it, and what a
-- mistake in a kind comes to.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local HEAD = nodes.WORKLOAD .. ([[
local PROGRAM = %q
local function program(more)
    local spec = {
        ports = {"http"}, command = function(n) return {"python3", PROGRAM, n.host, n.ports.http, n.cluster.genesis_time_ms} end,
    }
    for key, value in pairs(more or {}) do spec[key] = value end
    return spec
end
local e = tfl.expectation "e"
function e:evaluate(ctx)
    for _, node in ipairs(ctx:nodes()) do equal(200, node:client():get("/").status) end
end
]]):format(support.root .. "/spec/support/program.py")

--- A scenario of two nodes of kind k, which `head` makes; `rest` goes on after topology_with.
local function scenario(head, rest, shape)
    return nodes.scenario((":topology_with(function(t) t:nodes(2):full():slot_duration '50ms':kind(k) %s end)"):format(shape or "")
        .. (rest or ":enable_node_control():with_workload(w):with_expectation(e)"), HEAD .. head)
end

-- A window of 60 slots is 30 s then, and ends when the workload does.
local UNHURRIED = ":slot_duration '500ms'"

local function run(head, code, rest, shape)
    local result = nodes.run(scenario(head, rest, shape), { "--seed", "3", env = { TFL_READY_SECONDS = "20" } })
    assert.equal(code or 0, result.code, result.text)
    return result
end

local START = "function w:start(ctx) ctx:node(0):client():get('/') end\n"

describe("a program as a node", function()
    it("is started with its words, files and environment, and controlled", function()
        local result = run([[
        local k = tfl.kind("program", program {
            env = function(n) return {WHO = n.name, ABOVE = n.index + 1} end,
            files = function(n)
                return {["conf/a.yaml"] = tfl.yaml.encode{name = n.name}, ["key"] = n.keys.node_key, b = {content = "b", mode = 420}}
            end,
        })
        local function about(ctx, i) return tfl.json.decode(ctx:node(i):client():get("/about").body) end
        function w:start(ctx)
            local one = about(ctx, 1)
            equal("node-1", one.env.WHO) equal("2", one.env.ABOVE) equal(ctx:descriptors()[2].dir, one.cwd)
            equal("name: node-1\n", io.open(one.cwd .. "/conf/a.yaml"):read "a")
            equal("600\n644\n644\n", tfl.exec{"stat", "-c", "%a", "key", "b", "conf/a.yaml", cwd = one.cwd}.stdout)
            ctx:node(1):restart{args = {"--more"}}
            ctx:node(1):wait_ready()
            equal("--more", about(ctx, 1).argv[#about(ctx, 1).argv])
            ctx:node(0):kill()
            local ok, err = tfl.try(function() return ctx:node(0):client():get("/", {timeout = 1}) end)
            equal(false, ok) equal("connect", err.code)
            ctx:node(0):start() ctx:node(0):wait_ready()
            ctx:node(0):pause() ctx:node(0):resume()
            for _, name in ipairs{"consensus_info", "network_info", "submit_transaction"} do
                local fine, why = tfl.try(function() return ctx:node(0):client()[name](ctx:node(0):client()) end)
                equal(false, fine) equal("unsupported", why.code)
                assert(why.message:find "the kind program has no chain dialect", why.message)
            end
            local fine, why = tfl.try(function() return ctx:block_feed() end)
            equal(false, fine) assert(why.message:find "has no chain dialect, so there are no blocks", why.message)
        end]], nil, nil, UNHURRIED)
        assert.is_nil(result.summary.error and result.summary.error.message)
        assert.equal(1, #result.summary.expectations)
        assert.equal(3, #nodes.events(result, "^fault$"))
    end)

    it("that says nothing to others cannot be cut off from them: nothing was shown", function()
        local result = run([[
        local k = tfl.kind("program", program{ports = {"http", "p2p"}})
        function w:start(ctx) local cut = ctx:isolate(0) ctx:sleep "1.2s" cut:heal() end]], 4,
            ":enable_node_control{links = true}:with_workload(w):with_expectation(e)")
        assert.equal("fault_never_bit", result.summary.error.code)
    end)

    it("fails the run when it ends unasked", function()
        local result = run([[
        local k = tfl.kind("program", program())
        function w:start(ctx)
            tfl.exec{"kill", "-9", tostring(ctx.run.pids["node-1"])}
            ctx:sleep "5s"
        end]], 1, nil, UNHURRIED)
        assert.equal("node_exited", result.summary.error.code)
        assert.equal("node-1", result.summary.error.node)
    end)
end)

describe("readiness", function()
    it("is an HTTP answer, a port, a line of the log, or what a function says", function()
        for _, ready in ipairs {
            [[env = {SHY = 3}, ready = {http = "/", status = 200, body = function(text) return text == "READY" end}]],
            [[env = {LATE = 0.3}, ready = {tcp = "http"}]], [[env = {LATE = 0.3}]],
            [[env = {SAY = "listening (all) at once", LATE = 0.2}, ready = {log = "^listening %(all%)"}]],
            [[env = {SHY = 2}, ready = function(node) return node:get("/").body == "READY" end]],
        } do
            local result = run("local k = tfl.kind('program', program{" .. ready .. "})\n" .. [[
            function w:start(ctx)
                equal(200, ctx:node(1):client():get("/").status)
                ctx:node(1):restart()
            end
            function e:evaluate(ctx) -- it may take longer than the window
                ctx:node(1):wait_ready()
                equal(200, ctx:node(1):client():get("/").status)
            end]])
            assert.is_true(#nodes.events(result, "^node_ready$") >= 3)
        end
    end)

    it("that does not come is told with what was seen last and the end of the log", function()
        for _, case in ipairs { -- seconds: what the program, if it is to say anything, has to start on a busy machine
            { 10, 'ready = {http = "/", status = 204}', "node%-0: not ready within 10s: GET / %(last: status 200, expected 204%)" },
            { 2, "env = {LATE = 30}", "connection to its port http %(last: nobody accepts a connection on 127" },
            { 10, 'env = {SAY = "hello"}, ready = {log = "bye"}', 'a line like "bye".*its log ends: hello' },
            { 2, "ready = function() return false end", "its function `ready` gives nothing" },
            { 20, 'ready = function(node) return node:get("/").nothing.more end', "kind program, ready: .*spec.lua:%d+: attempt to index",
                code = 2 },
        } do
            local seconds, ready, message = table.unpack(case)
            local result = nodes.run(scenario("local k = tfl.kind('program', program{" .. ready .. "})\n" .. START),
                { env = { TFL_READY_SECONDS = tostring(seconds) } })
            assert.equal(case.code or 3, result.code, result.text)
            assert.matches(message, result.summary.error.message)
        end
    end)

    it("cannot come of a program that ends", function()
        local result = run("local k = tfl.kind('program', program{command = {'sh', '-c', 'echo broken >&2; exit 3'}})\n" .. START, 3)
        assert.equal("exited", result.summary.error.code)
        assert.matches("node%-[01] ended by itself %(exit code 3%) before it was ready; its log ends:\nbroken",
            result.summary.error.message)
    end)
end)

local CHAIN = [[
local function rows(node, from)
    local list = {}
    for height, id in node:get("/chain?from=" .. from).body:gmatch "(%d+) (%w+)\n" do list[#list + 1] = {tonumber(height), id} end
    return list
end
local dialect = {
    info = function(node)
        local all = rows(node, 0)
        return {tip = all[#all][2], height = all[#all][1]}
    end,
    blocks = function(node)
        local next, last = 0, nil
        while true do
            for _, row in ipairs(rows(node, next)) do
                node:block{id = row[2], parent = last, slot = SLOTS and row[1] or nil, transactions = {"tx" .. row[2]}}
                next, last = row[1] + 1, row[2]
            end
            if last then node:view{tip = last, lib = last} end
            node:sleep "20ms"
        end
    end,
    submit = function(node, intent) return node.name .. " took " .. intent end,
}
]]

describe("a chain that Lua reads", function()
    it("is followed, judged for safety, and asked through the client", function()
        local result = run(CHAIN .. [[
        local k = tfl.kind("program", program{dialect = dialect})
        function w:start(ctx)
            ctx:wait_for_height(10)
            local feed, info = ctx:block_feed(), ctx:node(0):client():consensus_info()
            local at = ctx:eventually(function() local tip = feed:tip(0) return tip and tip.height >= 10 and tip end)
            equal(64, #at.id) equal(64, #info.tip) equal(1, at.n_transactions)
            equal("node-1 took it", ctx:node(1):client():submit_transaction "it")
            ctx:node(1):restart() ctx:node(1):wait_ready()
            local height = ctx:node(1):client():consensus_info().height
            ctx:eventually(function() return feed:tip(1).height > height end)
        end]], 0, ":enable_node_control():with_workload(w):expect_height_convergence():expect_recovery{within = '20s'}")
        assert.same({ "pass", "ok" }, { nodes.expectation(result, "safety").verdict, nodes.expectation(result, "safety").code })
        assert.is_true(result.summary.blocks.final_height >= 10, "few final blocks")
        assert.is_true(#nodes.events(result, "^block$") >= 10)
    end)

    it("that has two final blocks at one height fails", function()
        local result = run(CHAIN .. [[
        local k = tfl.kind("program", program{dialect = dialect, env = function(n) return {FORK = n.index == 1 and 8 or 0} end})
        function w:start(ctx) ctx:sleep "5s" end]], 1, ":with_workload(w)")
        assert.equal("final_conflict", nodes.expectation(result, "safety").code)
    end)

    it("with slots is judged for liveness, too", function()
        local text = CHAIN .. [[
        local k = tfl.kind("program", program{dialect = {info = dialect.info, blocks = dialect.blocks, slots = true},
            env = function(n) return {STUCK = tfl_stuck} end})
        ]]
        local rest = ":with_run_duration(tfl.slots(60)):expect_consensus_liveness{lag = 40}"
        run("SLOTS, tfl_stuck = true, 100000\n" .. text, 0, rest)
        local result = run("SLOTS, tfl_stuck = true, 20\n" .. text, 1, rest)
        assert.equal("stalled", nodes.expectation(result, "consensus_liveness").code)
    end)

    it("read by a function with a mistake ends the run, naming kind and line", function()
        local info, blocks = "info = dialect.info, ", "blocks = dialect.blocks, "
        for what, message in pairs {
            [blocks .. "info = function() return {tip = 1} end"] = "dialect.info of node%-%d: height: a whole number from 0 was expected",
            [blocks .. "info = function() return nothing.here end"] = "kind program, dialect.info of node%-%d: .*spec.lua:%d+",
            [info .. "blocks = function(node) node:sleep '50ms' error 'oh' end"] = "dialect.blocks of node%-%d: .*spec.lua:%d+: oh",
            [info .. "blocks = function(node) node:block{id = 'b', parent = 'a'} end"] = "ancestors first",
            [info .. "blocks = function(node) node:block{id = 'b', transactions = 'x'} end"] =
                "transactions: a list of hashes was expected, got \"x\"",
            [info .. "blocks = function(node) node:block{id = 'b'} node:view{tip = 'c'} end"] = 'tip: no node:block told of "c"',
            [info .. "slots = true, blocks = function(node) node:block{id = 'b'} node:block{id = 'c', parent = 'b'} end"] =
                'node:block "c": its slot is nil; the dialect says slots = true',
            [info .. "blocks = function(node) node:sleep '50ms' while true do end end"] =
                "kind program, dialect.blocks of node%-%d: the script ran for 5 seconds without waiting",
            [info .. "blocks = function(node) node:block{} end"] = "node:block, id: an id %(a text%) was expected, got nil",
        } do
            local result = run(CHAIN .. "local k = tfl.kind('program', program{dialect = {" .. what .. "}})\n"
                .. "function w:start(ctx) ctx:sleep '5s' end", 2, ":with_workload(w)")
            assert.matches(message, result.summary.error.message)
        end
    end)
end)

describe("a chain told by Lua", function()
    -- Both nodes say the same of their chain: the safety of it is judged.
    local function told(blocks, code, rest)
        return run("local k = tfl.kind('program', program{dialect = {info = function() return {tip = 'g', height = 0} end,"
            .. "blocks = function(node) " .. blocks .. " while true do node:sleep '1s' end end}})\n"
            .. "function w:start(ctx) ctx:sleep '2s' end", code, rest or ":with_workload(w)")
    end

    it("may not lose what was final by a lower LIB on another branch", function()
        local result = told([[
            node:block{id = "g"} node:block{id = "a1", parent = "g"} node:block{id = "a2", parent = "a1"} node:view{tip = "a2", lib = "a2"}
            node:block{id = "b1", parent = "g"} node:block{id = "b2", parent = "b1"} node:block{id = "b3", parent = "b2"}
            node:view{tip = "b3", lib = "g"}]], 1)
        assert.equal("final_undone", nodes.expectation(result, "safety").code)
    end)

    it("keeps the LIB when a view says none, and takes very many blocks at once", function()
        local result = told([[
            node:block{id = "0"}
            for i = 1, 3000 do node:block{id = i, parent = i - 1} end
            node:view{tip = 3000, lib = 2900} node:view{tip = 3000}]], 0)
        assert.equal(2900, result.summary.blocks.final_height)
        assert.equal(3000, result.summary.blocks.observed)
    end)

    it("may not have one block with two contents", function()
        local result = told([[
            node:block{id = "g"}
            node:block{id = "a", parent = "g", transactions = {"x" .. node.index}} node:view{tip = "a", lib = "a"}]], 1)
        assert.equal("broken_link", nodes.expectation(result, "safety").code)
    end)

    it("is converged by its blocks, not by what info says", function()
        local result = told([[
            node:block{id = "g"}
            for i = 1, node.index == 0 and 50 or 1 do node:block{id = "b" .. i, parent = i > 1 and "b" .. i - 1 or "g"} end
            node:view{tip = node.index == 0 and "b50" or "b1"}]], 1, ":with_workload(w):expect_height_convergence()")
        assert.equal("not_converged", nodes.expectation(result, "height_convergence").code)
    end)

    it("tells once what goes wrong with reading it", function()
        local result = told([[node:block{id = "g"} node:view{tip = "g"} error{code = "rejected", message = "HTTP 404"}]], 4)
        local errors = nodes.events(result, "^feed_error$")
        assert.equal(2, #errors)
        assert.equal("HTTP 404", errors[1].message)
    end)
end)

describe("tfl.kind", function()
    it("takes a known dialect with other paths, and a kind of tfl's own with other settings", function()
        local result = run(([[
        local old = tfl.kind("old", {base = "reference", program = %q, args = {"--test", "lead=true"}})
        local k = tfl.kind("polled", {
            dialect = {base = "reference", stream = false, range = false},
            command = function(n) return {%q, "user.yaml", "--deployment", "deployment.yaml"} end,
            files = function(n)
                local c, peers = n.cluster, {}
                for i, peer in ipairs(n.peers) do peers[i] = ("/ip4/%%s/tcp/%%d"):format(peer.host, peer.port) end
                return {
                    ["user.yaml"] = tfl.yaml.encode{
                        network = {backend = {
                            swarm = {host = n.host, port = n.ports.p2p, node_key = n.keys.node_key}, initial_peers = peers,
                        }},
                        cryptarchia = {leader = {key = n.keys.leader_key}}, state = {base_folder = n.dirs.data},
                        api = {backend = {listen_address = n.host .. ":" .. n.ports.http}},
                    },
                    ["deployment.yaml"] = tfl.yaml.encode{
                        chain_id = c.chain_id, time = {slot_duration = "0.050000000"}, cryptarchia = {
                            security_param = c.security_param, slot_activation_coeff = c.active_slot_ratio, nonce = c.nonce,
                            genesis_time_unix_ms = c.genesis_time_ms, stakes = c.stakes,
                        },
                    },
                }
            end,
        })
        function w:start(ctx)
            equal(%q, ctx:descriptors()[3].argv[1])
            ctx:node(0):restart{kind = "old"}
            ctx:node(0):wait_ready()
            equal("--test", ctx:descriptors()[1].argv[5])
        end]]):format(nodes.tfl_node(), nodes.tfl_node(), nodes.tfl_node()), 0,
            ":with_run_duration(tfl.slots(80)):enable_node_control():with_workload(w):expect_consensus_liveness()",
            "t:nodes(3):node(2):kind(old)")
        local plan = support.json(support.read(result.summary.dir .. "/plan.json"))
        assert.same({ "polled", "old" }, { plan.topology.kind, plan.topology.nodes[3].kind })
    end)

    it("refuses what it does not know, with what there is", function()
        for spec, message in pairs {
            ["'k', {comand = {'x'}}"] = 'there is no member "comand"; did you mean "command"?',
            ["'k', {}"] = "command is missing",
            ["'k', {command = 7}"] = "command should be a function or a table, got 7",
            ["'reference', {command = {'x'}}"] = "tfl has a kind of that name",
            ["'a b', {command = {'x'}}"] = "a name of letters",
            ["'k', {command = {'x'}, ports = {'a', 7}}"] = "ports%[2%] should be a name",
            ["'k', {command = {'x'}, ports = {'a'}, api_port = 'b'}"] = 'api_port = "b" is none of its ports %(a%)',
            ["'k', {command = {'x'}, ready = {htp = '/'}}"] = 'there is no "htp"; did you mean "http"?',
            ["'k', {command = {'x'}, ready = {http = '/', tcp = 'http'}}"] = "one of http = .* was expected",
            ["'k', {command = {'x'}, ready = {tcp = 'grpc'}}"] = '"grpc" is none of its ports',
            ["'k', {command = {'x'}, ready = {log = '%'}}"] = 'log = "%%": malformed pattern',
            ["'k', {command = {'x'}, capabilities = {fly = true}}"] = 'there is no verb "fly"',
            ["'k', {command = {'x'}, capabilities = {pause = 7}}"] = "pause should be true, false or why not",
            ["'k', {command = {'x'}, dialect = 'refrence'}"] = 'unknown dialect "refrence"',
            ["'k', {command = {'x'}, dialect = {base = 'reference', inf = '/x'}}"] = 'there is no question "inf"; there are info, network',
            ["'k', {command = {'x'}, dialect = {base = 'reference', info = 'x'}}"] = '"x" is no path',
            ["'k', {command = {'x'}, dialect = {info = print}}"] = "info%(node%) and blocks%(node%) were expected",
            ["'k', {command = {'x'}, ports = {'p2p'}, dialect = 'reference'}"] = "no port to ask at",
            ["'k', {command = {'x'}, stop_signal = 'FOO'}"] = 'stop_signal = "FOO": there is no such signal',
            ["'k', {command = {'x'}, ports = {'a', 'a'}}"] = 'ports has "a" twice',
            ["'k', {base = 'refrence'}"] = 'there is no such kind of tfl; did you mean "reference"?',
            ["'k', {base = 'reference', command = {'x'}}"] = 'there is no member "command"',
        } do
            local file = support.write("kind.lua", "tfl.kind(" .. spec .. ")\ntfl.scenario('x'):expect_consensus_liveness():build()\n")
            local result = support.run { "check", file }
            assert.equal(2, result.code, spec .. "\n" .. result.text)
            assert.matches(message, result.text)
            assert.matches("kind.lua:1", result.text)
        end
    end)

    it("has a plan refused that needs what the kind does not have", function()
        local chain = "local k = tfl.kind('program', program{capabilities = {pause = false, link = 'it speaks by pigeon'}})\n"
        for rest, message in pairs {
            [":expect_consensus_liveness()"] = "expect_consensus_liveness: the kind program has no chain dialect",
            [":transactions_with(function(x) x:rate(1) end)"] = "transactions_with: the kind program has no chain dialect",
            [":expect_height_convergence()"] = "expect_height_convergence: the kind program has no chain dialect",
            [""] = "nothing judges it",
            [":enable_node_control{links = true}:with_expectation(e)"] =
                "link faults: not with the kind program: it speaks by pigeon",
            [":enable_node_control():with_expectation(e):chaos_with(function(c) c:pause():apply() end)"] =
                "chaos_with: pause needs the verb pause: not with the kind program",
        } do
            local result = support.run { "check", scenario(chain, rest) }
            assert.equal(2, result.code, result.text)
            assert.matches(message, result.text)
        end
        local result = run(chain .. [[
        function w:start(ctx)
            local ok, err = tfl.try(ctx.node(ctx, 0).pause, ctx:node(0))
            equal(false, ok) assert(err.message:find "pause: not with the kind program, which cannot do that", err.message)
        end]])
        assert.equal("pass", result.summary.verdict)
    end)

    it("with a mistake in a function starts nothing that stays", function()
        for what, message in pairs {
            ["command = function(n) if n.index == 1 then error 'no second' end return {'sleep', '60'} end"] =
                "kind program, command of node%-1: .*no second",
            ["command = function(n) return n.index == 1 and {} or {'sleep', '60'} end"] = "kind program, command: a list of words",
            ["command = {'sleep', '60'}, files = function(n) return {a = n.index == 1 and 7 or 'b'} end"] =
                "kind program, files, \"a\": text",
            ["command = {'sleep', '60'}, files = function(n) return {a = {content = n.keys.node_key, mode = 420}} end"] =
                "mode 644 lets others read it",
            ["command = {'sleep', '60'}, env = function(n) return {A = {}} end"] = "kind program, env: NAME = text",
        } do
            local result = run("local k = tfl.kind('program', {ports = {}, " .. what .. "})\n" .. START, 2)
            assert.matches(message, result.summary.error.message)
            assert.equal(2, result.summary.exit_code)
        end
        local long = run([[local k = tfl.kind("program", {ports = {}, command = function() while true do end end})
            ]] .. START, 2)
        assert.matches("kind program, command of node%-%d: the script ran for 5 seconds without waiting", long.summary.error.message)
        local result = run("local k = tfl.kind('program', {ports = {}, command = {'no-such-program'}})\n" .. START, 3)
        assert.equal("spawn", result.summary.error.code)
        assert.matches("no%-such%-program", result.summary.error.message)
    end)
end)
