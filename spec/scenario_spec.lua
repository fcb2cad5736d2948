-- What hooks get: ctx, nodes, clients and the feed do what the page of the scripting surface says.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

-- One run whose expectation `e` holds the checks of a test: they are Lua run inside tfl.
local function run(checks, options)
    options = options or {}
    local file = nodes.scenario((options.scenario or [[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms" end)
        :with_run_duration(tfl.slots(60))]]) .. ":with_expectation(e)", (options.head or "") .. [[

local e = tfl.expectation("e")
local function equal(want, got, what)
    if want ~= got then error(("%s: expected %s, got %s"):format(what or "?", tostring(want), tostring(got)), 2) end
end
]] .. checks)
    local result = nodes.run(file, { "--seed", "11" })
    assert.equal(options.code or 0, result.code, result.text)
    return result
end

describe("ctx", function()
    it("gives nodes, clients and what they say", function()
        run [[
        function e:evaluate(ctx)
            equal(3, #ctx:nodes()) equal("node-1", ctx:node(1).name) equal(ctx:node(1).name, ctx:node("node-1").name)
            equal(3, #ctx:node_clients())
            local client = ctx:node(0):client()
            local info = client:consensus_info()
            equal("integer", math.type(info.height)) equal(64, #info.tip) equal(true, info.online)
            local function still(fn) -- what fn gives while the LIB stays: the chain grows meanwhile
                for _ = 1, 50 do
                    local lib, value = client:consensus_info().lib, fn()
                    if client:consensus_info().lib == lib then return lib, value end
                end
                error "the LIB never stayed for two requests"
            end
            local lib, headers = still(function() return client:headers{} end)
            equal(lib, headers[#headers], "headers end at the LIB")
            local block = client:block(headers[1])
            equal(headers[1], block.header.id)
            equal(headers[2], block.header.parent_block)
            equal(2, client:network_info().n_peers)
            equal(200, client:get("/time/info").status)
            equal(404, client:get("/nothing").status)
            assert(client:base_url():match "^http://127%.0%.0%.1:%d+$", client:base_url())
            local until_lib, blocks = still(function() return client:blocks{slot_from = 0, slot_to = 1000} end)
            equal(until_lib, (blocks[#blocks].id or blocks[#blocks].header.id), "blocks end at the LIB")
            local ok, err = tfl.try(client.block, client, ("f"):rep(64))
            equal(false, ok) equal("node-0", err.node) assert(err.code == "not_found", err.code)
            assert(ctx:random_node_client():consensus_info().height > 0)
            assert(ctx:cluster_client():consensus_info().height > 0)
            assert(#ctx:logs(0):text() > 0)
            for _, d in ipairs(ctx:descriptors()) do assert(d.peer_id:match "^12D3KooW", d.peer_id) end
        end]]
    end)

    it("tells times and expected blocks", function()
        run [[
        function e:start_capture(ctx)
            equal(3.0, ctx:run_duration())
            assert(ctx:remaining() > 2.5 and ctx:remaining() <= 3.1, ctx:remaining())
            equal(30.0, ctx:expected_blocks() + 0.0)
            equal(0.5, ctx:run_metrics().active_slot_coeff)
        end
        function e:evaluate(ctx) equal(0, ctx:remaining()) ctx:node(0):client():consensus_info() end]]
    end)

    it("waits: sleep, eventually, wait_for_height, spawn", function()
        run [[
        function e:start_capture(ctx)
            local n = 0
            equal("yes", ctx:eventually(function() n = n + 1 return n == 3 and "yes" end, {every = "10ms"}))
            local ok, err = tfl.try(ctx.eventually, ctx, function() return false end, {within = "50ms", every = "10ms"})
            equal(false, ok) equal("timeout", err.code)
            ctx:wait_for_height(2, {within = "20s"})
            for _, client in ipairs(ctx:node_clients()) do assert(client:consensus_info().height >= 2) end
            local task = ctx:spawn(function(a) ctx:sleep "10ms" return a * 2 end, 21)
            equal(true, task:wait(5))
            local fine, value = task:result()
            equal(true, fine) equal(42, value)
        end]]
    end)

    it("figure, log and fail reach the summary and the record", function()
        local result = run([[
        function e:evaluate(ctx)
            ctx:node(0):client():consensus_info()
            ctx:figure("answer", 42, "units")
            ctx:log("seen %d", 7)
            ctx:fail("because %s", "so")
        end]], { code = 1 })
        local e = nodes.expectation(result, "e")
        assert.equal("fail", e.verdict)
        assert.equal("because so", e.message)
        assert.equal(42, e.figures.answer)
        assert.equal("units", e.units.answer)
        assert.truthy(support.read(result.summary.dir .. "/events.jsonl"):find("seen 7", 1, true))
    end)

    it("inconclusive says so", function()
        local result = run("function e:evaluate(ctx) ctx:inconclusive('too little') end", { code = 4 })
        assert.equal("inconclusive", nodes.expectation(result, "e").verdict)
    end)

    it("names what is not there", function()
        run [[
        function e:start_capture(ctx)
            for call, pattern in pairs {
                [function() ctx:node(7) end] = "they are 0 to 2",
                [function() ctx:node("node-9") end] = 'did you mean "node%-0"',
                [function() ctx:sleeep(1) end] = 'did you mean "sleep"',
                [function() ctx:partition({}, {}) end] = "an empty list",
                [function() ctx:partition({0}, {1}) end] = "enable_node_control",
                [function() ctx:sleep "soon" end] = "no duration",
                [function() ctx:figure(1, 2) end] = "a name and a finite number",
                [function() ctx:node(0):restart() end] = "enable_node_control",
                [function() ctx:node(0):restrat() end] = 'did you mean "restart"',
            } do
                local ok, err = tfl.try(call)
                equal(false, ok) equal("usage", err.code)
                assert(err.message:find(pattern), err.message)
            end
            ctx:node(0):client():consensus_info()
        end]]
    end)

    it("draws random nodes from the seed", function()
        local checks = [[
        function e:evaluate(ctx)
            local names = {}
            for i = 1, 12 do names[i] = ctx:random_node_client():base_url():match "%d+$" end
            local ports, order = {}, {}
            for i, p in ipairs(names) do if not ports[p] then order[#order + 1] = p ports[p] = #order end end
            local text = {}
            for i, p in ipairs(names) do text[i] = ports[p] end
            ctx:node(0):client():consensus_info()
            ctx:log("drawn %s", table.concat(text))
        end]]
        local function drawn()
            return support.read(run(checks).summary.dir .. "/events.jsonl"):match "drawn (%d+)"
        end
        assert.equal(drawn(), drawn())
    end)
end)

describe("an expectation", function()
    it("whose evaluate raises did not pass", function()
        local result = run("function e:evaluate(ctx) ctx:node(0):client():consensus_info() error 'broken' end", { code = 2 })
        assert.equal("usage", nodes.expectation(result, "e").verdict, result.text)
        assert.is_nil(result.out:find("✓ e", 1, true), result.text)
    end)

    it("may fail with any text, and shows what it measured when it passes", function()
        local result = run("function e:evaluate(ctx) ctx:node(0):client():consensus_info() ctx:fail('100% %20 of it') end",
            { code = 1 })
        assert.equal("100% %20 of it", nodes.expectation(result, "e").message)
        result = run [[function e:evaluate(ctx) ctx:figure("height", ctx:node(0):client():consensus_info().height, "blocks") end]]
        assert.truthy(result.out:find "✓ e +height %d+ blocks", result.out)
    end)

    it("that only subscribes has seen nothing; one that judges what its workload saw has", function()
        local result = run("function e:start_capture(ctx) ctx:block_feed():subscribe() ctx:node(0):client():base_url() end",
            { code = 4 })
        assert.equal("no_sample", nodes.expectation(result, "e").code, result.text)
        run("function e:evaluate(ctx) ctx:node(0):client():consensus_info() end", { head = [[
            local w = tfl.workload("w", {heights = {}})
            function w:start(ctx) self.heights[1] = ctx:node(0):client():consensus_info().height end
            w.expectations = {tfl.expectation("after", {evaluate = function(_, ctx)
                if #w.heights ~= 1 then ctx:fail("nothing was read") end end})}
        ]], scenario = [[:topology_with(function(t) t:nodes(1):slot_duration "50ms" end):with_run_duration(tfl.slots(60))
            :with_workload(w)]] })
    end)

    it("is not judged on a window that was cut short", function()
        local result = run("function e:start_capture(ctx) ctx:node(0):client():consensus_info() ctx:fail 'at once' end", {
            code = 1, scenario = [[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end)
            :with_run_duration(tfl.slots(60)):expect_consensus_liveness()]],
        })
        assert.equal("not_evaluated", nodes.expectation(result, "consensus_liveness").code, result.text)
    end)
end)

describe("the feed", function()
    it("gives every subscriber every event once, in order", function()
        run [[
        function e:start_capture(ctx)
            self.seen, self.late = {}, {}
            local feed = ctx:block_feed()
            ctx:spawn(function() for ev in feed:subscribe{from = "genesis"} do table.insert(self.seen, ev) end end)
            ctx:spawn(function() for ev in feed:subscribe{from = "now"} do table.insert(self.late, ev) end end)
        end
        function e:evaluate(ctx)
            local blocks, twice, last = {}, 0, -1
            for _, ev in ipairs(self.seen) do
                if ev.type == "block" then
                    if blocks[ev.id] then twice = twice + 1 end
                    blocks[ev.id] = ev
                end
                assert(ev.t >= last, "events go back in time") last = ev.t
            end
            equal(0, twice, "blocks told twice")
            assert(#self.late > 10 and #self.late <= #self.seen, #self.late .. " of " .. #self.seen)
            for i = 1, 10 do
                local a, b = self.late[#self.late - i], self.seen[#self.seen - i]
                equal(b.type, a.type) equal(b.id, a.id) equal(b.node, a.node)
            end
            local feed = ctx:block_feed()
            local canonical = feed:canonical()
            assert(#canonical > 5)
            for i, block in ipairs(canonical) do
                assert(blocks[block.id], "a canonical block without an event")
                if i > 1 then equal(canonical[i - 1].id, block.parent) end
                assert(block.slot >= ctx.run.s0 and block.slot < ctx.run.s1)
            end
            local tip = feed:tip("node-0")
            equal(tip.id, feed:block(tip.id).id)
            assert(feed:lib("node-0").height <= tip.height)
            assert(feed:stats().blocks >= #canonical)
        end]]
    end)
end)

describe("workloads", function()
    it("run together, end early when all are done and nothing needs the window, and bring their expectations", function()
        local head = [[
        local order = {}
        local check = tfl.expectation("check", {evaluate = function(_, ctx)
            ctx:node(0):client():consensus_info()
            if table.concat(order, " ") ~= "init init a b" then ctx:fail("order %s", table.concat(order, " ")) end
        end})
        local function make(name, seconds)
            return tfl.workload(name, {init = function(_, topology, metrics)
                assert(#topology.nodes == 3 and metrics.slots == 60)
                order[#order + 1] = "init"
            end, start = function(_, ctx) ctx:sleep(seconds) order[#order + 1] = name end, expectations = {name == "a" and check or nil}})
        end]]
        local result = run("function e:evaluate(ctx) ctx:node(0):client():consensus_info() end", {
            head = head, scenario = [[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms" end)
                :with_workload(make("a", 0.1)):with_workload(make("b", 0.3))]],
        })
        assert.equal("workloads done", result.summary.ended_early, result.text)
        assert.equal("ok", nodes.expectation(result, "check").code, result.text)
    end)

    it("that fail end the run with their message", function()
        local result = run("function e:evaluate(ctx) ctx:node(0):client():consensus_info() end", {
            code = 1, scenario = [[:topology_with(function(t) t:nodes(3):full():slot_duration "50ms" end)
                :with_run_duration("30s"):with_workload(tfl.workload("w", {start = function(_, ctx)
                    pcall(ctx.fail, ctx, "no more of %s", "this") error "came back" end}))]],
        })
        assert.equal("no more of this", nodes.expectation(result, "w").message)
        assert.is_true(result.summary.wall_seconds < 15, result.text)
    end)
end)
