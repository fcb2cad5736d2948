-- Two logs, kept apart: tfl's own, and those of the nodes.
local in_run = require "spec.support.in_run"
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

describe("tfl's own log", function()
    it("is text, or JSON with TFL_LOG_FORMAT=json; other formats are refused", function()
        local result = support.run { nodes.quick(1), "--quiet", env = { TFL_LOG = "debug", TFL_LOG_FORMAT = "json" } }
        assert.equal(0, result.code, result.text)
        local n = 0
        for line in result.err:gmatch "[^\n]+" do
            local entry = support.json(line)
            assert.equal("tfl", entry.program)
            assert.truthy(entry.message and entry.module and entry.time:match "^%d+%-%d+%-%d+T%d+:%d+:%d+%.%d+Z$", line)
            n = n + 1
        end
        assert.is_true(n > 0)
        result = support.run { "check", "scenarios/liveness.lua", env = { TFL_LOG_FORMAT = "xml" } }
        assert.equal(2, result.code, result.text)
        assert.matches("TFL_LOG_FORMAT=xml: ", result.err, 1, true)
    end)

    it("is not what nodes are told: RUST_LOG does not reach them, unless their kind says so", function()
        local function told(env)
            local node = nodes.with { [1] = "" }
            support.write("bin/node", "#!/bin/sh\nprintf '%s' \"$RUST_LOG\" >rust_log\n" .. support.read(node))
            local result = nodes.run(nodes.scenario((":topology_with(function(t) t:nodes(1):slot_duration '50ms':kind(k) end)"
                .. ":with_run_duration(tfl.slots(60)):expect_consensus_liveness()"),
                ("local k = tfl.kind('mine', {base = 'reference'%s})"):format(env)), { "--keep", node = node, env = { RUST_LOG = "info" } })
            assert.equal(0, result.code, result.text)
            return support.read(result.summary.dir .. "/nodes/node-0/rust_log")
        end
        assert.equal("", told "")
        assert.equal("trace", told ", env = {RUST_LOG = 'trace'}")
    end)
end)

--- A run of one node for a moment, with a workload.
local function short(body, more, slots)
    return nodes.scenario((":topology_with(function(t) t:nodes(2):slot_duration '50ms' end):with_run_duration(tfl.slots(%d))"
        .. ":with_workload(w)%s"):format(slots or 40, more or ""), nodes.WORKLOAD .. ("function w:start(ctx) %s end"):format(body or ""))
end

describe("the nodes' logs", function()
    local function level(env)
        local result = nodes.run(short(), { "--keep", env = env })
        assert.equal(0, result.code, result.text)
        return support.read(result.summary.dir .. "/nodes/node-0/user.yaml"):match "level: (%w+)", result
    end

    it("have the level that the environment says, whatever their kind is", function()
        assert.equal("INFO", (level {}))
        assert.equal("WARN", (level { LOGOS_BLOCKCHAIN_LOG_LEVEL = "warn" }))
        assert.equal("DEBUG", (level { LOGOS_BLOCKCHAIN_TESTS_TRACING = "true" }))
        assert.equal("ERROR", (level { LOGOS_BLOCKCHAIN_TESTS_TRACING = "true", LOGOS_BLOCKCHAIN_LOG_LEVEL = "ERROR" }))
        local _, result = level { TFL_LOG = "debug" }
        assert.is_nil(support.read(result.summary.dir .. "/logs/logos-blockchain-node-0.log"):find "DEBUG", "TFL_LOG is not theirs")
    end)

    it("are not asked for what makes no sense", function()
        for name, value in pairs { LOGOS_BLOCKCHAIN_LOG_LEVEL = "loud", LOGOS_BLOCKCHAIN_TESTS_TRACING = "maybe",
            LOGOS_BLOCKCHAIN_LOG_DIR = "/dev/null",
            LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "localhost:4317", LOGOS_BLOCKCHAIN_GRAFANA_URL = "nowhere" } do
            local result = support.run { "check", "scenarios/liveness.lua", env = { [name] = value } }
            assert.equal(2, result.code, result.text)
            assert.matches(name .. "=" .. value, result.err, 1, true)
        end
    end)

    it("are said once to have no filter and no OTLP in the kind reference", function()
        local result = support.run { short(), env = { LOGOS_BLOCKCHAIN_LOG_FILTER = "x=debug",
            LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "http://127.0.0.1:9" } }
        assert.equal(0, result.code, result.text)
        for _, said in ipairs { "the kind reference has no log filter", "the kind reference has no OTLP" } do
            assert.equal(1, select(2, result.err:gsub(said, "")), result.text)
        end
        result = support.run { short() }
        assert.is_nil(result.err:find "the kind reference", "nothing is said when nothing is set")
    end)

    it("go to LOGOS_BLOCKCHAIN_LOG_DIR, by that alone", function()
        local result = nodes.run(short(), { env = { LOGOS_BLOCKCHAIN_LOG_DIR = support.path "logs/of runs" } })
        assert.equal(0, result.code, result.text)
        local name = result.summary.dir:match "[^/]+$"
        for i = 0, 1 do
            local copy = support.read(support.path(("logs/of runs/%s/logos-blockchain-node-%d.log"):format(name, i)))
            assert.equal(support.read(("%s/logs/logos-blockchain-node-%d.log"):format(result.summary.dir, i)), copy)
            assert.is_true(#copy > 0)
        end
        result = nodes.run(short(), { env = { LOGOS_BLOCKCHAIN_LOG_DIR = "/proc/nowhere" } })
        assert.equal(0, result.code, "a folder that cannot be made fails no run\n" .. result.text)
    end)

    it("are searched by ctx:logs(node):grep, with time and slot", function()
        local result = nodes.run(short [[
            ctx:wait_for_height(2)
            local log = ctx:logs(1)
            equal(true, #log:text() > 0)
            equal(true, #log:text(5) <= 5)
            local found = log:grep "listens for peers"
            equal("node-1", found[1].node)
            equal("logs/logos-blockchain-node-1.log", found[1].file)
            equal(true, found[1].line >= 1)
            equal(true, found[1].t >= 0 and found[1].t < 20, tostring(found[1].t))
            local all = ctx:eventually(function()            -- a line of the time before genesis has no slot
                local lines = log:grep ""
                return lines[#lines].slot and lines
            end)
            equal(nil, all[1].slot)
            equal(true, #log:grep("", {since = "1h"}) >= #all)
            equal(true, #log:grep("", {since = 0}) < #log:grep "") -- one may be written right now
            equal(0, #log:grep "nobody says this")
            equal(false, (tfl.try(log.grep, log, "[")))
        ]])
        assert.equal(0, result.code, result.text)
    end)
end)

it("the time of a line is that of its zone", function()
    local at = { ["2026-01-02T03:04:05Z"] = 0, ["2026-01-02 05:04:05.5+02:00"] = 0.5, ["[2026-01-01 22:04:05,25 -0500] x"] = 0.25,
        ["2026-01-02T03:04:05 -12 degrees"] = 0, ["2026-01-02T05:04:05.75+02 x"] = 0.75 }
    local lines = {}
    for line in pairs(at) do lines[#lines + 1] = line end
    local t = in_run([[
        local logs, path, lines = require "tfl.node_logs", ...
        local run = {deployer = {log_path = function() return path end}, started_ms = 1767323045000, now = function() return 0 end,
            plan = {}}
        local list = {}
        for i, row in ipairs(logs.of(run, "node-0"):grep "") do list[i] = row.t end
        return list]], support.write("zones.log", table.concat(lines, "\n") .. "\n"))
    for i, line in ipairs(lines) do assert.equal(at[line], t[i], line) end
end)

it("a line may be as long as it likes", function()
    local path = support.path "long.log"
    support.sh(("{ head -c 5000000 /dev/zero | tr '\\0' x; echo; echo ERROR boom; head -c 3000000 /dev/zero | tr '\\0' y; } >%s")
        :format(path))
    local rows = in_run([[
        local logs, path = require "tfl.node_logs", ...
        local run = {deployer = {log_path = function() return path end}, plan = {}}
        local list = {}
        for i, row in ipairs(logs.of(run, "node-0"):grep "") do list[i] = {#row.text, row.line} end
        return list]], path)
    assert.same({ { 5000000, 1 }, { 10, 2 }, { 3000000, 3 } }, rows)
end)

describe("expect_no_log", function()
    it("fails with node, line, time and slot, and passes when there is no such line", function()
        local result = nodes.run(short("ctx:wait_for_height(2)",
            ":expect_no_log('nobody says this'):expect_no_log('height %d+ %a+$', {nodes = {1}})"),
            { env = { LOGOS_BLOCKCHAIN_LOG_LEVEL = "debug" } })
        local good, bad = nodes.expectation(result, "no_log"), nodes.expectation(result, "no_log_2")
        assert.equal(1, result.code, result.text)
        assert.equal("ok", good.code)
        assert.equal("logged", bad.code, result.text)
        assert.matches("^node%-1 %d+%.%ds %(slot %d+%) %u+ +slot %d+ block.*  logs/logos%-blockchain%-node%-1%.log:%d+ %(and %d+ more%)$",
            bad.message)
    end)

    it("is inconclusive when lines of a node that floods its log are gone; the log stays within its bound", function()
        local file = nodes.scenario([[:topology_with(function(t) t:nodes(1):kind(tfl.kind("flood", {ports = {"http"},
            command = {"sh", "-c", "echo ERROR first; seq -f '%063.0f' 1 1300000; echo last; exec sleep 99"}, ready = {log = "last"}})) end)
            :with_workload(w):with_run_duration "1s":expect_no_log("ERROR first"):expect_no_log("nobody", {nodes = {0}})
            :expect_no_log("1299999$")]],
            nodes.WORKLOAD .. [[function w:start(ctx)
                local found, whole = ctx:logs(0):grep "0000$"
                equal(false, whole)
                for i = 2, #found do equal(tonumber(found[i - 1].text) + 10000, tonumber(found[i].text), "none is missing or twice") end
                equal(1300000, tonumber(found[#found].text))
                equal(true, #found > 30, #found)
                equal("last\n", ctx:logs(0):text(5))
            end]])
        local result = nodes.run(file, { "--keep", timeout = 180, env = { TFL_READY_SECONDS = "120" } })
        assert.equal(1, result.code, result.text)
        assert.equal("log_cut", nodes.expectation(result, "no_log").code, result.text)
        assert.matches("older lines of node-0 are gone", nodes.expectation(result, "no_log_2").message, 1, true)
        assert.equal("logged", nodes.expectation(result, "no_log_3").code, "what is seen is seen")
        local path = result.summary.dir .. "/logs/logos-blockchain-node-0.log"
        assert.is_true(#support.read(path) + #support.read(path .. ".1") < 65 << 20)
        assert.equal("tfl: older lines are gone: two files of a log are kept", support.read(path):match "^[^\n]*")
    end)

    it("is inconclusive when the disk was full, and names nodes that log nothing", function()
        local mount = support.path "small"
        local _, mounted = support.sh(("mkdir -p %s && mount -t tmpfs -o size=1m tmpfs %s"):format(mount, mount))
        assert.equal(0, mounted, "this test mounts a small tmpfs, which needs root")
        local function run(command, ...)
            return nodes.run(nodes.scenario((([[:topology_with(function(t) t:nodes(2):kind(tfl.kind("some", {ports = {"http"},
                command = {"sh", "-c", %q}, ready = function() return true end})) end):with_run_duration "1s":expect_no_log("nobody")]])
                :format(command))), { ... })
        end
        local full = run("seq 1000000; exec sleep 99", "--out", mount .. "/out")
        support.sh("umount -l " .. mount)
        assert.equal(4, full.code, full.text)
        assert.equal("log_cut", nodes.expectation(full, "no_log").code, full.text)
        local mute = run('case "$PWD" in */node-0) echo something ;; esac; exec sleep 99')
        assert.equal(0, mute.code, mute.text)
        assert.equal("nothing like nobody in 1 log; nothing at all is logged by node-1", nodes.expectation(mute, "no_log").message)
    end)

    it("refuses what is no pattern or no list of nodes", function()
        for _, call in ipairs { "", "'['", "'x', {nodes = 1}", "'x', {node = {1}}", "'x', {nodes = {7}}", "'x', {nodes = {0.5}}", "'boom%'",
            "'ERROR|panic'", "'\\\\d+ boom'", "'(?i)error'", "'a(b'" } do
            local result = support.run { "check", short("", (":expect_no_log(%s)"):format(call)) }
            assert.equal(2, result.code, result.text)
            assert.matches("expect_no_log", result.err)
        end
        for _, call in ipairs { "'%| %( [|)]'", "'(a)[]]%%'", "'x', {nodes = {'later', 1}}", "'%f[%w]ERROR%f[%W]'" } do
            assert.equal(0, support.run({ "check", short("", (":expect_no_log(%s)"):format(call)) }).code, call)
        end
    end)
end)

describe("TESTNET_ENDPOINTS", function()
    it("names Prometheus and Grafana, without their secrets", function()
        local result = support.run { short(), env = { TESTNET_PRINT_ENDPOINTS = "1",
            LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://me:s3cr3t@127.0.0.1:9", LOGOS_BLOCKCHAIN_GRAFANA_URL = "http://127.0.0.1:3000/" } }
        assert.equal(0, result.code, result.text)
        local said = "TESTNET_ENDPOINTS prometheus=http://*@127.0.0.1:9 grafana=http://127.0.0.1:3000 node-0=http://127.0.0.1:"
        assert.matches(said, result.out, 1, true)
    end)
end)

describe("the summary of a run that failed", function()
    it("has the last lines of trouble, with time and slot", function()
        local result = nodes.run(short([[ctx:wait_for_height(2) ctx:node(0):kill()
            ctx:eventually(function() return ctx:logs(1):grep "WARN"[1] end) ctx:fail "as it is meant to"]], ":enable_node_control()", 400))
        assert.equal(1, result.code, result.text)
        assert.equal(1, #result.summary.log_lines, result.text)
        assert.matches("node%-1 %d+%.%ds %(slot %d+%) WARN .*  logs/logos%-blockchain%-node%-1%.log:%d+\n", result.out)
    end)

    it("leaves out what they say when they are taken down", function()
        local node = support.write("bin/wrapped", ([[#!/bin/sh
trap 'echo "$(date -u +%%FT%%T.%%3NZ) WARN  my peers are gone"; exit 0' TERM
%s "$@" &
while :; do wait; sleep 0.02; done
]]):format(support.quote(nodes.tfl_node())))
        os.execute("chmod +x " .. support.quote(node))
        local result = nodes.run(short('ctx:wait_for_height(1) ctx:fail "as it is meant to"', "", 400), { node = node })
        assert.equal(1, result.code, result.text)
        assert.matches("WARN  my peers are gone", support.read(result.summary.nodes_detail[1].log), 1, true)
        assert.is_nil(result.out:find "peers are gone", result.text)
    end)
end)
