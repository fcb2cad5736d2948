-- Links between nodes: what a cut lets through (nothing), what heals, and nodes that come later.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local HEAD = nodes.WORKLOAD .. [[
local function info(ctx, i) return ctx:node(i):client():consensus_info() end
]]

local function run(work, options)
    options = options or {}
    local file = nodes.scenario((options.scenario or [[:topology_with(function(t)
        t:nodes(4):full():slot_duration("50ms"):security_param(60):late_nodes(1) end)
        :enable_node_control{links = true}]]) .. (options.rest or "") .. ":with_workload(w)", HEAD .. work)
    local result = nodes.run(file, { "--seed", "11", "-t", options.time or "9s" })
    assert.equal(options.code or 0, result.code, result.text)
    return result
end

describe("a partition", function()
    it("lets nothing across: no block made after it is adopted on the other side until it is healed", function()
        local result = run [[
        function w:start(ctx)
            ctx:wait_for_height(3)
            local cut = ctx:partition({0, 1}, {2, 3})
            ctx:eventually(function()
                return ctx:node(0):client():network_info().n_peers == 1 and cut:counts().refused > 0
            end, {within = "6s"})
            ctx:sleep "1s"
            assert(info(ctx, 0).tip ~= info(ctx, 2).tip, "the halves are on one block")
            assert(cut:bit())
            cut:heal()
            ctx:eventually(function() return info(ctx, 0).tip == info(ctx, 2).tip end, {within = "8s"})
            ctx:eventually(function() return ctx:node(0):client():network_info().n_peers == 3 end, {within = "8s"})
        end]]
        local from, to, first, crossed = nil, nil, {}, 0
        local side = { ["node-0"] = 1, ["node-1"] = 1, ["node-2"] = 2, ["node-3"] = 2 }
        for _, e in ipairs(nodes.events(result)) do
            if e.type == "fault" and e.verb == "partition" then from = e.slot end
            if e.type == "fault_end" and e.id and from and not to then to = e.t end
            if e.type == "adopt" and from and not to and e.slot and e.slot > from then
                first[e.id] = first[e.id] or side[e.node]
                if first[e.id] ~= side[e.node] then crossed = crossed + 1 end
            end
        end
        assert.is_number(to)
        assert.equal(0, crossed)
        assert.is_true(next(first) ~= nil, "nothing was adopted during the cut")
    end)

    it("holds nodes that restart or join while it is in force", function()
        run [[
        function w:start(ctx)
            ctx:wait_for_height(2)
            local cut = ctx:isolate(3)
            ctx:node(3):restart()
            local late = ctx:start_node("node-4", {peers = {3}})
            ctx:sleep "1.5s"
            ctx:eventually(function() return info(ctx, 3) and info(ctx, 4) end)
            equal(0, ctx:node(3):client():network_info().n_peers, "peers of the isolated node")
            equal(0, late:client():network_info().n_peers, "peers of the one that only knows it")
            ctx:heal()
            ctx:eventually(function() return info(ctx, 4).tip == info(ctx, 0).tip end, {within = "8s"})
        end]]
    end)

    it("one way: what the first sends to the second is cut, and so is a new connection between them", function()
        run([[
        function w:start(ctx)
            ctx:wait_for_height(2)
            local cut = ctx:partition({0}, {1}, {one_way = true})
            ctx:eventually(function() return ctx:node(1):client():network_info().n_peers == 0 end, {within = "6s"})
            assert(cut:counts().withheld > 0)
            cut:heal()
            ctx:eventually(function() return ctx:node(1):client():network_info().n_peers == 1 end, {within = "6s"})
        end]], { scenario = [[:topology_with(function(t) t:nodes(2):slot_duration("50ms"):security_param(60) end)
            :enable_node_control{links = true}]] })
    end)

    it("left on at the end of the window is healed and journalled, and the chain converges", function()
        local result = run([[
        function w:start(ctx)
            ctx:wait_for_height(2)
            ctx:partition({0, 1}, {2, 3})
        end]], { rest = ":expect_height_convergence()", time = "4s" })
        local fault = result.summary.faults[2]
        assert.equal("partition", fault.verb)
        assert.is_true(fault.bit)
        assert.is_true(fault.to_slot >= nodes.events(result, "^window$")[1].s1)
    end)

    it("made by hand for longer than k bears: a warning says how long it may last", function()
        local result = run([[
        function w:start(ctx)
            ctx:wait_for_height(2)
            ctx:partition({0}, {1}):heal()
            ctx:sleep "1s"
        end]], { scenario = [[:topology_with(function(t) t:nodes(2):slot_duration("50ms"):security_param(80) end)
            :enable_node_control{links = true}]], time = "6s" })
        local told = false
        for _, e in ipairs(nodes.events(result)) do
            local text = e.type == "log" and e.message or ""
            told = told or text:find "with k = 80 both sides may finalise apart unless it is healed within %d" ~= nil
        end
        assert.is_true(told)
    end)

    it("wrong uses are named", function()
        run [[
        function w:start(ctx)
            for call, pattern in pairs {
                [function() ctx:partition({0}, {0}) end] = "in two groups",
                [function() ctx:partition() end] = "groups of nodes",
                [function() ctx:partition({0}, {1}, {2}, {one_way = true}) end] = "one way needs two groups",
                [function() ctx:partition({0}, {9}) end] = "they are 0 to",
                [function() ctx:link(0, 1, "wann") end] = "did you mean",
                [function() ctx:link(0, 0, {loss = 0.1}) end] = "no link with itself",
                [function() ctx:link(0, 1, {}) end] = "nothing to do",
                [function() ctx:link(0, 1, {loss = 2}) end] = "0 to 0.9",
                [function() ctx:link(0, 1, {delay = 2}) end] = "there is no option",
            } do
                local ok, err = tfl.try(call)
                equal(false, ok) equal("usage", err.code)
                assert(err.message:find(pattern), err.message)
            end
            info(ctx, 0)
        end]]
    end)
end)

describe("a shaped link", function()
    it("delays, adds up, is counted, and ends when healed", function()
        run [[
        function w:start(ctx)
            ctx:wait_for_height(2)
            local slow = ctx:link("all", "all", {latency = "20ms", jitter = "5ms"})
            local lossy = ctx:link({0, 1}, 2, "lossy")
            ctx:sleep "1s"
            assert(slow:bit() and slow:counts().delayed > 0)
            slow:heal() lossy:heal()
            local late = 0
            local again = ctx:link(0, 1, {rate = 100000})
            ctx:sleep "0.3s"
            ctx:heal()
            equal(again:counts().bytes, again:heal().bytes, "healed twice")
        end]]
    end)

    it("of the whole plan raises Δ and shows in propagation", function()
        local body = [[:topology_with(function(t) t:nodes(3):network_star():slot_duration("100ms"):links(%s) end)
            :with_run_duration "20s":expect_consensus_liveness()]]
        local function check(shape) return support.run { "check", nodes.scenario(body:format(shape)), "--seed", "1" } end
        local plain, slow = check '{latency = "5ms"}', check '{latency = "110ms"}'
        assert.truthy(plain.out:find("Δ = 0", 1, true), plain.text)
        assert.truthy(slow.out:find("Δ = 2", 1, true), slow.text)
        assert.truthy(check('"wam"').err:find "did you mean")
        local result = run([[function w:start(ctx) ctx:sleep "2s" end]], {
            scenario = [[:topology_with(function(t) t:nodes(2):slot_duration("100ms"):links{latency = "30ms"} end)]], time = "6s",
        })
        assert.is_true(result.summary.propagation_ms.p50 >= 25, result.text)
    end)
end)
