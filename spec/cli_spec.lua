-- The command line as a contract: words, exit codes, what is refused and with which remedy.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local UNHURRIED = { CONSENSUS_SLOT_TIME = "200ms" } -- a machine may stand still for seconds

local function body(topology, rest)
    return (":topology_with(function(t) %s end)%s:expect_consensus_liveness()"):format(topology, rest or "")
end

describe("tfl check", function()
    it("TFL_PORTS narrows the ports of nodes; nonsense is refused", function()
        local result = support.run { "check", "scenarios/liveness.lua", env = { TFL_PORTS = "20000" } }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find("TFL_PORTS=20000: a range", 1, true), result.text)
        local doctor = support.run { "doctor", env = { TFL_PORTS = "31008-31103" } }
        assert.truthy(doctor.out:find "free from 31%d%d%d", doctor.text)
    end)

    it("prints the plan and starts nothing", function()
        local result = support.run { "check", "scenarios/liveness.lua", "-n", "5", "--seed", "9" }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find "5 nodes, star", result.out)
        assert.truthy(result.out:find "30 blocks expected, ≥ %d+ required", result.out)
        assert.truthy(result.out:find "seed +9", result.out)
        assert.is_nil(support.run_folder())
    end)

    it("accepts every scenario that comes with tfl", function()
        for name in io.popen("ls " .. support.quote(support.root .. "/scenarios")):lines() do
            local env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://127.0.0.1:9090" }
            local result = support.run { "check", "scenarios/" .. name, env = env }
            assert.equal(0, result.code, name .. "\n" .. result.text)
        end
    end)

    local refused = {
        { "0 nodes", body "t:nodes(0)", "at least 1" },
        { "a degree as large as the cluster", body "t:nodes(4):k_regular(4)", "k_regular" },
        { "a window too short to fail", body("t:nodes(3)", ":with_run_duration('5s')"), "needs %d+ slots, so run for [%d.]+s" },
        { "an unsafe k", body "t:nodes(3):security_param(2)", "use %d+ or more" },
        { "f = 1 with several stakers", body "t:nodes(3):active_slot_coeff(1)", "0.9 or less" },
        { "f out of range", body "t:nodes(3):active_slot_coeff(1.5)", "above 0 and at most 1" },
        { "slots that are too short", body "t:nodes(3):slot_duration('10ms')", "50ms" },
        { "an unknown kind", body "t:nodes(3):kind('referenc')", 'did you mean "reference"' },
        { "a layout that is not connected", body "t:nodes(4):layout(function() return {{0, 1}, {2, 3}} end)", "not connected" },
        { "two expectations of one name", body("t:nodes(3)", ":expect_consensus_liveness()"), "two expectations" },
    }
    for _, case in ipairs(refused) do
        it("refuses " .. case[1] .. ", with the remedy", function()
            for _, command in ipairs { "check", "run" } do
                local result = support.run { command, nodes.scenario(case[2]) }
                assert.equal(2, result.code, result.text)
                assert.truthy(result.err:find(case[3]), result.text)
                assert.is_nil(support.run_folder())
            end
        end)
    end
end)

describe("the environment", function()
    it("wins over the script, and flags over it", function()
        local function plan(env, ...)
            local result = support.run { "check", "scenarios/liveness.lua", env = env, ... }
            assert.equal(0, result.code, result.text)
            return result.out
        end
        assert.truthy(plan({ CONSENSUS_SLOT_TIME = "0.5" }):find "slots of 500ms")
        assert.truthy(plan({ CONSENSUS_SLOT_TIME = "100ms" }):find "slots of 100ms")
        assert.truthy(plan({ CONSENSUS_ACTIVE_SLOT_COEFF = "0.9" }):find "f = 0.9")
        assert.truthy(plan({ LOGOS_BLOCKCHAIN_DEMO_NODES = "6" }):find "6 nodes")
        assert.truthy(plan({ LOGOS_BLOCKCHAIN_DEMO_NODES = "6" }, "-n", "4"):find "4 nodes")
        assert.truthy(plan({ LOGOS_BLOCKCHAIN_DEMO_NODES = "6" }, "-p", "nodes=4"):find "4 nodes")
        assert.truthy(plan({ LOGOS_BLOCKCHAIN_DEMO_RUN_SECS = "40" }):find "200 slots %(40s%)")
        assert.truthy(plan({ LOGOS_BLOCKCHAIN_DEMO_RUN_SECS = "40" }, "-t", "20s"):find "100 slots %(20s%)")
        local slow, quick = plan { SLOW_TEST_ENV = "true" }, plan {}
        assert.is_true(tonumber(slow:match "about ([%d.]+)s") > tonumber(quick:match "about ([%d.]+)s"))
    end)

    it("is refused by name when it makes no sense", function()
        for name, value in pairs {
            CONSENSUS_SLOT_TIME = "soon", CONSENSUS_ACTIVE_SLOT_COEFF = "half", LOGOS_BLOCKCHAIN_DEMO_NODES = "few",
            LOGOS_BLOCKCHAIN_DEMO_RUN_SECS = "-1", SLOW_TEST_ENV = "maybe", TFL_LOG = "loud", TFL_READY_SECONDS = "0",
        } do
            local result = support.run { "check", "scenarios/liveness.lua", env = { [name] = value } }
            assert.equal(2, result.code, name .. "\n" .. result.text)
            assert.truthy(result.err:find(name, 1, true), result.text)
        end
        for _, name in ipairs { "LOGOS_BLOCKCHAIN_DEMO_NODES", "LOGOS_BLOCKCHAIN_DEMO_RUN_SECS" } do
            local result = support.run { "check", "scenarios/liveness.lua", env = { [name] = "0" } }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(name .. "=0: a ", 1, true), result.text)
        end
    end)

    it("gives tfl's own log at the level asked for, and none into the nodes'", function()
        local result = support.run { nodes.quick(1), env = { TFL_LOG = "debug" } }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.err:find "tfl debug", result.err)
        result = support.run { nodes.quick(1) }
        assert.is_nil(result.err:find "tfl debug")
    end)
end)

describe("flags", function()
    it("are refused by name when they make no sense", function()
        for _, words in ipairs {
            { "-n", "x" }, { "-t", "ten" }, { "--seed", "x" }, { "-p", "novalue" }, { "-d", "compos" },
            { "-d", "moon" }, { "--inconclusive", "maybe" }, { "--nonsense" },
        } do
            local result = support.run { "scenarios/liveness.lua", table.unpack(words) }
            assert.equal(2, result.code, words[1] .. "\n" .. result.text)
            assert.truthy(result.err:find(words[1], 1, true), result.text)
        end
    end)

    it("of a misspelt command suggest the near one", function()
        local result = support.run { "chek" }
        assert.equal(2, result.code)
        assert.truthy(result.err:find 'did you mean "check"', result.text)
    end)

    it("name a file that is not there", function()
        local result = support.run { "scenarios/nothing.lua" }
        assert.equal(2, result.code)
        assert.truthy(result.err:find("scenarios/nothing.lua", 1, true), result.text)
        assert.equal(2, support.run({ "scenarios" }).code)
    end)

    it("-p reaches the script, is checked and suggested", function()
        local file = nodes.scenario(":topology_with(function(t) t:nodes(p.many) end)",
            'local p = tfl.params{many = 2, kind = {"a", choices = {"a", "b"}}}')
        assert.truthy(support.run({ "check", file, "-p", "many=5" }).out:find "5 nodes")
        for _, case in ipairs { { "many=x", "number" }, { "mny=3", 'did you mean "many"' }, { "kind=c", "a, b" } } do
            local result = support.run { "check", file, "-p", case[1] }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(case[2]), result.text)
        end
    end)
end)

describe("a run", function()
    it("ends stdout with the summary in one line, and has every field of the contract", function()
        local result = support.run { nodes.liveness(2, 60), "--json", "--junit", support.path "out.xml", "--seed", "3",
            env = UNHURRIED }
        assert.equal(0, result.code, result.text)
        local s = result.summary
        for _, field in ipairs {
            "verdict", "exit_code", "scenario", "deployer", "seed", "nodes", "run_id", "started_at", "phases", "blocks",
            "propagation_ms", "expectations", "nodes_detail", "host", "again",
        } do
            assert.is_not_nil(s[field], field .. " is missing\n" .. result.out)
        end
        for _, field in ipairs {
            "expected", "required", "canonical", "observed", "canonical_height", "final_height", "forks", "max_reorg_depth",
        } do
            assert.is_number(s.blocks[field], field)
        end
        assert.truthy(result.out:find '"error":null', result.out)
        for _, node in ipairs(s.nodes_detail) do
            assert.is_number(node.height)
            assert.is_number(node.pid)
            assert.truthy(support.read(node.log), node.log)
        end
        local file = support.read(s.dir .. "/summary.json")
        assert.truthy(file and file:find '"verdict"', "summary.json is in the run folder")
        local xml = support.read(support.path "out.xml")
        assert.truthy(xml:find('<testcase classname="spec" name="consensus_liveness"', 1, true), xml)
        local names = {}
        for i, phase in ipairs(s.phases) do names[i] = phase.name end
        assert.same({ "deploy", "ready", "genesis", "capture", "run", "cooldown", "settle", "evaluate", "teardown" }, names)
    end)

    it("prints a command that runs it again with the same seed", function()
        local result = support.run { nodes.liveness(2, 60), "--json", "--quiet", "--seed", "12" }
        local again = result.summary.again
        assert.truthy(again:find "%-%-seed 12" and again:find "%-n 2" and again:find "%-t 3s", again)
    end)

    it("draws a live line on a terminal and the summary after it", function()
        local result = support.run { nodes.liveness(2, 60), tty = true, env = UNHURRIED }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find "\r.-run %d", result.text)
        assert.truthy(result.out:find "PASS", result.text)
    end)

    it("keeps what --out names and refuses one that is in use", function()
        local out = support.path "evidence"
        assert.equal(0, support.run({ nodes.quick(1), "--out", out }).code)
        assert.truthy(support.read(out .. "/summary.json"))
        support.write("full/something", "precious")
        local result = support.run { nodes.liveness(1, 60), "--out", support.path "full" }
        assert.equal(2, result.code, result.text)
        assert.equal("precious", support.read(support.path "full/something"))
    end)

    it("is not begun when any of its files or places is wrong", function()
        local good, file = nodes.liveness(1, 60), support.write("file", "")
        support.write("folder/x", "")
        for _, case in ipairs {
            { { good, "scenarios/nothing.lua" }, "nothing.lua" }, { { good, good, "--out", support.path "x" }, "these are 2" },
            { { good, "--junit", "/nowhere/out.xml" }, "no folder /nowhere; make it" },
            { { good, "--junit", support.path "folder" }, "folder cannot be written: it is a folder" },
            { { good, "--junit", file .. "/x.xml" }, "x.xml: Not a directory; name a file" }, { { good, "--junit", "" }, "no name" },
            { { good, "--report", "/nowhere/x.html" }, "no folder /nowhere; make it" },
            { { good, "--out", file }, "not a folder; name a folder" }, { { good, "--out", "/proc/x" }, "/proc/x.*name a folder" },
            { { "matrix", good, "--markdown", "/nowhere/x.md" }, "no folder /nowhere; make it" },
            { { "matrix", good, "--out", "/proc/x" }, "/proc/x.*name a folder" },
        } do
            local words = case[1]
            local result = support.run(words)
            assert.equal(2, result.code, table.concat(words, " ") .. "\n" .. result.text)
            assert.truthy(result.err:find(case[2]), table.concat(words, " ") .. "\n" .. result.text)
            assert.is_nil(support.run_folder())
        end
    end)

    it("whose JUnit report cannot be written at its end tells so, beside its summary", function()
        support.write("there/x", "")
        local file = nodes.scenario([[:with_workload(tfl.workload("w", {start = function(_, ctx)
            ctx:node(0):client():consensus_info()
            tfl.exec{"rm", "-r", "]] .. support.path "there" .. [["}
        end}))]])
        local result = support.run { file, "--junit", support.path "there/x.xml", "--json" }
        assert.equal(3, result.code, result.text)
        assert.truthy(result.err:find "cannot write .*there/x.xml", result.text)
        assert.equal("pass", result.summary.verdict)
    end)

    it("that is interrupted after another one has failed safety is a fail, as one that fails it itself", function()
        local bad = support.write("bad.lua", [[
            local top = function(t) t:slot_duration "50ms":security_param(3, {unsafe_k = true}) end
            tfl.script("bad", {nodes = 2, start = "none", topology = top}, function(ctx)
                for i = 0, 1 do ctx:start_node("node-" .. i, {peers = "none"}) end
                ctx:sleep "60s"
            end)]])
        local handle = support.start { bad, nodes.liveness(1, 4000) }
        handle:wait_output("s spec: run\n", 60)
        handle:signal "INT"
        local result = handle:wait(20)
        assert.equal(1, result.code, result.text)
        assert.truthy(result.out:find "INTERRUPTED  spec", result.text)
    end)

    it("says so when the summary cannot be written", function()
        local command = "{ %s %s -q; echo code $? >&2; } | true"
        local result = support.run { "-c", command:format(support.quote(support.tfl), nodes.liveness(1, 60)), program = "/bin/sh" }
        assert.truthy(result.err:find "code 3", result.text)
        assert.truthy(result.err:find "could not be written", result.text)
    end)

    it("requires modules beside the scenario", function()
        support.write("beside.lua", "return {n = 2}")
        local file = nodes.scenario(":topology_with(function(t) t:nodes(require('beside').n) end)")
        assert.truthy(support.run({ "check", file }).out:find "2 nodes")
    end)
end)

describe("the other commands", function()
    it("answer", function()
        assert.truthy(support.run({ "version" }).out:find "^tfl %d+%.%d+%.%d+\n$")
        for _, topic in ipairs { "env", "exit", "scenario" } do assert.equal(0, support.run({ "help", topic }).code) end
        assert.truthy(support.run({ "help" }).out:find "doctor")
        assert.truthy(support.run({}).out:find "doctor")
        local doctor = support.run { "doctor" }
        assert.equal(0, doctor.code, doctor.text)
        assert.truthy(doctor.out:find "✓ tfl%-node", doctor.out)
        local broken = support.run { "doctor", env = { TFL_NODE_BIN = "/nothing" } }
        assert.equal(3, broken.code, broken.text)
        assert.truthy(broken.out:find("TFL_NODE_BIN", 1, true))
    end)

end)

describe("on a terminal", function()
    it("a long line goes on below its text, at a word; commands and paths stay whole", function()
        local inside = require "spec.topology.inside"
        local fit = inside [[ local lines, columns = ... return require("tfl.text").fit(table.concat(lines, "\n"), columns) ]]
        local again = "  again     tfl scenarios/a_very_long_name.lua -n 3 -t 12s --seed 42"
        local word, green = "  " .. ("long"):rep(20), "  \27[32m✓\27[0m safety              59 final, 2 forks"
        local lines = {
            "PASS  made                    local · 3 nodes, star · 12s · seed 42", green .. " (deepest 1), no conflict", again, "", word,
            "",
        }
        assert.equal(table.concat({
            "PASS  made                    local · 3 nodes, star · 12s ·", "                              seed 42",
            green .. " (deepest 1), no", "                        conflict", again, "", word, "",
        }, "\n"), fit(lines, 60))
        assert.equal(table.concat(lines, "\n"), fit(lines, 200))
    end)

    it("no word of a summary or of help is cut in two", function()
        local terminal = require "spec.support.terminal"
        for _, words in ipairs { { "help", "env" }, { "check", nodes.liveness(2, 60) } } do
            local plain = support.run(words)
            words.columns, words.rows = 60, 200
            local t = terminal.start(words)
            assert.equal(0, t:finish())
            local known = {}
            for word in plain.out:gmatch "%S+" do known[word] = true end
            for word in t:screen():gmatch "%S+" do
                assert.truthy(known[word] or word:find "%d", word .. "\n" .. t:screen()) -- the seed is another one
            end
        end
    end)
end)
