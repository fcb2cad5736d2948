-- tfl.core.local inside the built tfl: the deployer as the runner sees it.
local in_run = require "spec.support.in_run"
local support = require "spec.support"
support.guard()

local HEAD = [[
    local core, task, wait = require "tfl.core.local", require "tfl.core.task", require "tfl.core.wait"
    local dir = ...
    local d = core.new{run_id = "elsewhere", dir = dir}
    local function add(name, script, more)
        local spec = {name = name, argv = {"sh", "-c", script}, cwd = dir .. "/nodes/" .. name, log = dir .. "/logs/" .. name}
        for k, v in pairs(more or {}) do spec[k] = v end
        d:add(spec)
    end
    local function code(f, ...)
        local ok, err = pcall(f, ...)
        return not ok and (type(err) == "table" and err.code .. ": " .. err.message or err) or "it worked"
    end
    local function till(f)
        for _ = 1, 1000 do
            local ok, yes = pcall(f)
            if ok and yes then return end
            wait.sleep(0.02)
        end
        error "not within 20s"
    end
]]

it("starts, drives and ends nodes, and tells of those that end by themselves", function()
    local got, result = in_run(HEAD .. [[
        local out = {states = {}, exits = {}}
        add("node-0", "cat conf/a; echo $COLOUR; while :; do sleep 0.05; done",
            {env = {COLOUR = "blue"}, files = {["conf/a"] = {content = "hello\n", mode = tonumber("600", 8)}}, stop_signal = "TERM"})
        add("node-1", "echo 'out of luck'; exit 9")
        local function state() out.states[#out.states + 1] = d:state("node-0") end
        local watcher = task.spawn("exits", function()
            for exit in d.next_exit, d do out.exits[#out.exits + 1] = exit end
            out.no_more = true
        end)
        state()
        d:start("node-0") state()
        local first = d:pid("node-0")
        till(function() return d:logs "node-0" == "hello\nblue\n" end)
        d:pause("node-0") state()
        d:resume("node-0") state()
        d:restart("node-0", {timeout = 5}) state()
        out.new_pid = d:pid("node-0") ~= first and d:alive("node-0")
        till(function() return #d:logs "node-0" >= 22 end)
        out.log = d:logs("node-0")
        out.log_end = d:logs("node-0", 5)
        d:stop("node-0", {how = "kill"}) state()
        out.refused = code(d.pause, d, "node-0")
        d:start("node-1")
        till(function() return #out.exits == 3 end)
        out.capable = d:capabilities().pause
        d:cleanup()
        watcher:wait(20)
        return out
    ]], support.dir())
    assert.same({ "not started", "running", "paused", "running", "running", "stopped" }, got.states, result.text)
    assert.is_true(got.new_pid and got.capable and got.no_more)
    assert.equal("hello\nblue\nhello\nblue\n", got.log)
    assert.equal("blue\n", got.log_end)
    assert.truthy(got.refused:find "^wrong_state: node%-0: cannot pause it: it is stopped", got.refused)
    assert.equal(3, #got.exits)
    assert.is_true(got.exits[1].asked)
    assert.equal("SIGKILL", got.exits[2].signal)
    assert.same({ node = "node-1", status = "exit code 9", code = 9, asked = false, log_tail = "out of luck" }, got.exits[3])
end)

it("waits for readiness and says who is not ready", function()
    local got, result = in_run(HEAD .. [[
        local ports = d:reserve(3)
        add("node-0", "sleep 60", {ports = {http = ports[1]}, dialect = "reference"})
        add("node-1", "sleep 60")
        add("node-2", "sleep 0.2; echo gone; exit 1", {ports = {http = ports[2]}, dialect = "reference"})
        for i = 0, 2 do d:start("node-" .. i) end
        d:wait_ready({"node-1"}, {within = 1})
        local out = {distinct = ports[1] ~= ports[2] and ports[2] ~= ports[3]}
        out.late = code(d.wait_ready, d, {"node-1", "node-0"}, {within = 2, peers = {["node-0"] = 2}})
        out.inline = code(d.wait_ready, d, {"node-0", within = 0.2})
        out.gone = code(d.wait_ready, d, {"node-2"}, {within = 20})
        d:cleanup()
        out.again = code(d.cleanup, d)
        out.after = code(d.start, d, "node-1")
        return out
    ]], support.dir())
    assert.is_true(got.distinct, result.text)
    local late = "^not_ready: node%-0: no HTTP answer on 127.0.0.1:%d+/cryptarchia/info within 2s %(last: .*refused"
    assert.truthy(got.late:find(late), got.late)
    assert.truthy(got.inline:find "^not_ready", got.inline)
    assert.truthy(got.gone:find "^exited: node%-2: ended before it was ready %(exit code 1%); its log ends: gone", got.gone)
    assert.equal("it worked", got.again)
    assert.truthy(got.after:find "^wrong_state", got.after)
end)

it("refuses specs that cannot be, naming node and member", function()
    local got, result = in_run(HEAD .. [[
        local out = {}
        local function try(more, name) out[#out + 1] = code(add, name or "node-7", "true", more) end
        try({argv = {}})
        try({argv = {"sh", {}}})
        try({env = {A = {}}})
        try({files = {["../x"] = {content = ""}}})
        try({files = {x = "text"}})
        try({ports = {http = 70000}})
        try({stop_signal = "HELLO"})
        try({cwd = "relative"})
        try({}, "a/b")
        out[#out + 1] = code(d.start, d, "node-9")
        out[#out + 1] = code(d.reserve, d, 13000)
        add("node-8", "", {argv = {"/no/such/program"}})
        out[#out + 1] = code(d.start, d, "node-8")
        d:cleanup()
        return out
    ]], support.dir())
    local want = { "argv", "node%-7: argv%[2%]", "node%-7: env.A", "bad_config: node%-7: .*%.%./x", "node%-7: files", "node%-7: ports.http",
        "node%-7: stop_signal \"HELLO\"", "bad_config: node%-7: cwd .*relative", "bad_config: .*a/b", "usage: .*node%-9", "number of ports",
        "spawn: node%-8: .*/no/such/program" }
    for i, pattern in ipairs(want) do assert.truthy(got[i]:find(pattern), ("%d: %s\n%s"):format(i, got[i], result.text)) end
end)
