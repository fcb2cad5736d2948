-- Secrets are planted wherever one can come from (variables, parameters, what a node prints, what a script says), and looked for in
-- everything that tfl tells or writes. Only files that nodes need, and what nodes print, have them: those are the owner's alone.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local quote = support.quote

local WORDS = { "s3cr3t", "B34R3R-T0K3N", "P4SSW0RD", "P4R4M", "QU3RY", "K3YK3Y" }

--- A node that prints secrets, its own key too, and dies of it; a workload that asks it with one, and tells of another.
local SCENARIO = [[
local p = tfl.params{url = "", token = ""}
local k = tfl.kind("teller", {ports = {"http"}, ready = {log = "pushing"},
  command = function(n)
    return {"sh", "-c", "cat conf; echo \"ERROR pushing to $PUSH, authorization: Bearer B34R3R-T0K3N, password=P4SSW0RD\"; "
      .. "echo \"panicked at swarm { node_key: Key(\\\"$KEY\\\"), api_key: 'K3YK3Y' }\"; until test -e over; do sleep 0.05; done; exit 3"}
  end,
  env = function(n) return {PUSH = n.otlp.endpoint, KEY = n.keys.node_key} end,
  files = function(n) return {conf = "url: " .. n.otlp.endpoint .. "\n", open = "nothing"} end})
local w = tfl.workload "w"
function w:start(ctx)
  ctx:log("asks %s with token=%s", p.url, p.token)
  local ok, err = tfl.try(function() return ctx:node(0):client():get("/?token=QU3RY") end)
  ctx:log("%s", err.message)
  tfl.exec{"touch", ctx:descriptors()[1].dir .. "/over"}
  ctx:sleep "20s"
end
tfl.scenario("teller"):topology_with(function(t) t:nodes(1):kind(k):slot_duration "200ms" end)
  :with_workload(w):with_run_duration "20s":expect_no_log("nobody says this"):build()
]]

local ENV = {
    TFL_LOG = "debug", TESTNET_PRINT_ENDPOINTS = "1", LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://me:s3cr3t@127.0.0.1:9",
    LOGOS_BLOCKCHAIN_GRAFANA_URL = "http://me:s3cr3t@127.0.0.1:9", LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "http://me:s3cr3t@127.0.0.1:9",
}
local GIVEN = { "-p", "url=http://me:s3cr3t@host/x", "-p", "token=P4R4M" }

local function with(...)
    local spec = { env = ENV, ... }
    for _, word in ipairs(GIVEN) do spec[#spec + 1] = word end
    return spec
end

--- Fails when a word is in a text, or in a file of the test's folder that others can read, but for the scenario's own.
local function assert_not_told(key, ...)
    local words = { key, table.unpack(WORDS) }
    for _, text in ipairs { ... } do
        for _, word in ipairs(words) do assert.is_nil(text:find(word, 1, true), word .. " is in\n" .. text) end
    end
    for _, word in ipairs(words) do
        local found = support.sh(("find %s -type f -perm /077 ! -name '*.lua' -print0 | xargs -0 grep -laF -- %s"):format(
            quote(support.dir()), quote(word)))
        assert.equal("", found, word)
    end
end

it("are in nothing that a run tells or writes, but in what only its owner can read", function()
    local file, junit = support.write("teller.lua", SCENARIO), support.path "junit.xml"
    local result = support.run(with(file, "--json", "--keep", "--report", "--junit", junit))
    assert.equal(1, result.code, result.text)
    assert.equal("node_exited", result.summary.error.code, result.text)
    local dir = result.summary.dir
    local log = support.read(dir .. "/logs/logos-blockchain-node-0.log")
    local key = log:match 'node_key: Key%("(%x+)"%)'
    assert.matches("pushing to http://me:s3cr3t@127.0.0.1:9, authorization: Bearer B34R3R-T0K3N, password=P4SSW0RD", log, 1, true)
    assert.matches("pushing to http://*@127.0.0.1:9, authorization: Bearer *, password=*", result.summary.error.message, 1, true)
    for _, path in ipairs { "events.jsonl", "summary.json", "plan.json", "report.html" } do
        assert.truthy(#support.read(dir .. "/" .. path) > 0, path)
    end
    local owners = support.sh(("cd %s && stat -c '%%a %%n' logs/* nodes/node-0/conf nodes/node-0/open"):format(quote(dir)))
    assert.equal("600 logs/logos-blockchain-node-0.log\n600 nodes/node-0/conf\n644 nodes/node-0/open\n", owners)
    local again = support.run { "report", dir, env = ENV }
    local others = { again.text, result.text }
    for _, words in ipairs { { "check", file }, { "doctor" }, { "help", "env" } } do
        words.env = ENV
        others[#others + 1] = support.run(words).text
    end
    assert_not_told(key, table.unpack(others))
end)

it("are not in what a matrix tells or writes; --resume says that one is missing", function()
    local file, out = support.write("teller.lua", SCENARIO), support.path "matrix"
    local result = support.run(with("matrix", file, "--seeds", "1", "--out", out, "--report", "--junit", support.path "junit.xml",
        "--markdown", support.path "said.md"))
    assert.equal(1, result.code, result.text)
    assert_not_told("nothing at all", result.text)
    local resumed = support.run { "matrix", "--resume", out, env = ENV }
    assert.equal(2, resumed.code, resumed.text)
    assert.matches("its command had a secret, which is not kept", resumed.err, 1, true)
end)

it("refuses a file with one that others can read", function()
    local file = nodes.scenario([[:topology_with(function(t) t:nodes(1):kind(tfl.kind("open", {command = {"sleep", "9"}, ports = {"http"},
        ready = function() return true end, files = {x = {content = "password: P4SSW0RD", mode = 420}}})) end)
        :with_run_duration "1s":expect_no_log "x"]])
    local result = support.run { file }
    assert.equal(2, result.code, result.text)
    assert.matches("it has a key of the node or another secret in it, and mode 644 lets others read it", result.text, 1, true)
end)
