-- tfl.core.client and tfl.core.block_feed inside the built tfl, against nodes that serve what a script says.
local in_run = require "spec.support.in_run"
local support = require "spec.support"
support.guard()

local function id(n)
    return ("%02x"):format(n):rep(32)
end

local function block(n, parent, slot)
    return ('{"header":{"id":"%s","parent_block":"%s","slot":%d},"transactions":[]}'):format(id(n), id(parent), slot)
end

local function row(n, parent, slot, lib)
    return ('{"block":%s,"tip":"%s","tip_slot":%d,"lib":"%s","lib_slot":0}'):format(block(n, parent, slot), id(n), slot, id(lib))
end

-- Genesis is 0xff; blocks 1 to 4 in slots 2, 4, 6, 9; the stream tells them one after the other.
local SCRIPT = table.concat({
    ('/cryptarchia/info 200 {"lib":"%s","lib_slot":0,"tip":"%s","slot":0,"height":0,"mode":"Online"}'):format(id(255), id(255)),
    '/network/info 200 {"n_peers":2,"peer_id":"12D3","listen_addresses":["/ip4/1.2.3.4/tcp/5"],"connected_peers":["a","b"]}',
    ('/cryptarchia/headers 200 ["%s","%s"]'):format(id(2), id(1)),
    ("/cryptarchia/blocks/%s 200 %s"):format(id(1), block(1, 255, 9007199254740993)),
    ("/cryptarchia/blocks 200 [%s,%s]"):format(block(1, 255, 2), block(2, 1, 4)),
    "/time/late_slots 200 [7,8]",
    "/text 503 not now",
    "/cryptarchia/events/blocks/stream stream",
    " 1000 " .. row(1, 255, 2, 255),
    " 20 " .. row(2, 1, 4, 1),
    " 20 " .. row(3, 2, 6, 2),
    " 20 " .. row(4, 3, 9, 3),
    " 600000 end",
    "* 404",
}, "\n") .. "\n"

local HEAD = [[
    local core, client, block_feed, wait = require "tfl.core.local", require "tfl.core.client", require "tfl.core.block_feed",
        require "tfl.core.wait"
    local dir, program, script, genesis = ...
    local d = core.new{run_id = "elsewhere", dir = dir}
    local clients = {}
    local function node(name)
        local port = d:reserve(1)[1]
        d:add{name = name, argv = {program, "user.yaml"}, cwd = dir .. "/nodes/" .. name, log = dir .. "/logs/" .. name,
            env = {FAKE_MODE = "script=" .. script}, ports = {http = port},
            files = {["user.yaml"] = {content = "listen_address: 127.0.0.1:" .. port .. "\n"}}}
        d:start(name)
        clients[name] = client.new{name = name, url = "http://127.0.0.1:" .. port}
        for _ = 1, 1500 do
            if pcall(clients[name].network_info, clients[name]) then return clients[name] end
            wait.sleep(0.02)
        end
        error "the fake node never answered"
    end
    local function refused(f, ...)
        local ok, err = pcall(f, ...)
        if ok then return "it worked" end
        return type(err) == "table" and {code = err.code, message = err.message, node = err.node} or tostring(err)
    end
]]

local function inside(code)
    return in_run(HEAD .. code, support.dir(), support.fake_node(), support.write("script.txt", SCRIPT), id(255))
end

it("answers questions with integers and ids as they are", function()
    local got, result = inside [[
        local c = node "node-0"
        local out = {info = c:consensus_info(), network = c:network_info{timeout = 2}, headers = c:headers(),
            blocks = c:blocks{slot_from = 0, slot_to = 9}, late = c:late_slots(), text = c:get "/text", url = c:base_url(),
            name = c:name()}
        local b = c:block(("01"):rep(32))
        out.exact = b.slot == 9007199254740993 and math.type(b.header.slot) == "integer" and b.parent == genesis
        out.with_prefix = c:block("0x" .. ("01"):rep(32)).id
        d:cleanup()
        return out
    ]]
    assert.is_true(got.exact, result.text)
    assert.equal(id(1), got.with_prefix)
    assert.same({ tip = id(255), lib = id(255), slot = 0, height = 0, lib_slot = 0, state = "Online", online = true }, got.info)
    assert.same({ n_peers = 2, peer_id = "12D3", listen_addresses = { "/ip4/1.2.3.4/tcp/5" }, connected_peers = { "a", "b" } },
        got.network)
    assert.same({ id(2), id(1) }, got.headers)
    assert.equal(2, #got.blocks)
    assert.equal(id(2), got.blocks[2].id)
    assert.same({ 7, 8 }, got.late)
    assert.equal(503, got.text.status)
    assert.equal("not now", (got.text.body:gsub("%s+$", "")))
    assert.truthy(got.url:find("^http://127%.0%.0%.1:%d+$"))
    assert.equal("node-0", got.name)
end)

it("raises errors that name the node and what is wrong", function()
    local got, result = inside [[
        local c = node "node-0"
        local out = {unknown = refused(c.block, c, ("09"):rep(32)), id = refused(c.block, c, "xyz"),
            path = refused(c.get, c, "no slash"), range = refused(c.blocks, c, {slot_from = 1}),
            from = refused(c.headers, c, {from = 7}), url = refused(client.new, {name = "x", url = "gopher://x"}),
            dialect = refused(client.new, {name = "x", url = "http://x", dialect = "klingon"})}
        d:stop("node-0", {how = "kill"})
        out.gone = refused(c.consensus_info, c)
        d:cleanup()
        return out
    ]]
    assert.equal("not_found", got.unknown.code, result.text)
    assert.equal("node-0", got.unknown.node)
    assert.truthy(got.id:find("64 hex digits", 1, true))
    assert.truthy(got.path:find("a path of the node's API", 1, true))
    assert.truthy(got.range:find("needs slot_to", 1, true))
    assert.truthy(got.from:find("from: expected an id", 1, true))
    assert.equal("usage", got.url.code)
    assert.truthy(got.dialect.message:find('unknown dialect "klingon"', 1, true))
    assert.equal("connect", got.gone.code)
    assert.truthy(got.gone.message:find("node-0: no HTTP answer on 127.0.0.1:", 1, true))
    assert.truthy(got.gone.message:find("connection refused", 1, true))
end)

it("gives a subscriber every event once, and figures of a window", function()
    local got, result = inside [[
        node "node-0" node "node-1"
        local feed = block_feed.new{genesis_id = genesis}
        local out = {types = {}, heights = {}}
        local late = feed:subscribe{from = "now"}
        feed:add("node-0", clients["node-0"])
        feed:add("node-1", clients["node-1"])
        out.twice = refused(feed.add, feed, "node-0", clients["node-0"])
        local last, sub = {}, feed:subscribe{from = "genesis"}
        for ev in sub do
            out.types[ev.type] = (out.types[ev.type] or 0) + 1
            if ev.type == "block" then out.heights[#out.heights + 1] = ev.height end
            if ev.type == "final" and ev.height == 3 then last[ev.node] = ev end
            if last["node-0"] and last["node-1"] then break end
        end
        out.final, out.next = last["node-1"], sub:poll() == nil
        out.first_now = late().type
        out.figures = feed:judge{from_slot = 3, to_slot = 9, nodes = {"node-0", "node-1"}}
        out.absent = feed:judge{from_slot = 0, to_slot = 9, nodes = {"node-0", "node-7"}}
        out.canonical = feed:canonical{window = {4, 7}}
        out.tip, out.lib, out.block = feed:tip "node-0", feed:lib "node-1", feed:block(("02"):rep(32))
        out.common = feed:common_prefix{"node-0"}
        out.no_tip = feed:tip "node-9" == nil and feed:block(("77"):rep(32)) == nil
        out.stopped = {feed:stop_node "node-1", feed:stop_node "node-1"}
        out.stats = feed:stats()
        feed:close()
        out.ended = sub() ~= nil and sub() == nil or sub() == nil -- what is left, then nothing
        d:cleanup()
        return out
    ]]
    assert.same({ 0, 1, 2, 3, 4 }, got.heights, result.text)
    assert.equal(5, got.types.block)
    assert.equal(10, got.types.adopt)
    assert.equal(6, got.types.final)
    assert.is_nil(got.types.gap)
    assert.equal("wrong_state", got.twice.code)
    assert.same({ "node-1", id(3), 3, 6, 1 }, { got.final.node, got.final.id, got.final.height, got.final.slot, got.final.count })
    assert.is_true(got.final.t > 0 and got.next and got.no_tip and got.ended)
    assert.equal("adopt", got.first_now)
    local f = got.figures
    assert.same({ 4, 6 }, f.canonical_slots)
    assert.same({ 2, 2, 0, 4, 3, 9, 4, 0, 0 },
        { f.canonical, f.observed, f.forks, f.common_height, f.final_height, f.common_slot, f.best_height, f.max_reorg_depth,
            #f.findings })
    assert.same({ 2, 7 }, { f.gap_slots, f.gap_from })
    assert.same({ "node-0", 4, 9, id(4), 3, false }, { f.nodes[1].name, f.nodes[1].height, f.nodes[1].tip_slot, f.nodes[1].tip,
        f.nodes[1].lib_height, f.nodes[1].stale })
    assert.equal(2, f.propagation_ms.samples)
    assert.is_true(f.propagation_ms.p50 <= f.propagation_ms.p99)
    assert.same({ 0, 1, -1 }, { got.absent.canonical, got.absent.unknown_tips, got.absent.common_slot })
    assert.same({ id(2), id(3) }, { got.canonical[1].id, got.canonical[2].id })
    assert.same({ id(4), 4, false }, { got.tip.id, got.tip.height, got.tip.stale })
    assert.equal(3, got.lib.height)
    assert.is_true(got.block.final)
    assert.equal(id(4), got.common.id)
    assert.same({ true, false }, got.stopped)
    assert.equal(4, got.stats.blocks)
    assert.is_true(got.stats.nodes[2].stale)
end)

it("tells a subscriber what fell out of the log", function()
    local got, result = inside [[
        node "node-0"
        local feed = block_feed.new{genesis_id = genesis, window = 4}
        local slow = feed:subscribe{from = "genesis"}
        feed:add("node-0", clients["node-0"])
        while not feed:lib "node-0" or feed:lib "node-0".height < 3 do wait.sleep(0.01) end
        local first, rest = slow(), {}
        for ev in slow.poll, slow do rest[#rest + 1] = ev.seq end
        local events = feed:stats().events
        d:cleanup()
        return {first = first, rest = rest, events = events}
    ]]
    assert.equal("lost", got.first.type, result.text)
    assert.equal(got.events - 4, got.first.count)
    assert.same({ got.events - 4, got.events - 3, got.events - 2, got.events - 1 }, got.rest)
end)
