-- Clusters driven by hand: tfl.script, and tfl.cluster in specs of the user's own run by `tfl test`.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local TOP = 'topology = function(t) t:slot_duration "50ms" end'
local APART = 'topology = function(t) t:slot_duration "50ms":security_param(200) end' -- what grows apart must not become final

-- Runs a script file whose function holds `body`.
local function script(options, body, code, flags)
    local file = support.write("script.lua", ('tfl.script("hand", {%s, %s}, function(ctx)\n%s\nend)\n'):format(options,
        options:find "topology" and "" or TOP, body))
    local result = nodes.run(file, { "--seed", "5", table.unpack(flags or {}) })
    assert.equal(code or 0, result.code, result.text)
    return result
end

-- Runs a spec file of a user.
local function spec(body, code, ...)
    local file = support.write("my_spec.lua", body)
    local result = support.run { "test", file, ... }
    assert.equal(code, result.code, result.text)
    return result
end

describe("tfl.script", function()
    it("two isolated chains grow; a bridge node joins them; all converge", function()
        script('nodes = 5, start = "none", ' .. APART, [[
            ctx:start_node("node-0", {peers = "none"})
            ctx:start_node("node-1", {peers = {"node-0"}})
            ctx:start_node("node-2", {peers = "none"})
            ctx:start_node("node-3", {peers = {2}})
            ctx:wait_network_ready{within = "20s"}
            ctx:wait_for_height(3, {within = "30s"})
            assert(ctx:node(1):client():consensus_info().tip ~= ctx:node(3):client():consensus_info().tip, "one chain already")
            ctx:start_node("node-4", {peers = {1, 3}})
            ctx:eventually(function()
                local tips, n = {}, 0
                for _, c in ipairs(ctx:node_clients()) do
                    local tip = c:consensus_info().tip
                    if not tips[tip] then tips[tip], n = true, n + 1 end
                end
                return n == 1 and ctx:node(4):client():consensus_info().height > 3
            end, {within = "30s"})]])
    end)

    it("staggered start: each node joins when its predecessor has reached a height", function()
        script('nodes = 4, start = "none"', [[
            for i = 0, 3 do
                local node = ctx:start_node("node-" .. i, {peers = i == 0 and "none" or {i - 1}})
                ctx:eventually(function() return node:client():consensus_info().height >= 3 * (i + 1) end, {within = "30s"})
            end
            ctx:eventually(function()
                local low, high = math.huge, 0
                for _, c in ipairs(ctx:node_clients()) do
                    local h = c:consensus_info().height
                    low, high = math.min(low, h), math.max(high, h)
                end
                return high - low <= 1
            end)]])
    end)

    it("nodes start before and after a delayed genesis: nothing before it, then one chain", function()
        script('nodes = 3, start = "none", genesis = "10s"', [[
            ctx:start_node("node-0", {peers = "none"})
            ctx:start_node("node-1", {peers = {0}})
            ctx:wait_network_ready()
            ctx:sleep "1s"
            for i = 0, 1 do
                local info = ctx:node(i):client():consensus_info()
                assert(info.height == 0 and not info.online, "a block before genesis")
            end
            ctx:wait_for_height(2, {within = "30s"})
            ctx:start_node("node-2", {peers = {0}})
            ctx:eventually(function() return ctx:node(2):client():consensus_info().height >= 4 end)]])
    end)

    it("both nodes share their last final block, at height 5 or more", function()
        script('nodes = 2', [[
            ctx:eventually(function()
                local a, b = ctx:node(0):client():consensus_info(), ctx:node(1):client():consensus_info()
                local block = a.lib == b.lib and ctx:block_feed():block(a.lib)
                return block and block.height >= 5
            end, {within = "40s"})]])
    end)

    it("two unconnected nodes are peered at run time, through the relay of their link", function()
        script('nodes = 2, start = "none", ' .. APART, [[
            ctx:start_node("node-0", {peers = "none"})
            ctx:start_node("node-1", {peers = "none"})
            ctx:wait_network_ready()
            assert(ctx:node(0):client():network_info().n_peers == 0)
            local id = ctx:node(1):client():dial_peer(ctx:node(0))
            assert(id:match "^12D3KooW", id)
            for i = 0, 1 do
                ctx:eventually(function() return ctx:node(i):client():network_info().n_peers == 1 end, {within = "15s"})
            end
            local cut = ctx:partition({0}, {1})
            ctx:eventually(function() return ctx:node(0):client():network_info().n_peers == 0 end, {within = "10s"})
            assert(cut:bit())]])
    end)

    it("an address of a node is dialled through its link, so a cut holds", function()
        script('nodes = 2, start = "none", ' .. APART, [[
            ctx:start_node("node-0", {peers = "none"})
            ctx:start_node("node-1", {peers = "none"})
            ctx:wait_network_ready()
            local address = ctx:node(1):client():network_info().listen_addresses[1]
            local cut = ctx:partition({0}, {1})
            local client = ctx:node(0):client()
            assert(not tfl.try(client.dial_peer, client, address), "the cut leaked")
            assert(cut:counts().refused > 0)
            cut:heal()
            client:dial_peer(address)
            ctx:eventually(function() return client:network_info().n_peers == 1 end)]])
    end)

    it("what a node cannot be started with is refused before anything happens to it", function()
        script('nodes = 1, start = "none"', [[
            local ok, err = tfl.try(ctx.wait_network_ready, ctx)
            assert(not ok and err.message:find "no node is up", err.message)
            for name, value in pairs {config = 7, args = "x", snapshot = "none such", peers = "x"} do
                ok, err = tfl.try(ctx.start_node, ctx, "node-0", {[name] = value})
                assert(not ok and err.code == "usage", name .. ": " .. tostring(err.message))
            end
            assert(not tfl.try(ctx.start_node, ctx, "other", {args = "x"}))
            assert(#ctx:nodes() == 1, "a node that never was")
            ctx:start_node("node-0", {peers = "none"})
            ctx:wait_network_ready()]])
    end)

    it("a snapshot: nodes start from it at its height", function()
        script("nodes = 2", [[
            ctx:wait_for_height(5, {within = "30s"})
            local ok, err = tfl.try(function() ctx:node(1):snapshot "s" end)
            assert(not ok and err.code == "wrong_state", err.message)
            ctx:node(1):stop()
            local height = ctx:node(0):client():consensus_info().height
            local s = ctx:node(1):snapshot "s"
            local copy = ctx:start_node("copy", {snapshot = s, peers = "none"})
            ctx:eventually(function() return copy:client():consensus_info() end)
            assert(copy:client():consensus_info().height >= 5)
            local paused = ctx:start_node("other", {snapshot = "s", peers = {0}})
            ctx:eventually(function() return paused:client():consensus_info().height >= height end)
            assert(not tfl.try(function() ctx:start_node("third", {snapshot = "none such"}) end))]])
    end)

    it("fails by ctx:fail, is inconclusive when it saw nothing, a usage error when it raises", function()
        local result = script("nodes = 1", 'ctx:fail("no %s", "luck")', 1)
        assert.truthy(result.text:find("no luck", 1, true))
        script("nodes = 1", "", 4)
        script("nodes = 1", 'error "slip"', 2)
    end)

    it("is bounded", function()
        local result = script("nodes = 1", 'ctx:node(0):client():consensus_info() ctx:sleep "60s"', 2, { "-t", "1s" })
        assert.truthy(result.text:find("not over after 1s", 1, true), result.text)
    end)

    it("a node that dies by itself fails it", function()
        local result = script("nodes = 2", [[
            tfl.exec{"sh", "-c", "kill -9 " .. ctx.run.pids["node-1"]}
            ctx:sleep "30s"]], 1)
        assert.equal("node_exited", result.summary.error.code)
    end)
end)

describe("tfl test", function()
    it("runs specs with clusters, tells each test, and exits by the worst", function()
        local result = spec([[
        describe("mine", function()
            it("grows", function()
                local c = tfl.cluster{nodes = 2, topology = function(t) t:slot_duration "50ms" end}
                c:wait_network_ready()
                c:wait_for_height(3)
                assert.equal(2, #c:nodes())
            end)
            it("is wrong", function()
                local c = tfl.cluster{nodes = 1, topology = function(t) t:slot_duration "50ms" end}
                assert.equal(1, #c:nodes() + 1)
            end)
            it("slips", function() error "boom" end)
            pending "not yet"
        end)]], 1, "--seed", "11")
        for _, text in ipairs { "✓ mine › grows", "✗ mine › is wrong", "✗ mine › slips", "boom", "- mine › not yet",
            "1 passed, 1 failed, 1 errors, 1 pending · seed 11", "evidence  " } do
            assert.truthy(result.out:find(text, 1, true), text .. "\n" .. result.text)
        end
    end)

    it("gives its results as JSON and as JUnit XML", function()
        local xml = support.path "o.xml"
        local result = spec([[
        describe("a", function()
            it("holds", function() end)
            it("is <wrong>", function()
                tfl.cluster{nodes = 1, start = "none"}
                assert.equal(1, 2)
            end)
            pending "is not yet"
        end)
        describe("b", function() setup(function() error "slip" end) it("never is", function() end) end)]], 2, "--seed", "11", "--json",
            "--junit", xml)
        local told = support.json(result.out:match "([^\n]+)\n*$")
        assert.same({ "usage", 2, 11, "local", 1, 1, 1, 1 }, { told.verdict, told.exit_code, told.seed, told.deployer, told.passed,
            told.failed, told.errors, told.pending })
        local by_name = {}
        for _, test in ipairs(told.tests) do by_name[test.name] = test end
        assert.equal("passed", by_name["a › holds"].status)
        assert.equal("pending", by_name["a › is not yet"].status)
        local wrong, slip = by_name["a › is <wrong>"], by_name["b › setup"]
        assert.equal("failed", wrong.status)
        assert.truthy(wrong.message:find "Expected" and support.read(wrong.evidence .. "/summary.json"), result.out)
        assert.truthy(slip.status == "error" and slip.message:find "slip", result.out)
        local said, code = support.sh(("xmllint --noout --schema %s %s"):format(support.quote(support.root .. "/spec/support/junit.xsd"),
            support.quote(xml)))
        assert.equal(0, code, said)
        local text = support.read(xml)
        assert.truthy(text:find('tests="4" failures="1" errors="1" skipped="1"', 1, true), text)
        assert.truthy(text:find('name="a › is &lt;wrong&gt;"', 1, true), text)
    end)

    it("tells what is wrong with what it is to write, and with its files, in the same forms", function()
        local result = spec('it("a", function() error "not reached" end)', 2, "--junit", "/nowhere/x.xml", "--json")
        assert.truthy(result.err:find "no folder /nowhere; make it", result.text)
        assert.is_nil(result.text:find "not reached")
        assert.equal("usage", support.json(result.out:match "([^\n]+)\n*$").verdict)
        result = support.run { "test", "/none/such_spec.lua", "--json" }
        assert.equal("usage", support.json(result.out:match "([^\n]+)\n*$").verdict)
    end)

    it("a cluster of a setup lives as long as its block; another beside it is refused", function()
        spec([[
        describe("shared", function()
            local c
            setup(function() c = tfl.cluster{nodes = 1, topology = function(t) t:slot_duration "50ms" end} end)
            it("one", function() c:wait_for_height(1) end)
            it("two", function()
                c:wait_for_height(2)
                local ok, err = tfl.try(tfl.cluster, {nodes = 1})
                assert.is_false(ok)
                assert.truthy(err.message:find "still open")
            end)
        end)
        describe("after", function()
            it("is free again", function() tfl.cluster{nodes = 1, start = "none"} end)
        end)]], 0)
    end)

    it("a cluster from a snapshot of another one goes on where that was", function()
        spec([[
        it("goes on", function()
            local top = function(t) t:slot_duration "50ms":full() end
            local c = tfl.cluster{nodes = 2, topology = top, seed = 9}
            c:wait_for_height(5)
            c:node(0):stop()
            local s = c:node(0):snapshot "s"
            c:close()
            local d = tfl.cluster{nodes = 2, topology = top, seed = 9, snapshot = s}
            assert(d:node(1):client():consensus_info().height >= 5)
            d:wait_for_height(8)
        end)]], 0)
    end)

    it("a node that crashes fails the test that made the cluster", function()
        local result = spec([[
        it("crashes", function()
            local c = tfl.cluster{nodes = 1, topology = function(t) t:slot_duration "50ms" end}
            tfl.exec{"sh", "-c", "kill -9 " .. c.ctx.run.pids["node-0"]}
            tfl.try(c.sleep, c, "1s")
        end)]], 1)
        assert.truthy(result.out:find("ended by itself", 1, true), result.text)
    end)

    it("a before_each that fails leaves no cluster in the way of the next test", function()
        local result = spec([[
        describe("first", function()
            before_each(function() tfl.cluster{nodes = 1, start = "none"} error "slip" end)
            it("does not come to be", function() end)
        end)
        it("next", function() tfl.cluster{nodes = 1, start = "none"} end)]], 2)
        assert.truthy(result.out:find("✗ first › before_each: ", 1, true), result.text)
        assert.truthy(result.out:find("✓ next", 1, true), result.text)
    end)

    it("names the test that never waits, and still tells what came before it", function()
        local result = spec('it("a", function() end) it("hogs", function() while true do end end)', 2)
        assert.truthy(result.out:find("✗ hogs", 1, true), result.text)
        assert.truthy(result.out:find("1 passed, 0 failed, 1 errors", 1, true), result.text)
    end)

    it("finds modules beside each file", function()
        local files = {}
        for i, name in ipairs { "one", "two" } do
            support.write(name .. "/mine_" .. name .. ".lua", "return " .. i)
            files[i] = support.write(name .. "/my_spec.lua", ('it("%s", function() assert.equal(%d, require "mine_%s") end)')
                :format(name, i, name))
        end
        local result = support.run { "test", table.unpack(files) }
        assert.equal(0, result.code, result.text)
        local folder = support.run { "test", (files[2]:gsub("/[^/]*$", "")) }
        assert.equal(0, folder.code, folder.text)
    end)

    it("a cluster that outlives its duration fails, and says what gives it more", function()
        local result = spec([[it("long", function()
            local c = tfl.cluster{nodes = 1, duration = "500ms", topology = function(t) t:slot_duration "50ms" end}
            tfl.try(c.sleep, c, "2s")
        end)]], 1)
        assert.truthy(result.out:find('not over after 500ms; tfl.cluster{duration = "30m"}', 1, true), result.text)
    end)

    it("a ctx:fail that a test catches fails it all the same; a folder without specs is named", function()
        local result = spec([[it("swallows", function()
            local c = tfl.cluster{nodes = 1, start = "none"}
            pcall(function() c:fail("boo %d", 7) end)
        end)]], 1)
        assert.truthy(result.out:find("boo 7", 1, true), result.text)
        local empty = support.run { "test", support.dir() .. "/home" }
        assert.equal(2, empty.code, empty.text)
        assert.truthy(empty.err:find("no test was found", 1, true), empty.text)
    end)

    it("names what is wrong with a file, and a filter that fits nothing", function()
        assert.truthy(spec("x x", 2).out:find("syntax error", 1, true))
        spec('it("a", function() end)', 2, "--filter", "zzz")
        spec('it("a", function() end) it("b", function() error "b" end)', 0, "--filter", "^a$")
        assert.equal(2, support.run({ "test", "/none/such_spec.lua" }).code)
    end)

    it("Ctrl-C ends it with its cluster", function()
        local file = support.write("my_spec.lua", [[it("waits", function()
            local c = tfl.cluster{nodes = 2, topology = function(t) t:slot_duration "50ms" end}
            io.stdout:write "up\n" io.stdout:flush()
            c:sleep "60s"
        end)]])
        local handle = support.start { "test", file }
        handle:wait_output "up"
        handle:signal "INT"
        assert.equal(130, handle:wait(20).code)
    end)

    it("Ctrl-C after safety has failed is a fail, as of a run; what there is is written", function()
        local file = support.write("my_spec.lua", [[
        it("ends", function() end)
        it("conflicts", function()
            local c = tfl.cluster{nodes = 2, start = "none", topology = function(t)
                t:slot_duration "50ms":security_param(3, {unsafe_k = true})
            end}
            for i = 0, 1 do c:start_node("node-" .. i, {peers = "none"}) end
            c:wait_network_ready()
            while tfl.try(function() c:node(0):client():consensus_info() end) do c:sleep "100ms" end
            io.stdout:write "up\n" io.stdout:flush()
            c:sleep "60s"
        end)]])
        local handle = support.start { "test", file, "--json", "--junit", support.path "o.xml" }
        handle:wait_output "up"
        handle:signal "INT"
        local result = handle:wait(20)
        assert.equal(1, result.code, result.text)
        local told = support.json(result.out:match "([^\n]+)\n*$")
        assert.same({ "fail", 1 }, { told.verdict, told.exit_code })
        assert.truthy(result.out:find("✗ conflicts: the cluster: safety: ", 1, true), result.text)
        assert.equal(1, select(2, support.read(support.path "o.xml"):gsub("<error ", "")))
    end)

    it("Ctrl-C while a cluster is closed waits until it is", function()
        local file = support.write("my_spec.lua", [[it("closes", function()
            local c = tfl.cluster{nodes = 4, topology = function(t) t:slot_duration "50ms" end}
            io.stdout:write("dir=", c.ctx.run.dir, "\n") io.stdout:flush()
            c:close()
        end)]])
        local slow = support.write("bin/slow", "#!/bin/sh\ntrap 'sleep 2; exit 0' TERM\n" .. support.quote(nodes.tfl_node())
            .. ' "$@" &\nwhile :; do wait; sleep 0.05; done\n')
        os.execute("chmod +x " .. support.quote(slow))
        local handle = support.start { "test", file, env = { TFL_NODE_BIN = slow } }
        local dir = handle:wait_output "dir=([^\n]+)\n"
        handle:signal "INT"
        assert.equal(130, handle:wait(20).code)
        assert.truthy(support.read(dir .. "/summary.json"), "the run was not brought to its end")
    end)

    it("kill -9 leaves nothing of a cluster", function()
        local file = support.write("my_spec.lua", [[it("waits", function()
            local c = tfl.cluster{nodes = 2, topology = function(t) t:slot_duration "50ms" end}
            c:node(1):pause()
            io.stdout:write "up\n" io.stdout:flush()
            c:sleep "60s"
        end)]])
        local handle = support.start { "test", file }
        handle:wait_output "up"
        handle:signal "KILL"
        handle:wait(20) -- the guard of each test looks for what is left
    end)
end)
