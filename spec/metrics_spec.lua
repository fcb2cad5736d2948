-- Metrics: Debian's Prometheus looks at running clusters, as scripts/setup/setup-observability.sh sets it up; bounds on what it saw;
-- the dashboards; and what happens when there is none.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local quote = support.quote

local function free_port()
    return (support.sh [[for p in $(shuf -i 10000-19999 -n 50); do ss -Hltn "sport = :$p" | grep -q . || { echo $p; break; }; done]]
        :match "%d+")
end

local function observability(words)
    return support.sh(("XDG_STATE_HOME=%s %s %s"):format(quote(support.path "state"),
        quote(support.root .. "/scripts/setup/setup-observability.sh"), words))
end

--- Calls fn with the URL of a Prometheus that knows this test's runs.
local function with_prometheus(fn)
    local out, code = observability("host up --port " .. free_port())
    assert.equal(0, code, out)
    local url = out:match "export LOGOS_BLOCKCHAIN_METRICS_QUERY_URL=(%S+)"
    local ok, err = pcall(fn, url)
    local down, down_code = observability "host down"
    if not ok then error(err, 0) end
    assert.equal(0, down_code, down)
end

--- The series that a query gives over the last minutes.
local function series(url, query)
    local text = support.sh(("curl -sS -G %s/api/v1/query_range --data-urlencode query=%s -d start=%d -d end=%d -d step=1"):format(url,
        quote(query), os.time() - 240, os.time()))
    local answer = support.json(text)
    assert.equal("success", answer.status, query .. "\n" .. text)
    return answer.data.result
end

--- Every query of every dashboard, as {dashboard, panel, query}.
local function queries()
    local list = {}
    for _, name in ipairs { "overview", "consensus", "mempool", "network", "faults" } do
        local text = support.read(("%s/assets/stack/monitoring/grafana/dashboards/%s.json"):format(support.root, name))
        local dashboard = support.json(text)
        assert.truthy(dashboard.description:find("kind reference", 1, true), "it says whose metrics it shows")
        assert.equal("datasource", dashboard.__inputs[1].type)
        assert.equal("datasource", dashboard.templating.list[1].type)
        for _, panel in ipairs(dashboard.panels) do
            for _, target in ipairs(panel.targets) do list[#list + 1] = { name, panel.title, target.expr } end
        end
    end
    return list
end

describe("with Prometheus", function()
    it("metrics.lua passes, its twin fails with the value seen, all dashboards have data, and nothing stays", function()
        with_prometheus(function(url)
            local env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = url }
            local good = support.start { "scenarios/metrics.lua", "--json", "--quiet", env = env }
            local twin = support.start { "scenarios/metrics.lua", "--json", "--quiet", "-p", "twin=true", env = env }
            local file = support.eventually(function()
                return support.sh("cat " .. support.path "state/tfl/targets/*.json"):match "%b[]"
            end, 20)
            assert.equal("metrics", support.json(file)[1].labels.scenario)
            local result, bad = good:wait(60), twin:wait(60)
            assert.equal(0, result.code, result.text)
            assert.equal(2, nodes.expectation(result, "peers").figures.value)
            assert.equal(1, bad.code, bad.text)
            local seen = nodes.expectation(bad, "peers")
            assert.equal("metric_bound", seen.code)
            assert.matches('{instance="127.0.0.1:%d+", node="node%-%d"} is 2, >= 1000 was expected', seen.message)
            for _, query in ipairs(queries()) do
                local text = query[3]:gsub("%$run", ".*"):gsub("%$node", ".*"):gsub("%$__rate_interval", "4s")
                assert.is_true(#series(url, text) > 0, table.concat(query, ": "))
            end
            assert.equal("", (support.sh("ls " .. support.path "state/tfl/targets")))

            local wrong = nodes.run(nodes.scenario(":topology_with(function(t) t:nodes(1):slot_duration '50ms' end)"
                .. ":with_run_duration(tfl.slots(40)):expect_metric{query = 'sum(', op = '<', value = 1}"), { env = env })
            assert.equal(2, wrong.code, wrong.text)
            assert.truthy(wrong.out:find("the query sum( is refused: ", 1, true), wrong.text)

            local none = nodes.run(nodes.scenario(":topology_with(function(t) t:nodes(1):slot_duration '50ms' end)"
                .. ":with_run_duration(tfl.slots(40)):expect_metric{query = 'nobody_has_this', op = '<', value = 1, within = '1s'}"),
                { env = env })
            assert.equal(4, none.code, none.text)
            assert.equal("no_sample", nodes.expectation(none, "metric").code)

            for query, message in pairs { ["up[1m]"] = "gives a range of them, and one", ['"5"'] = "gives a text, and one number" } do
                wrong = nodes.run(nodes.scenario((":topology_with(function(t) t:nodes(1):slot_duration '50ms' end)"
                    .. ":with_run_duration(tfl.slots(40)):expect_metric{query = %q, op = '<', value = 1}"):format(query)), { env = env })
                assert.equal(2, wrong.code, wrong.text)
                assert.truthy(wrong.out:find(message, 1, true), wrong.text)
            end

            local lost = nodes.run(nodes.scenario(":topology_with(function(t) t:nodes(1):slot_duration '50ms' end)"
                .. ":with_run_duration(tfl.slots(40)):expect_metric{query = 'up', op = '<', value = 2, within = '1s'}"),
                { env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = url .. "/nowhere" } })
            assert.equal(4, lost.code, lost.text)
            assert.equal("metrics_unreachable", nodes.expectation(lost, "metric").code)
        end)
        assert.equal(0, select(2, support.sh("! test -e " .. support.path "state/tfl/observability")))
    end)

    it("setup-observability.sh says what is wrong with how it is called, and what is up", function()
        for _, words in ipairs { "", "host", "nowhere up", "host up --port x", "host up --port 70000", "host up --nonsense 1" } do
            local out, code = observability(words)
            assert.equal(2, code, out)
            assert.matches("usage: scripts/setup/setup%-observability.sh", out)
        end
        local out, code = observability "host env"
        assert.equal(2, code, out)
        assert.matches("Nothing is up", out)
        with_prometheus(function(url)
            local again, twice = observability "host up"
            assert.equal(0, twice, again)
            assert.matches("up already", again)
            assert.matches("export LOGOS_BLOCKCHAIN_METRICS_QUERY_URL=" .. url:gsub("%p", "%%%0"), again)
        end)
    end)

    it("says what to do when containers cannot be started, and leaves nothing", function()
        for _, name in ipairs { "docker", "docker-compose" } do
            support.sh("chmod +x " .. support.write("shim/" .. name,
                '#!/bin/sh\ncase "$*" in *version*) exit 0 ;; *" down "*) exit 0 ;; esac\necho "no such host" >&2; exit 1\n'))
        end
        local out, code = support.sh(("PATH=%s:$PATH XDG_STATE_HOME=%s %s compose up"):format(support.path "shim", support.path "state",
            quote(support.root .. "/scripts/setup/setup-observability.sh")))
        assert.equal(3, code, out)
        assert.matches("no such host\nThe containers could not be started; Docker says why above.", out, 1, true)
        assert.matches("host up", out, 1, true)
        assert.equal("", (support.sh("ls -A " .. support.path "state/tfl")))
    end)

    it("the stack for containers is one that compose takes", function()
        local out, code = support.sh(("cd %s && TFL_STATE=/s TFL_ASSETS=/a TFL_PROMETHEUS_PORT=1 TFL_GRAFANA_PORT=2 TFL_USER=0:0 "
            .. "docker-compose -f assets/stack/monitoring/docker-compose.yml config"):format(quote(support.root)))
        assert.equal(0, code, out)
        assert.matches("127.0.0.1:1", out, 1, true)
        local rules, fine = support.sh(("promtool check config %s/assets/stack/monitoring/prometheus.yml"):format(quote(support.root)))
        assert.equal(0, fine, rules)
    end)
end)

describe("expect_metric", function()
    local function file(option)
        return nodes.scenario((":topology_with(function(t) t:nodes(1):slot_duration '50ms' end):with_run_duration(tfl.slots(60))"
            .. ":expect_consensus_liveness():expect_metric{query = 'up', op = '>=', value = 1%s}"):format(option or ""))
    end

    it("without a URL is refused by check and run, with the remedy", function()
        for _, command in ipairs { "check", "run" } do
            local result = support.run { command, file() }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find("Set LOGOS_BLOCKCHAIN_METRICS_QUERY_URL", 1, true), result.text)
        end
        local result = support.run { "check", file(), env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://127.0.0.1:9" } }
        assert.equal(0, result.code, result.text)
        for _, url in ipairs { "me:secret@nowhere", "http://127.0.0.1:9/?secret", "http://127.0.0.1:9/#secret" } do
            result = support.run { "check", file(), env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = url } }
            assert.equal(2, result.code, result.text)
            assert.is_nil(result.text:find("secret", 1, true), result.text)
        end
    end)

    it("refuses options that make no sense", function()
        for option, said in pairs { [", op = '=>'"] = "op = ", [", value = 1/0"] = "value = ", [", query = ''"] = "query = ",
            [", quary = 'x'"] = 'did you mean "query"', [", within = 'x'"] = "within" } do
            local result = support.run { "check", file(option), env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://127.0.0.1:9" } }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(said, 1, true), result.text)
        end
    end)

    it("is inconclusive when nobody answers; nothing else is touched, and no secret is told", function()
        local env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://me:s3cr3t@127.0.0.1:9", TFL_LOG = "debug" }
        local junit = support.path "junit.xml"
        local result = support.run { file(), "--json", "--junit", junit, "--report", env = env }
        assert.equal(4, result.code, result.text)
        assert.equal("pass", nodes.expectation(result, "consensus_liveness").verdict)
        assert.equal("metrics_unreachable", nodes.expectation(result, "metric").code)
        assert.is_true(result.summary.wall_seconds < 30, result.text)
        assert.matches("http://*@127.0.0.1:9/api/v1/query", result.err, 1, true)
        local found = support.sh(("grep -rl s3cr3t %s %s %s"):format(quote(support.path "state"), quote(junit),
            quote(support.write("said", result.text))))
        assert.equal("", found)
    end)
end)

describe("a Prometheus that misbehaves", function()
    --- Runs three expectations of metrics and one of a script's own against it; gives what run gives.
    local function with_fake(mode, query)
        local server = support.start { support.root .. "/spec/support/fake_prometheus.py", mode, program = "/usr/bin/python3" }
        local result = nodes.run(nodes.scenario((":topology_with(function(t) t:nodes(1):slot_duration '50ms' end):with_expectation(e)"
            .. ":with_run_duration(tfl.slots(60)):expect_consensus_liveness():expect_metric{query = %q, op = '~=', value = 5}"
            .. ":expect_metric{query = %q, op = '<', value = 5}"):format(query or "up", query or "up"),
            "local e = tfl.expectation 'own'\nfunction e:evaluate(ctx) ctx:telemetry():prometheus():query 'up' end"),
            { env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = "http://127.0.0.1:" .. server:wait_output "port (%d+)" } })
        server:signal "KILL"
        server:wait()
        return result
    end

    for _, mode in ipairs { "silent", "endless", "huge", "broken", "html" } do
        it("fails no run and holds none up, but for expectations of metrics, which are inconclusive: " .. mode, function()
            local result = with_fake(mode)
            assert.equal(4, result.code, result.text)
            assert.equal("pass", nodes.expectation(result, "consensus_liveness").verdict)
            for _, name in ipairs { "metric", "metric_2", "own" } do
                assert.equal("metrics_unreachable", nodes.expectation(result, name).code, result.text)
            end
            local evaluate
            for _, phase in ipairs(result.summary.phases) do evaluate = phase.name == "evaluate" and phase.seconds or evaluate end
            assert.is_true(evaluate < 10, "one wait of five seconds for all: " .. evaluate)
        end)
    end

    it("NaN holds no bound, and says so", function()
        local result = with_fake "NaN"
        assert.equal(1, result.code, result.text)
        assert.equal("up: is NaN, ~= 5 was expected", nodes.expectation(result, "metric").message)
        assert.equal("up: is NaN, < 5 was expected", nodes.expectation(result, "metric_2").message)
    end)
end)

describe("the URL of Prometheus", function()
    it("is checked before anything runs; what may be a secret in it is not told", function()
        for url, said in pairs { ["https://127.0.0.1:9090"] = "not by https://",
            ["http://127.0.0.1:99999"] = "http://127.0.0.1:99999: a URL", ["http://127.0.0.1:abc"] = "a URL",
            ["http://[::1"] = "a URL", ["http://u:p@ss@127.0.0.1"] = "=*: a URL",
            ["http://u:ss/@127.0.0.1:9090"] = "=*: a URL", ["u:ss@127.0.0.1:9090"] = "=*: a URL", ["http://127.0.0.1:0"] = "a URL",
            ["http://127.0.0.1:9?token=ss"] = "=*: a URL", ["http://u:#ss@h"] = "=*: a URL" } do
            local result = support.run { "check", "scenarios/metrics.lua", env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = url } }
            assert.equal(2, result.code, url .. result.text)
            assert.truthy(result.err:find("LOGOS_BLOCKCHAIN_METRICS_QUERY_URL=", 1, true), result.text)
            assert.truthy(result.err:find(said, 1, true), url .. result.text)
            assert.is_nil(result.text:find("ss@", 1, true), result.text)
        end
        for _, url in ipairs { "http://[::1]:9090/", "HTTP://localhost:9090/prometheus", "http://u:p%40@h.example" } do
            local result = support.run { "check", "scenarios/metrics.lua", env = { LOGOS_BLOCKCHAIN_METRICS_QUERY_URL = url } }
            assert.equal(0, result.code, url .. result.text)
        end
    end)
end)

describe("ctx:telemetry()", function()
    it("has no Prometheus without a URL", function()
        local result = nodes.run(nodes.scenario(
            ":topology_with(function(t) t:nodes(1):slot_duration '50ms' end):with_workload(w):with_run_duration(tfl.slots(40))",
            nodes.WORKLOAD .. "function w:start(ctx) equal(nil, ctx:telemetry():prometheus()) end"))
        assert.equal(0, result.code, result.text)
    end)
end)
