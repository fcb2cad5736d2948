-- `tfl report`: one HTML file from a run's folder, in a real browser; what nodes and scripts write cannot break it; broken folders.
local browser = require "spec.support.browser"
local dkjson = require "dkjson"
local support = require "spec.support"
support.guard()

local ID = ("0123456789abcdef"):rep(4)

local function summary(changes)
    local s = {
        version = 1, verdict = "fail", exit_code = 1, scenario = "made", seed = 7, deployer = "local", topology = "2 nodes, star",
        nodes = 2, window_seconds = 5, wall_seconds = 6, again = "tfl made.lua --seed 7",
        blocks = { observed = 1, canonical = 1, forks = 0 },
        nodes_detail = {
            { name = "node-0", height = 1, lib = 0, tip = ID, log = "/elsewhere/logs/logos-blockchain-node-0.log", crashed = true,
                exit = "signal 11" },
            { name = "node-1", height = 1, lib = 0, tip = ID },
        },
        expectations = {
            { name = "safety", verdict = "fail", code = "final_conflict", message = "two of one height", figures = { n = 2 } },
        },
        problems = {}, faults = {}, phases = { { name = "run", seconds = 5 } },
    }
    for key, value in pairs(changes or {}) do s[key] = value end
    return s
end

local function events(lines, head)
    local out = { head or '{"version":1,"run_id":"made-7","scenario":"made","seed":7,"started_at":"2026-01-01T00:00:00Z"}' }
    for _, line in ipairs(lines) do out[#out + 1] = type(line) == "string" and line or dkjson.encode(line) end
    return table.concat(out, "\n") .. "\n"
end

local usual = {
    { t = 0.1, type = "window", s0 = 0, s1 = 100 },
    { t = 0.2, type = "block", slot = 0, height = 0, id = ("0"):rep(64), transactions = 0 },
    { t = 1, type = "block", node = "node-0", slot = 3, height = 1, id = ID, parent = ("0"):rep(64), transactions = 0 },
    { t = 1, type = "adopt", node = "node-0", slot = 3, height = 1, id = ID },
}

--- A run's folder; a value of false leaves the file out, a table is JSON.
local function folder(files)
    local all = { ["summary.json"] = summary(), ["plan.json"] = { scenario = "made", seed = 7 }, ["events.jsonl"] = events(usual) }
    for name, content in pairs(files or {}) do all[name] = content end
    for name, content in pairs(all) do
        if content then support.write("made/" .. name, type(content) == "table" and dkjson.encode(content) or content) end
    end
    return support.path "made"
end

local report = browser.report

it("puts lines of logs beside the clock of the charts, by second and slot, and tells what happened to the host", function()
    local lines = { table.unpack(usual) }
    lines[#lines + 1] = { t = 3, type = "host", what = "clock_jump", ms = -2500 }
    lines[#lines + 1] = { t = 4, type = "host", what = "oom_kill", count = 2 }
    local head = '{"version":1,"run_id":"made-7","scenario":"made","seed":7,"started_at":"x","started_unix_ms":1767323045000}'
    local dir = folder { ["events.jsonl"] = events(lines, head),
        ["plan.json"] = { scenario = "made", seed = 7, genesis_time_ms = 1767323046000, topology = { slot_duration_ms = 200 } },
        ["summary.json"] = summary { host = { loop_lag_ms = 12.3, psi_full = 0.25, steal = 0.1, oom_kills = 2, disk_free_bytes = 5e6,
            clock_jump_ms = -2500 } },
        ["logs/logos-blockchain-node-0.log"] = "2026-01-02T03:04:05.500Z INFO up\n  more\n2026-01-02T05:04:08.3+02:00 WARN <late>\n" }
    local result = support.run { "report", dir }
    assert.equal(0, result.code, result.text)
    local page = support.read(dir .. "/report.html")
    for _, text in ipairs { "    0.5s         2026-01-02T03:04:05.500Z INFO up\n                  more\n"
        .. "    3.3s     11  2026-01-02T05:04:08.3",
        "loop late by up to 12.3ms, all tasks stalled 25.0% of the time, 10.0% of the processors stolen, 2 killed for lack of memory, "
            .. "5.0 MB of disk left, the clock jumped by -2.5s", "2 killed for lack of memory</td>", "the clock jumped by -2.5s</td>" } do
        assert.truthy(page:find(text, 1, true), text)
    end
end)

local CHAOS = [[
tfl.scenario("chaos")
    :topology_with(function(t) t:nodes(4):full():slot_duration("100ms") end)
    :enable_node_control():wallets(5):transactions_with(function(x) x:per_second(20) end)
    :chaos_with(function(c)
        c:restart():min_delay "1s":max_delay "2s":target_cooldown "2s":apply()
        c:partition("halves"):duration "1s":min_delay "3s":max_delay "4s":apply()
    end)
    :with_run_duration "10s":expect_consensus_liveness():build()]]

describe("the report of a chaos run", function()
    it("shows in a browser just what summary.json counts", function()
        local page = support.path "chaos.html"
        local run = support.run { support.write("chaos.lua", CHAOS), "--json", "--report", page, "--keep", timeout = 90 }
        assert.truthy(run.summary and run.summary.blocks and run.summary.blocks.observed > 10, run.text)
        local s, opened = run.summary, browser.open(page)
        assert.same({}, opened.console)
        local charts = browser.charts(opened.dom)
        for name, chart in pairs(charts) do
            for kind, n in pairs(chart.drawn) do assert.equal(chart.said[kind], n, name .. " " .. kind) end
        end
        local nodes, faults, tx = #s.nodes_detail, #s.faults, s.transactions
        assert.is_true(faults >= 3 and tx.included > 50 and s.propagation_ms.samples > 10, run.text)
        assert.same({ tip = nodes, lib = nodes, fault = faults }, charts.heights.drawn)
        assert.same({ accepted = tx.latency_ms.accepted.n, included = tx.latency_ms.included.n,
            final = tx.latency_ms.final.n > 0 and tx.latency_ms.final.n or nil, fault = faults }, charts.latency.drawn)
        assert.same({ planned = tx.planned, sent = tx.sent, included = tx.included, fault = faults }, charts.load.drawn)
        assert.same({ node = nodes, fault = faults }, charts.behind.drawn)
        assert.same({ cell = s.propagation_ms.samples }, charts.propagation.drawn)
        local tree = charts.tree
        assert.equal(s.blocks.observed, tree.drawn.block + (tree.drawn.fork or 0))
        assert.equal(s.blocks.observed, tree.said.observed)
        assert.equal(s.blocks.canonical, tree.said.canonical)
        assert.equal(s.blocks.forks, tree.said.forks)
        if s.blocks.canonical_height < 115 then -- all of it fits into the stretch that the page draws first
            assert.equal(s.blocks.observed, browser.count(tree.body, " in canonical") + browser.count(tree.body, ' in"'))
            assert.equal(s.blocks.canonical, browser.count(tree.body, " in canonical"))
        end
        local deepest = 0
        for depth in charts.reorgs.body:gmatch "left a branch of (%d+)" do deepest = math.max(deepest, tonumber(depth)) end
        assert.equal(s.blocks.max_reorg_depth, deepest)
        for row, n in pairs { expectation = #s.expectations, fault = faults, node = nodes, problem = #s.problems } do
            assert.equal(n, browser.count(opened.dom, ('data-row="%s"'):format(row)), row)
        end
        for name, value in opened.dom:gmatch 'data%-figure="([%w_.]+)" data%-value="([^"]*)"' do
            local at = s
            for key in name:gmatch "[%w_]+" do at = at[key] end
            assert.equal(type(at) == "table" and #at or at, tonumber(value), name)
        end
        assert.truthy(opened.dom:find("--seed " .. s.seed, 1, true))
        local again = support.run { "report", s.dir }
        assert.equal(s.dir .. "/report.html\n", again.out, again.text)
        assert.truthy(support.read(s.dir .. "/report.html"))
    end)
end)

describe("a report", function()
    it("needs no network and nothing else of this machine", function()
        local html = report(folder())
        assert.is_nil(html:find "https?://[^w]" or html:find "<link[^>]*href=\"[^d]" or html:find "<script src")
        assert.truthy(html:find("default-src 'none'", 1, true))
        for url in html:gmatch "https?://[^\"' ]*" do assert.equal("http://www.w3.org/2000/svg", url) end
    end)

    it("is used with the keyboard, and has colours for dark and light", function()
        local lines = {}
        for h = 1, 300 do
            local parent = h == 1 and ("0"):rep(64) or ("%064x"):format(h - 1)
            lines[#lines + 1] = { t = h, type = "block", node = "node-1", slot = h, height = h, id = ("%064x"):format(h), parent = parent,
                transactions = h }
            if h % 100 == 50 then
                lines[#lines + 1] = { t = h, type = "block", node = "node-0", slot = h, height = h, id = ("f%063x"):format(h),
                    parent = parent, transactions = 0 }
            end
        end
        table.insert(lines, 1, usual[2])
        table.insert(lines, usual[4])
        local _, path = report(folder { ["events.jsonl"] = events(lines) })
        local said, page = browser.with(path, [[
            const box = document.getElementById("tree-box"), text = () => document.getElementById("tree-say").textContent;
            const press = (key) => { box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })); return text(); };
            say(box.tabIndex); say(press("Home")); say(press("ArrowRight")); say(press("End"));
            document.getElementById("tree-first").click(); document.getElementById("tree-fork").click();
            press("Home"); document.getElementById("tree-fork").click(); say(text()); say(press("ArrowUp"));
            const ink = () => getComputedStyle(document.body).backgroundColor;
            const pick = (value) => { document.querySelector(`.theme input[value="${value}"]`).click(); return ink(); };
            say(pick("light") !== pick("dark"));
            const node = document.querySelector("button.node"); node.click();
            say(node.getAttribute("aria-pressed") + document.querySelectorAll("path.on").length);]])
        assert.same({}, page.console)
        assert.equal("0", said[1])
        assert.truthy(said[2]:find "^height 0,", said[2])
        assert.truthy(said[3]:find "^height 1, slot 1, block 00000000…, first told by node%-1, at 1.0 s, 1 transactions", said[3])
        assert.truthy(said[4]:find "^height 300,", said[4])
        assert.truthy(said[5]:find "^height 50, .*off the chain", said[5])
        assert.truthy(said[6]:find "^height 50, .*on the chain", said[6])
        assert.same({ "true", "true2" }, { said[7], said[8] })
    end)

    it("is not broken by what scripts, nodes and logs write", function()
        local nasty = "<script>document.documentElement.dataset.pwned = 1</script>"
            .. "<img src=x onerror='document.documentElement.dataset.pwned = 1'>"
            .. "]]> --> </script> </style> </title> \"' \0 \1 \27[31m \xff\xfe \xed\xa0\x80 \u{2028}\u{2029}\u{202e} &amp; <!-- <![CDATA["
        local one = summary {
            scenario = nasty, again = nasty, topology = nasty, deployer = nasty, run_id = nasty, started_at = nasty,
            expectations = {
                { name = nasty, verdict = nasty, code = nasty, message = nasty, figures = { [nasty] = 1 }, units = { [nasty] = nasty } },
            },
            problems = { { verdict = "fail", code = nasty, message = nasty, node = nasty } },
            nodes_detail = { { name = nasty, height = 1, tip = nasty, exit = nasty, crashed = true,
                log = "/x/logs/logos-blockchain-node-0.log" } },
            faults = { { id = 1, name = nasty, verb = nasty, targets = { nasty }, by = nasty, from = 1, text = nasty, error = nasty } },
            phases = { { name = nasty, seconds = 1 } },
        }
        local lines = {
            usual[1], usual[2], { t = 1, type = "block", node = nasty, slot = 1, height = 1, id = nasty, parent = ("0"):rep(64) },
            { t = 1, type = "adopt", node = nasty, slot = 1, height = 1, id = nasty },
            { t = 2, type = "reorg", node = nasty, height = 1, depth = 1 }, { t = 2, type = "log", from = nasty, message = nasty },
            { t = 2, type = "conflict", node = nasty, code = nasty, message = nasty }, { t = 2, type = nasty },
            { t = 2, type = "fault_skipped", verb = nasty, targets = { nasty }, reason = nasty },
            { t = 2, type = "node_exited", node = nasty, asked = false, status = nasty },
            { t = 2, type = "propagation", node = nasty, from = { nasty }, n = { 1 }, p50_ms = { 1 }, max_ms = { 2 } },
        }
        local html, path = report(folder {
            ["summary.json"] = one, ["events.jsonl"] = events(lines), ["logs/logos-blockchain-node-0.log"] = nasty .. "\nlast\n",
        })
        assert.is_nil(html:find "[%z\1-\8\11-\31\127]")
        assert.truthy(utf8.len(html))
        local said, page = browser.with(path, [=[say(document.documentElement.dataset.pwned || "fine");
            say(document.querySelectorAll("main img, main script, main style, header img, header script").length);
            say(document.querySelectorAll("#tree-box circle").length);
            say(document.querySelector("pre.log").textContent.includes("]]>"));]=])
        assert.same({}, page.console)
        assert.same({ "fine", "0", "2", "true" }, said)
    end)

    it("sees errors on the console and marks that are missing (these specs can fail)", function()
        local page = browser.open(support.write("bad.html", "<!doctype html><script>nobody()</script>"))
        assert.equal(1, #page.console)
        local charts = browser.charts '<figure data-chart="a" data-marks-x="3"><g data-mark="x" data-n="2"></g></figure>'
        assert.same({ x = 3 }, charts.a.said)
        assert.same({ x = 2 }, charts.a.drawn)
    end)

    it("has place for many nodes and many faults", function()
        local nodes, lines, faults, samples = {}, { usual[1], usual[2], usual[3] }, {}, 0
        for i = 1, 100 do
            nodes[i] = { name = "node-" .. i, height = 1, tip = ID }
            lines[#lines + 1] = { t = 1 + i / 50, type = "adopt", node = "node-" .. i, slot = 3, height = 1, id = ID }
            lines[#lines + 1] = { t = 4, type = "propagation", node = "node-" .. i, from = { "node-1", "node-50" }, n = { 2, i },
                p50_ms = { 1.5, i }, max_ms = { 2, 200 } }
            samples = samples + 2 + i
        end
        for i = 1, 3000 do
            faults[i] = { id = i, verb = "restart", targets = { "node-1" }, by = "chaos", from = i / 1000, to = i / 1000 }
        end
        local html = report(folder { ["events.jsonl"] = events(lines), ["summary.json"] = summary { nodes_detail = nodes, faults = faults,
            nodes = 100, verdict = "pass" } })
        local charts = browser.charts(html)
        assert.same({ tip = 100, lib = 100, fault = 3000 }, charts.heights.drawn)
        assert.same({ node = 100, fault = 3000 }, charts.behind.drawn)
        assert.same({ cell = samples }, charts.propagation.drawn)
        assert.is_true(browser.count(charts.propagation.body, "data-mark=") <= 32 * 32)
        assert.is_true(browser.count(charts.heights.body, 'data-mark="fault"') <= 480)
    end)

    it("shows the end of the log of a node that died, wherever the folder is now", function()
        local log = {}
        for i = 1, 3000 do log[i] = "line " .. i end
        local html = report(folder { ["logs/logos-blockchain-node-0.log"] = table.concat(log, "\n") .. "\n" })
        assert.truthy(html:find("line 2961\n.*line 3000</pre>"))
        assert.is_nil(html:find("line 2960\n", 1, true))
        assert.is_nil(html:find("logos-blockchain-node-1.log", 1, true))
    end)

    it("works from an installed prefix", function()
        local prefix, build = support.path "a prefix", support.tfl:gsub("/bin/[^/]*$", "")
        local out, code = support.sh(("cmake --install %s --prefix %s"):format(support.quote(build), support.quote(prefix)))
        assert.equal(0, code, out)
        local result = support.run { "report", folder(), program = prefix .. "/bin/tfl", cwd = "/" }
        assert.equal(0, result.code, result.text)
        assert.truthy(support.read(support.path "made/report.html"):find("tree-box", 1, true))
    end)
end)

describe("what changes no verdict", function()
    it("is told beside the problems", function()
        local warning = { code = "stop_forced", message = "node-1 did not end <in time>", nodes = { "node-1" }, count = 1 }
        local html = report(folder { ["summary.json"] = summary { warnings = { warning } } })
        assert.truthy(html:find(">Warnings</h2>", 1, true))
        html = report(folder { ["summary.json"] = summary { warnings = { warning }, problems = { { verdict = "fail", code = "x" } } } })
        assert.truthy(html:find(">Problems and warnings</h2>", 1, true))
        assert.truthy(html:find("node-1 did not end &lt;in time&gt;", 1, true))
    end)
end)

describe("an event of a type that tfl writes", function()
    it("is known to a report, and told of by the record's README", function()
        local readme = support.read(support.root .. "/engine/record/README.md")
        local lines, told = {}, {}
        for cell in readme:match("\n| type | by .*"):gmatch "\n| ([^|]+) |" do
            for kind in cell:gmatch "`([%w_]+)`" do lines[#lines + 1], told[kind] = { t = 1, type = kind }, true end
        end
        local written = support.sh("grep -rhoE 'event\\(\"[a-z_]+\"' " .. support.quote(support.root .. "/lua/tfl"))
        for kind in written:gmatch '"([a-z_]+)"' do assert.truthy(told[kind], kind) end
        assert.truthy(told.pod_event and told.block)
        local html = report(folder { ["events.jsonl"] = events { usual[2], usual[4], table.unpack(lines) } })
        assert.is_nil(html:match "Events of types that this tfl does not know[^<]*")
    end)
end)

describe("a folder that is old or broken", function()
    local cut = events(usual) .. '{"t":2,"type":"ado'
    local cases = {
        { "without a summary", { ["summary.json"] = false }, "The run did not come to its end", 'data-chart="heights"' },
        { "with no more than the guardian's word", { ["summary.json"] = { version = 1, verdict = "infra", error = { code = "tfl_killed",
            message = "gone" } }, ["plan.json"] = { again = "tfl made.lua -n 2" } }, "tfl_killed", "tfl made.lua -n 2" },
        { "without events", { ["events.jsonl"] = false }, "events.jsonl cannot be read, so there are no charts", "final_conflict" },
        { "without a plan", { ["plan.json"] = false }, "plan.json is not there", 'data-chart="heights"' },
        { "whose last event is cut off", { ["events.jsonl"] = cut }, "The last line of events.jsonl is cut off", 'data-chart="heights"' },
        { "with lines that are no JSON", { ["events.jsonl"] = events { "nonsense", "[1,", usual[2], usual[3], usual[4] } },
            "2 lines of events.jsonl cannot be read", 'data-chart="heights"' },
        { "with events of an unknown type", { ["events.jsonl"] = events { usual[2], usual[4], { t = 1, type = "teleport" } } },
            "teleport (1)", 'data-chart="heights"' },
        { "of another version", { ["events.jsonl"] = events(usual, '{"version":9}') }, "version 9", "final_conflict" },
        { "with a summary of another version", { ["summary.json"] = summary { version = 9 } }, "summary.json is of version 9",
            'data-chart="heights"' },
        { "with a summary that is cut off", { ["summary.json"] = '{"version":1,"verdict":' }, "summary.json cannot be read",
            'data-chart="heights"' },
        { "with empty files", { ["summary.json"] = "", ["events.jsonl"] = "", ["plan.json"] = "" }, "events.jsonl is empty", "unknown" },
    }
    for _, case in ipairs(cases) do
        it(case[1] .. " gives a page that says so", function()
            local html = report(folder(case[2]))
            assert.truthy(html:find(case[3], 1, true), case[3])
            assert.truthy(html:find(case[4], 1, true), case[4])
            assert.truthy(html:find('<main id="main">\n<section id="notes"', 1, true), "at the head of the page")
        end)
    end

    it("with values of wrong types gives a page", function()
        local kinds = { 1, "x", true, { 1, 2 }, { a = { b = "c" } }, { {} }, 1.5, -1, 1e300 }
        for _, value in ipairs(kinds) do
            local broken, lines = { version = 1 }, {}
            for key in pairs(summary { transactions = 1, propagation_ms = 1, host = 1 }) do
                if key ~= "version" then broken[key] = value end
            end
            for kind in ([[window block adopt final reorg stale conflict gap log phase verdict problem warning node_exited fault fault_end
                fault_ready fault_skipped propagation transaction_times]]):gmatch "%S+" do
                local event = { type = kind }
                for key in ([[t s0 s1 slot height id parent node transactions depth code message from name asked status targets n p50_ms
                    max_ms began intended sent accepted included final version verb]]):gmatch "%S+" do event[key] = value end
                lines[#lines + 1] = event
                lines[#lines + 1] = { t = 1, type = kind, node = "node-0", id = value, height = 2, slot = value, began = 1,
                    intended = { value }, sent = { value }, from = { "node-0" }, n = { value }, p50_ms = { value }, depth = 1 }
            end
            report(folder { ["summary.json"] = broken, ["plan.json"] = broken, ["events.jsonl"] = events(lines) })
        end
    end)

    it("that is none of a run's is refused, by name", function()
        support.write("other/file", "x")
        for path, why in pairs { [support.path "other"] = "no run's folder", [support.path "nowhere"] = "no such folder" } do
            local result = support.run { "report", path }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(why, 1, true) and result.err:find(path, 1, true), result.text)
        end
        local full = support.run { "report", folder(), "--out", support.path "nowhere/page.html" }
        assert.equal(2, full.code, full.text)
        assert.truthy(full.err:find("nowhere/page.html", 1, true), full.text)
    end)
end)

describe("--report", function()
    it("takes no scenario for the report, and one file for one run", function()
        local file = support.write("mine.lua", "tfl.script('a', function() end) tfl.script('b', function() end)")
        local result = support.run { "--report", file, file }
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find("put the scenario before --report", 1, true), result.text)
        local two = support.run { file, "--report", support.path "x.html" }
        assert.equal(2, two.code, two.text)
        assert.truthy(two.err:find("--report takes a file for one run; these are 2", 1, true), two.text)
        local nowhere = support.run { "scenarios/liveness.lua", "--report", support.path "nowhere/x.html" }
        assert.equal(2, nowhere.code, nowhere.text) -- before the run
        assert.is_nil(support.run_folder())
    end)
end)
