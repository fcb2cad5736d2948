-- Nodes that join a run, copies of their data, whom they dial; and what is asked of a node while something else is done to it.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local HEAD = nodes.WORKLOAD .. [[
local function info(ctx, i) return ctx:node(i):client():consensus_info() end
local function peers(ctx, i) return ctx:node(i):client():network_info().n_peers end
local function refused(code, pattern, f, ...)
    local ok, err = tfl.try(f, ...)
    equal(false, ok, pattern)
    equal(code, err.code, err.message)
    assert(err.message:find(pattern), err.message)
end
]]

local CONTROL = ":enable_node_control()"

local function scenario(work, rest)
    return nodes.scenario([[:topology_with(function(t) t:nodes(3):full():slot_duration("50ms"):security_param(60) end)
        :with_workload(w)]] .. (rest or CONTROL), HEAD .. work)
end

local function run(work, rest, code)
    local result = nodes.run(scenario(work, rest), { "--seed", "11", "-t", "9s" })
    assert.equal(code or 0, result.code, result.text)
    return result, nodes.events(result, "^fault")
end

describe("nodes that join", function()
    it("a new node syncs; one with a snapshot has its height at once, and follows", function()
        local _, journal = run [[
        function w:start(ctx)
            ctx:wait_for_height(6)
            refused("wrong_state", "stopped or paused", ctx:node(2).snapshot, ctx:node(2), "s")
            ctx:node(2):pause()
            local height = info(ctx, 1).height
            local copy = ctx:node(2):snapshot "s"
            refused("usage", "already", ctx:node(2).snapshot, ctx:node(2), "s")
            ctx:node(2):resume()

            local fresh = ctx:start_node("newcomer", {peers = {0, 1}})
            equal(3, fresh.index) equal("newcomer", ctx:node(3).name)
            fresh:wait_ready()
            ctx:eventually(function() return info(ctx, 3).height >= height end)

            local alone = ctx:start_node("copied", {peers = "none", snapshot = copy})
            alone:wait_ready()
            local had = alone:client():consensus_info().height
            assert(had >= height - 2 and had >= 4, ("%d of %d"):format(had, height))
            alone:restart{peers = {"newcomer"}}
            alone:wait_ready()
            ctx:eventually(function() return info(ctx, 4).height > height end)
            refused("wrong_state", "copied: it runs", ctx.start_node, ctx, "copied", {snapshot = copy})
            refused("usage", "no snapshot", ctx.start_node, ctx, "third", {snapshot = "nothing"})
            refused("usage", "a name of letters", ctx.start_node, ctx, "no/name")
            refused("usage", "has 63 characters, and 60 are the most", ctx.start_node, ctx, ("a"):rep(63))
        end]]
        local absent = {}
        for _, event in ipairs(journal) do
            if event.verb == "absent" then absent[event.targets[1]] = event.id end
        end
        for _, name in ipairs { "newcomer", "copied" } do
            local ended
            for _, event in ipairs(journal) do
                if event.type == "fault_end" and event.id == absent[name] then ended = event.by end
            end
            assert.equal("w", ended, name)
        end
    end)

    it("peers are chosen, and come back by default; a peer that is down is not waited for", function()
        run [[
        function w:start(ctx)
            local n = ctx:node(0)
            ctx:node(1):stop()
            n:restart()
            n:wait_ready{within = "10s"}
            equal(1, peers(ctx, 0), "peers while node-1 is down")
            ctx:node(2):restart{peers = "none"}
            refused("usage", "node%-2 cannot dial itself", ctx:node(2).restart, ctx:node(2), {peers = {0, 2}})
            ctx:node(1):start{peers = "none"}
            ctx:node(1):restart{peers = "default"}
            for i = 0, 2 do ctx:node(i):wait_ready() end
            ctx:node(2):restart{peers = "default"}
            for i = 0, 2 do
                ctx:eventually(function() return peers(ctx, i) == 2 end)
            end
        end]]
    end)
end)

describe("one thing at a time", function()
    it("a snapshot queues with the verbs on its node", function()
        run [[
        function w:start(ctx)
            local n, done, tasks = ctx:node(1), {}, {}
            ctx:wait_for_height(2)
            for i, what in ipairs {"stop", "snapshot", "start", "pause", "restart", "pause", "kill", "start"} do
                tasks[i] = ctx:spawn(function()
                    n[what](n, what == "snapshot" and "s" or nil)
                    done[i] = what
                    equal(i, #done, what)
                end)
            end
            for _, one in ipairs(tasks) do one:wait(20) end
            equal(8, #done)
            n:wait_ready()
        end]]
    end)

    it("Ctrl-C while a verb waits for a node that does not end", function()
        local handle = support.start { scenario [[
        function w:start(ctx)
            tfl.exec{"sh", "-c", "kill -STOP " .. ctx.run.pids["node-1"]}
            ctx:spawn(function() ctx:node(1):stop{timeout = "60s"} end)
            ctx:spawn(function() ctx:node(1):start() end)
            ctx:sleep "0.2s"
            print "waits"
            ctx:sleep "60s"
        end]], "--quiet", "-t", "30s" }
        handle:wait_output "waits"
        handle:signal("INT", true)
        assert.equal(130, handle:wait(30).code)
    end)
end)

describe("what is left on", function()
    it("is ended after the window, and the journal tells by whom", function()
        local result, journal = run([[
        function w:start(ctx)
            ctx:wait_for_height(2)
            local pause = ctx:node(2):pause()
            equal(true, pause:bit())
            refused("usage", "resumed", pause.heal, pause)
            local cut = ctx:partition({0}, {1})
            local slow = ctx:link(0, 1, "lossy")
            slow:heal()
            ctx:sleep "1s"
            ctx:node(2):resume()
            ctx:node(2):pause()
            local list = ctx:faults()
            equal("pause#1 partition#2 link#3 pause#4", list[1].name .. " " .. list[2].name .. " " .. list[3].name .. " " .. list[4].name)
            ctx:eventually(function() return cut:bit() end)
            equal(true, list[2]:bit()) equal(nil, list[2].t1)
        end]], ":enable_node_control{links = true}")
        local ended = {}
        for _, event in ipairs(journal) do
            if event.type == "fault_end" then ended[event.name] = event.by end
        end
        assert.same({ ["pause#1"] = "w", ["partition#2"] = "final_heal", ["link#3"] = "w", ["pause#4"] = "final_heal" }, ended)
        for _, fault in ipairs(result.summary.faults) do assert.is_number(fault.to, fault.name) end
    end)
end)
