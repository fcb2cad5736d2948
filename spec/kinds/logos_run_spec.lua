-- The kind logos, run with what stands in for the real node: clusters of every form of its interface, what the program is given,
-- and what is refused before anything starts.
local inside = require "spec.topology.inside"
local lfs = require "lfs"
local nodes = require "spec.support.nodes"
local support = require "spec.support"

support.guard()

local PEER_ID = inside [[
    local core = require "tfl.core.keys"
    return core.peer_id(core.ed25519_public(((...):gsub("%x%x", function(two) return string.char(tonumber(two, 16)) end))))
]]

local FORMS = { "J28", "APR", "JUN", "AUG" }

--- f = 0.9 and 16 slots of 1 s: the least that liveness can be judged on.
local function scenario(more, topology)
    return nodes.scenario(([[:topology_with(function(t) t:nodes(3):kind("logos"):slot_duration("1s"):active_slot_coeff(0.9)
        :security_param(3, {unsafe_k = true}) %s end):with_run_duration "16s" %s]]):format(topology or "", more or ""), nodes.WORKLOAD .. [[
        local seen = tfl.expectation "seen"
        function seen:evaluate(ctx)
            local tip = ctx:node(0):client():consensus_info().lib
            for _, d in ipairs(ctx:descriptors()) do
                local file = assert(io.open(d.dir .. "/peer_id", "w"))
                file:write(d.peer_id)
                file:close()
            end
            for _, node in ipairs(ctx:nodes()) do
                local block = node:client():block(tip)
                if block.id ~= tip or block.slot < 1 then ctx:fail("%s gave another block", node.name) end
            end
        end
    ]])
end

local function env(form, more)
    local circuits = support.path "circuits"
    lfs.mkdir(circuits)
    local out = {
        LOGOS_BLOCKCHAIN_NODE_BIN = support.stand_in(), STAND_IN_VERSION = form,
        LOGOS_BLOCKCHAIN_NODE_VERSION = form == "AUG" and "AUG" or nil,
        LOGOS_BLOCKCHAIN_CIRCUITS = form ~= "AUG" and circuits or nil,
    }
    for name, value in pairs(more or {}) do out[name] = value end
    return out
end

it("runs a cluster whatever form its nodes' interface has, gives them what they need, and ends them by SIGINT", function()
    local file, runs = scenario ":expect_consensus_liveness():with_expectation(seen)", {}
    for i, form in ipairs(FORMS) do
        runs[form] = support.start { file, "--quiet", "--keep", "--seed", tostring(i), "--out", support.path(form), env = env(form) }
    end
    for _, form in ipairs(FORMS) do
        local result = runs[form]:wait(120)
        assert.equal(0, result.code, form .. "\n" .. result.text)
        local summary = support.json(support.read(support.path(form) .. "/summary.json"))
        assert.is_true(nodes.expectation({ summary = summary, text = result.text }, "consensus_liveness").figures.canonical >= 7, form)
        for i = 0, 2 do
            local folder = ("%s/nodes/node-%d/"):format(support.path(form), i)
            local record = support.read(folder .. "record.txt")
            assert.truthy(record:find("arg user.yaml\narg --deployment\narg deployment.yaml\n", 1, true), record)
            assert.truthy(record:find "arg %-%-check%-config\n.*\narg user.yaml\n") -- checked, then started
            assert.truthy(record:find("env POL_PROOF_DEV_MODE=true\n", 1, true), record)
            local circuits = form ~= "AUG" and support.path "circuits" or ""
            circuits = ("env LOGOS_BLOCKCHAIN_CIRCUITS=%s\nenv LBC_ROOT_DIR=%s\n"):format(circuits, circuits)
            assert.truthy(record:find(circuits, 1, true), record)
            assert.truthy(record:find("file 600 user.yaml\n", 1, true), record)
            assert.truthy(record:find("file 644 deployment.yaml\n", 1, true), record)
            assert.truthy(record:find "\nsignal INT\n$", record)
            local seeds = 0 -- no secret is anywhere else
            for secret in support.read(folder .. "user.yaml"):gmatch "!%a+%d* '?(%x+)" do
                seeds = seeds + 1
                assert.is_nil(support.read(folder .. "deployment.yaml"):find(secret, 1, true))
                assert.is_nil(support.read(support.path(form) .. "/plan.json"):find(secret, 1, true))
            end
            assert.equal(4, seeds)
            local plan = support.json(support.read(support.path(form) .. "/plan.json")).topology.nodes[i + 1]
            local peer_id = PEER_ID(support.read(folder .. "user.yaml"):match "node_key: '?(%x+)")
            assert.same({ peer_id, peer_id }, { plan.peer_id, support.read(folder .. "peer_id") }, form)
            assert.is_nil(plan.leader_pub)
        end
    end
end)

-- Transfers are made by the node that has the key; inscriptions are free in JUN and paid for in AUG. The stand-in takes an inscription only
-- when its proof is right for the hash that it finds itself.
local TRANSACTIONS = [[
    local function included(ctx, node, tx)
        local hash = ctx:node(node):client():submit_transaction(tx)
        ctx:eventually(function() return ctx:block_feed():transaction(hash) end, { within = "30s" })
        return hash
    end
    local function refused(pattern, f, ...)
        local ok, e = pcall(f, ...)
        local message = type(e) == "table" and e.message or tostring(e)
        if ok or not message:find(pattern) then error(("wanted %s, got %s"):format(pattern, message), 2) end
    end
    function w:start(ctx)
        local a, b = table.unpack(ctx:wallet_accounts())
        equal((1 << 53) + 1, a:balance(), "balance")
        local first = included(ctx, 0, a:transfer { to = b, amount = 5 })
        equal(first, ctx:block_feed():transaction(first) and first)
        included(ctx, 1, a:inscription { channel = "c", data = "one" })
        included(ctx, 2, a:inscription { channel = "c", data = "two" })
        included(ctx, 1, tfl.inscription { data = "three" })
        local one = ctx:node(1):client()
        refused("only node%-0 has the key", one.submit_transaction, one, a:transfer { to = b, amount = 5 })
        refused("status 500, expected 201: insufficient funds$", one.submit_transaction, one, b:transfer { to = a, amount = 100000 })
        refused("a node has the key", a.twin, a)
    end
]]

it("hands transactions in as each form wants it", function()
    local loads = {}
    for _, kind in ipairs { "transfer", "inscription" } do
        loads[kind] = support.write(kind .. ".lua", support.read(scenario(
            (':wallets(2):transactions_with(function(x) x:per_second(5):kind("%s") end)'):format(kind))))
    end
    local scripted = nodes.scenario([[:topology_with(function(t) t:nodes(3):kind("logos"):slot_duration("1s"):active_slot_coeff(0.9)
        :security_param(3, {unsafe_k = true}) end):wallets(3):with_workload(w)]], nodes.WORKLOAD .. TRANSACTIONS)
    local runs = {}
    for _, form in ipairs { "JUN", "AUG" } do
        runs[form] = support.start { scripted, "--quiet", "--out", support.path(form), env = env(form) }
    end
    for kind, file in pairs(loads) do
        runs[kind] = support.start { file, "--quiet", "--out", support.path(kind), env = env "JUN" }
    end
    for name, run in pairs(runs) do
        local result = run:wait(120)
        -- how late this host sent is not what is asked here
        local s = support.json(support.read(support.path(name) .. "/summary.json"))
        local late = loads[name] and result.code == 4
            and nodes.expectation({ summary = s, text = result.text }, "tx_inclusion").code == "generator_lag"
        assert.is_true(result.code == 0 or late, name .. "\n" .. result.text)
    end
    for kind in pairs(loads) do
        local counts = support.json(support.read(support.path(kind) .. "/summary.json")).transactions
        assert.same({ 80, 80, 80 }, { counts.planned, counts.accepted, counts.included }, kind)
    end
end)

it("refuses what the real node cannot do, before anything starts", function()
    local cases = {
        { "slots of 0.2s; the real node takes no less than 1s", env = { CONSENSUS_SLOT_TIME = "0.2" } },
        { "LOGOS_BLOCKCHAIN_NODE_VERSION: there is no form \"JULY\".*there are JUN and AUG",
            env = { LOGOS_BLOCKCHAIN_NODE_VERSION = "JULY" } },
        { "of nodes of the kind logos each has one account, and only 3 have a stake; use :wallets%(3%)", ":wallets(4)" },
        { "wallets: .* hold what their stake is; leave balance out", ":wallets(2, {balance = 5})" },
        { "targets: nodes of the kind logos make the transfers", ":wallets(2):transactions_with(function(x) x:rate(1):targets{0} end)" },
        { "50 transfers for each block by 2 wallets need 250 notes each, and the genesis has room for 83; use x:rate%(16.6%) or less",
            ":wallets(2):transactions_with(function(x) x:rate(50) end)" },
        { "up to 58 transfers, which take up to 2501 each with the fee, and has 100000",
            ":wallets(2):transactions_with(function(x) x:rate(8) end)", env = { LOGOS_BLOCKCHAIN_NODE_VERSION = "AUG" } },
        { "transactions_with: in the form AUG every inscription pays a fee", [[:wallets(2):transactions_with(function(x)
            x:rate(1):kind("inscription") end)]], env = { LOGOS_BLOCKCHAIN_NODE_VERSION = "AUG" } },
        { "link faults: not with the kind logos: its nodes speak QUIC over UDP", ":enable_node_control{links = true}" },
        { "chaos_with: link faults: not with the kind logos", ':chaos_with(function(c) c:partition("halves"):apply() end)' },
        { "expect_conservation: not with the kind logos: .*cannot be replayed", ":expect_conservation()" },
    }
    for _, case in ipairs(cases) do
        local result = support.run { "check", scenario(case[2]), env = case.env }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find(case[1]), result.text)
    end
end)

it("refuses a cluster of two forms, which have a genesis each", function()
    local file = nodes.scenario([[:topology_with(function(t) t:nodes(3):kind("logos"):slot_duration("1s") t:node(1):kind(august) end)]],
        'local august = tfl.kind("august", { base = "logos", version = "AUG" })')
    local result = support.run { "check", file, env = env "JUN" }
    assert.equal(2, result.code, result.text)
    assert.truthy(result.err:find("nodes of the forms JUN %(kind logos%) and AUG %(node%-1, kind august%) cannot be of one cluster"),
        result.text)
    assert.equal(0, support.run({ "check", file, env = env("JUN", { LOGOS_BLOCKCHAIN_NODE_VERSION = "AUG" }) }).code)
end)

it("tells in tfl check which program it would run, or that there is none", function()
    local file = scenario()
    for want, program in pairs { ["program      " .. support.stand_in()] = support.stand_in(),
        ["program      none: kind logos: there is no program logos-blockchain-node on PATH"] = "",
        ["program      none: kind logos: /no/such is not an executable file"] = "/no/such" } do
        local result = support.run { "check", file, env = env("JUN", { LOGOS_BLOCKCHAIN_NODE_BIN = program }) }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find(want, 1, true), result.text)
    end
end)

it("says which program or folder is missing, and which variable names it", function()
    local file, here = scenario(), support.path "circuits"
    local cases = {
        { "there is no program logos%-blockchain%-node on PATH; .*LOGOS_BLOCKCHAIN_NODE_BIN", { LOGOS_BLOCKCHAIN_NODE_BIN = "" } },
        { "circuits is not an executable file; set LOGOS_BLOCKCHAIN_NODE_BIN", { LOGOS_BLOCKCHAIN_NODE_BIN = here } },
        { "circuits are not there: /no/such is not a folder; .*LOGOS_BLOCKCHAIN_CIRCUITS", { LOGOS_BLOCKCHAIN_CIRCUITS = "/no/such" } },
        { "circuits are not there: /.*/home/%.logos%-blockchain%-circuits is not", { LOGOS_BLOCKCHAIN_CIRCUITS = "" } },
    }
    for _, case in ipairs(cases) do
        local result = support.run { file, "--quiet", env = env("JUN", case[2]) }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.out:find(case[1]), result.text)
    end
end)

it("has each node check its files before it is started: what it refuses is told in its words", function()
    local file = support.write("spec.lua", [[
        local kind = tfl.kind("mine", { base = "logos", version = "AUG", program = os.getenv "SPEC_PROGRAM", config = { bogus = 1 },
            deployment = { cryptarchia = { pow_config = { difficulty = 7 } } } })
        tfl.scenario("spec"):topology_with(function(t) t:nodes(2):kind(kind):slot_duration "1s" end):build()
    ]])
    local result = support.run { file, "--quiet", "--out", support.path "out",
        env = { SPEC_PROGRAM = ("../"):rep(30) .. support.stand_in():sub(2), PWD = "/no/such", STAND_IN_VERSION = "AUG" } }
    assert.equal(2, result.code, result.text)
    assert.truthy(result.out:find("node%-%d: [^ ]*/stand_in refuses its configuration %(exit code 1%): Error: user.yaml: unknown field "
        .. "`bogus`"), result.text)
    local deployment = support.read(support.path "out" .. "/nodes/node-0/deployment.yaml")
    assert.truthy(deployment:find("body_root:", 1, true))
    assert.truthy(deployment:find("pow_config:\n    difficulty: 7\n", 1, true), deployment)
    local record = support.read(support.path "out" .. "/nodes/node-0/record.txt")
    assert.equal(1, select(2, record:gsub("arg user.yaml", "")), record) -- it was asked once, and never started
end)

it("tells nodes of OTLP and of their log what the environment says, in their own files and arguments", function()
    local file = nodes.scenario([[:topology_with(function(t) t:nodes(1):kind("logos"):slot_duration("1s"):active_slot_coeff(0.9)
        :security_param(3, {unsafe_k = true}) end):with_workload(w):with_run_duration "2s"]],
        nodes.WORKLOAD .. "function w:start(ctx) ctx:node(0):client():consensus_info() end")
    local function told(more)
        local result = support.run { file, "--quiet", "--keep", "--json", "--seed", "1", env = env("JUN", more) }
        assert.truthy(result.summary and result.summary.verdict ~= "usage" and result.summary.verdict ~= "infra", result.text)
        local folder = result.summary.dir .. "/nodes/node-0/"
        return support.read(folder .. "user.yaml"), support.read(folder .. "record.txt"), result
    end
    local plain, plain_record = told {}
    assert.is_nil(plain:find "metrics")
    assert.matches("level: INFO", plain, 1, true)
    assert.is_nil(plain_record:find("--log-filter", 1, true))
    local function otlp(more)
        local text = told(more)
        local metrics = text:match "metrics: !Otlp\n(.-)\n  %w" or text:match "metrics: !Otlp\n(.*)"
        assert.truthy(metrics, text)
        return metrics:match "endpoint: '?([^'\n]+)", metrics:match "protocol: (%w+)", metrics:match "service_name: (%S+)"
    end
    local endpoint, protocol, name = otlp { LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "http://localhost:4317" }
    assert.same({ "http://localhost:4317", "Grpc" }, { endpoint, protocol })
    assert.matches("^spec%-1%-%x+/node%-0$", name)
    endpoint, protocol = otlp { LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "http://localhost:4317",
        LOGOS_BLOCKCHAIN_OTLP_METRICS_ENDPOINT = "http://localhost:4318/v1/metrics" }
    assert.same({ "http://localhost:4318/v1/metrics", "Http" }, { endpoint, protocol })
    local user, record, result = told { LOGOS_BLOCKCHAIN_METRICS_OTLP_INGEST_URL = "http://me:s3cr3t@127.0.0.1:9",
        LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "http://localhost:4317", LOGOS_BLOCKCHAIN_LOG_LEVEL = "warn",
        LOGOS_BLOCKCHAIN_LOG_FILTER = "cryptarchia=debug" }
    assert.matches("endpoint: '?http://me:s3cr3t@127.0.0.1:9", user)
    assert.matches("protocol: Http", user, 1, true)
    assert.matches("level: WARN", user, 1, true)
    assert.matches("arg --log-filter\narg cryptarchia=debug\n", record, 1, true)
    assert.equal("", (support.sh(("grep -rl s3cr3t %s --exclude=user.yaml"):format(support.quote(result.summary.dir)))))
end)
