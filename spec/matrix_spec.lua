-- `tfl matrix` as a user has it: cells are short runs of real nodes.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local NASTY = [=[<b>x</b> \" & ]]> 'q' | `c` \0 \1 \255 \xed\xa0\x80 *x* \nsecond line]=]

-- A scenario of about a second; `body` is what its function does, with p and ctx.
local function script(body)
    return support.write("cell.lua", ([[
        local p = tfl.params{nodes = 1, bad = 0, text = "-"}
        tfl.script("cell", {nodes = p.nodes, topology = function(t) t:slot_duration "50ms" end}, function(ctx)
            local seed = ctx.run.plan.seed
            ctx:node(0):client():consensus_info()
            %s
        end)]]):format(body))
end

local function flaky() return script(('if p.bad ~= 0 and seed == p.bad then ctx:fail("%%s", "%s") end'):format(NASTY)) end

local function matrix_json(dir)
    return support.json(assert(support.read(dir .. "/matrix.json"), "there is no matrix.json in " .. dir))
end

local function states(m, key)
    local list = {}
    for i, cell in ipairs(m.cells) do list[i] = tostring(cell[key or "state"]) end
    return table.concat(list, " ")
end

-- Waits until the cell of that seed is in its window.
local function wait_window(out, seed)
    support.eventually(function()
        return (support.read(("%s/cell/seed-%d/events.jsonl"):format(out, seed)) or ""):find '"window"'
    end, 20, "the cell of seed " .. seed)
end

local function assert_junit(path)
    local out, code = support.sh(("xmllint --noout --schema %s %s"):format(support.quote(support.root .. "/spec/support/junit.xsd"),
        support.quote(path)))
    assert.equal(0, code, out .. (support.read(path) or ""))
    return support.read(path)
end

describe("a matrix", function()
    it("runs every cell in a folder of its own, names flaky ones, and tells it in all forms", function()
        local out = support.path "m"
        local result = support.run { "matrix", flaky(), "-p", "bad=2,0", "-n", "1,2", "--seeds", "1..2", "--jobs", "4", "--out", out,
            "--junit", support.path "out.xml", "--markdown", support.path "out.md", "--json" }
        assert.equal(1, result.code, result.text)
        local m = result.summary
        assert.same(matrix_json(out).cells, m.cells)
        assert.same({ 1, "done", 1, "fail", 4 }, { m.version, m.state, m.exit_code, m.verdict, m.jobs })
        assert.equal("pass fail pass pass pass fail pass pass", states(m, "verdict"))
        assert.same({ "cell nodes=1 bad=2", "cell nodes=1 bad=0" }, { m.cells[1].name, m.cells[3].name })
        assert.same({ cells = 8, pass = 6, fail = 2, infra = 0, inconclusive = 0, usage = 0, interrupted = 0, not_run = 0 }, m.totals)
        for _, cell in ipairs(m.cells) do
            local summary = support.json(support.read(out .. "/" .. cell.dir .. "/summary.json"))
            assert.same({ cell.verdict, cell.seed, tonumber(cell.params.nodes) }, { summary.verdict, summary.seed, summary.nodes })
            assert.is_number(cell.seconds)
        end
        assert.equal(2, #m.flaky)
        assert.same({ { pass = { 1 }, fail = { 2 } }, "cell nodes=1 bad=2" }, { m.flaky[1].verdicts, m.flaky[1].name })
        assert.truthy(result.out:find "flaky: fail with seed 2", result.text)
        assert.truthy(result.out:find("again     tfl .- %-%-seed 2 %-p bad=2"), result.text)
        assert.truthy(result.err:find "%[8/8%] %u+", result.text)
        local xml = assert_junit(support.path "out.xml")
        assert.equal(8, select(2, xml:gsub("<testsuite ", "")))
        assert.equal(2, select(2, xml:gsub("<failure ", "")))
        assert.truthy(xml:find("&lt;b&gt;x&lt;/b&gt;", 1, true), xml)
        local md = support.read(support.path "out.md")
        assert.truthy(md:find "### FAIL" and md:find "%*%*Flaky%*%*" and md:find "cell nodes=1 bad=2: fail with seed 2", md)
        assert.is_nil(md:find("<b>", 1, true), md)
        assert.truthy(utf8.len(md) and utf8.len(xml))
    end)

    it("adds its summary to that of a CI step, and draws a table on a terminal", function()
        local step = support.write("step.md", "before\n")
        local result = support.run { "matrix", flaky(), "--seeds", "1..2", "--jobs", "2", tty = true, env = { GITHUB_STEP_SUMMARY = step } }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.out:find "cell  ▸▸" and result.out:find "\27%[%dA\r\27%[J", result.text)
        assert.truthy(result.out:find "PASS.-matrix  2 cells", result.text)
        assert.truthy(support.read(step):find "^before\n### PASS", support.read(step))
    end)

    it("goes by --inconclusive, and names the worst", function()
        local file = script('if seed == 1 then ctx:inconclusive("too little") end')
        local words = { "matrix", file, "--seeds", "1..2", "--jobs", "2", "-q", "--out", support.path "m" }
        local result = support.run(words)
        assert.equal(4, result.code, result.text)
        assert.equal("", result.err)
        table.move({ "--inconclusive", "fail" }, 1, 2, #words + 1, words)
        result = support.run(words) -- the same cells, read in another way
        assert.equal(1, result.code, result.text)
        assert.equal("true true", states(matrix_json(support.path "m"), "kept"))
    end)
end)

describe("what was run", function()
    it("is not run again, unless the plan is another", function()
        local out, file = support.path "m", flaky()
        local words = { "matrix", file, "-p", "bad=2", "--seeds", "1..2", "--jobs", "2", "--out", out }
        assert.equal(1, support.run(words).code)
        local first = matrix_json(out)
        words[6] = "1..3"
        local result = support.run(words)
        assert.equal(1, result.code, result.text)
        assert.truthy(result.err:find "3 cells, 2 of them there already", result.text)
        assert.equal("true true nil", states(matrix_json(out), "kept"))
        assert.equal(first.cells[2].message, matrix_json(out).cells[2].message)
        support.write("cell.lua", support.read(file) .. "\n-- changed")
        result = support.run { "matrix", "--resume", out, "--jobs", "3", "--junit", support.path "out.xml" }
        assert.equal(1, result.code, result.text)
        assert.equal("nil nil nil", states(matrix_json(out), "kept"))
        assert_junit(support.path "out.xml")
    end)

    it("stays when the matrix is killed; --resume runs the rest", function()
        local go = support.path "go"
        local file = script(('while seed == 2 and not io.open(%q) do ctx:sleep "50ms" end'):format(go))
        local out = support.path "m"
        local handle = support.start { "matrix", file, "--seeds", "1..3", "--jobs", "1", "--out", out, "--keep" }
        handle:wait_output "%[1/3%] PASS"
        wait_window(out, 2)
        handle:signal "KILL"
        handle:wait(30)
        support.assert_nothing_left()
        support.write("go", "")
        local result = support.run { "matrix", "--resume", out }
        assert.equal(0, result.code, result.text)
        assert.equal("true nil nil", states(matrix_json(out), "kept"))
        assert.equal("pass pass pass", states(matrix_json(out), "verdict"))
    end)
end)

describe("an end before time", function()
    it("by --fail-fast: ends what runs, runs no more, and is the failure's", function()
        local file = script('if seed == 1 then ctx:fail("no") else ctx:sleep "60s" end')
        local result = support.run { "matrix", file, "--seeds", "1..3", "--jobs", "2", "--fail-fast", "--json", "--junit",
            support.path "o.xml" }
        assert.equal(1, result.code, result.text)
        assert.is_true(result.seconds < 40, result.text)
        assert.equal("done not_run not_run", states(result.summary))
        assert.equal("fail_fast", result.summary.state)
        assert.equal(2, select(2, assert_junit(support.path "o.xml"):gsub("<skipped ", "")))
        assert.truthy(result.out:find "tfl matrix %-%-resume", result.text)
        support.assert_nothing_left()
    end)

    it("by Ctrl-C: waits for the clean-up of the cells, tells what there is, exit 130", function()
        local out = support.path "m"
        local handle = support.start { "matrix", script 'ctx:sleep "60s"', "--seeds", "1..3", "--jobs", "2", "--out", out,
            "--junit", support.path "o.xml" }
        for seed = 1, 2 do wait_window(out, seed) end
        local second = support.run { "matrix", "--resume", out }
        assert.equal(2, second.code, second.text)
        assert.truthy(second.err:find "in use by another matrix", second.text)
        handle:signal("INT", true)
        local result = handle:wait(20)
        assert.equal(130, result.code, result.text)
        support.assert_nothing_left()
        assert.truthy(result.out:find "^INTERRUPTED", result.text)
        local m = matrix_json(out)
        assert.same({ "interrupted", 130 }, { m.state, m.exit_code })
        assert.equal("interrupted interrupted nil", states(m, "verdict"))
        for seed = 1, 2 do
            assert.truthy(support.read(("%s/cell/seed-%d/summary.json"):format(out, seed)):find '"interrupted"')
        end
        assert_junit(support.path "o.xml")
    end)

    it("by Ctrl-C twice: leaves at once, and nothing behind", function()
        local out = support.path "m"
        local handle = support.start { "matrix", script 'ctx:sleep "60s"', "--seeds", "1..2", "--jobs", "2", "--out", out }
        for seed = 1, 2 do wait_window(out, seed) end
        handle:signal("INT", true)
        handle:signal("INT", true)
        assert.equal(130, handle:wait(10).code)
        support.assert_nothing_left()
    end)
end)

describe("a cell", function()
    it("whose tfl is killed is infra, with how it ended; the others go on", function()
        local handle = support.start { "matrix", script 'if seed == 1 then ctx:sleep "60s" end', "--seeds", "1..2", "--jobs", "2",
            "--out", support.path "m", "--junit", support.path "o.xml" }
        wait_window(support.path "m", 1)
        support.sh(("pkill -KILL -P %d -f 'seed 1 '"):format(handle.pid))
        local result = handle:wait(20)
        assert.equal(3, result.code, result.text)
        local cell = matrix_json(support.path "m").cells[1]
        assert.equal("infra", cell.verdict)
        assert.truthy(cell.message:find "killed by SIGKILL", cell.message)
        assert.equal("pass", matrix_json(support.path "m").cells[2].verdict)
        assert.equal(1, select(2, assert_junit(support.path "o.xml"):gsub("<error ", "")))
    end)

    it("that failed for several reasons names safety, not the first", function()
        local result = support.run { "matrix", "scenarios/partition_heal.lua", "-p", "twin=true", "-t", "16s", "--out", support.path "m" }
        assert.equal(1, result.code, result.text)
        local cell = matrix_json(support.path "m").cells[1]
        assert.equal("final_conflict", cell.code, result.text)
        assert.matches("^safety: two final blocks", cell.message)
    end)

    it("whose folder cannot be used is refused, with what its tfl said", function()
        local out = support.path "m"
        local words = { "matrix", flaky(), "--out", out, "--seeds", "1..2", "--jobs", "2" }
        assert.equal(0, support.run(words).code)
        support.sh(("rm -r %s/cell/seed-1 && echo precious >%s/cell/seed-1"):format(support.quote(out), support.quote(out)))
        local result = support.run(words)
        assert.equal(2, result.code, result.text)
        local cell = matrix_json(out).cells[1]
        assert.same({ "usage", "refused" }, { cell.verdict, cell.code })
        assert.truthy(cell.message:find "in the way", cell.message)
        assert.equal("precious\n", support.read(out .. "/cell/seed-1"))
    end)
end)

describe("shards", function()
    it("have the cells of the whole between them", function()
        local file, seen = flaky(), {}
        for index = 1, 3 do
            local result = support.run { "matrix", file, "--seeds", "1..2", "--shard", index .. "/3", "--json" }
            assert.equal(0, result.code, result.text)
            for _, cell in ipairs(result.summary.cells) do seen[#seen + 1] = cell.seed end
            assert.same({ index = index, of = 3 }, result.summary.shard)
            assert.equal(index == 3, result.out:find "nothing to run" ~= nil)
        end
        assert.same({ 1, 2 }, seen)
    end)
end)

describe("before anything starts", function()
    it("wrong input is told, by its name", function()
        local file, two = flaky(), support.write("two.lua", 'tfl.scenario("a"):build() tfl.scenario("b"):build()')
        support.write("full/thing", "precious")
        support.write("file", "")
        for _, case in ipairs {
            { { file, "--seeds", "5..1" }, "5%.%.1.*write 1%.%.5" }, { { file, "--shard", "5/4" }, "5/4" },
            { { file, "--jobs", "0" }, "jobs 0" }, { { file, "--jobs", "1000" }, "at most 256" },
            { { file, "-p", "bad=1,,2" }, "value 2 is empty" }, { { file, "-p", "bad=1", "-p", "bad=2" }, "there twice" },
            { { file, "-p", "bda=1,2" }, 'bda=1.*did you mean "bad"' }, { { file, "-p", "bad=1,x" }, "with bad=x" },
            { { file, "-n", "2,two" }, "nodes two" }, { { file, file }, "there twice" }, { { file, "-d", "lokal" }, "lokal" },
            { { file, "nothing.lua" }, "nothing.lua: there is no such file" }, { { two }, "describes 2 scenarios" },
            { { file, "--seeds", "1..99999999999" }, "99999999999 cells, at most 10000" }, { {}, "no scenario file" },
            { { "--resume", support.path "none" }, "no matrix.json" },
            { { file, "--resume", support.path "none" }, "leave .*cell.lua out" },
            { { "--resume", support.path "none", "-d", "local" }, "leave %-%-deployer out" },
            { { file, "--out", support.path "full" }, "not of a matrix" }, { { file, "--out", support.path "file/m" }, "folder" },
            { { file, "--junit", "/dev/full" }, "/dev/full" }, { { file, "--markdown", support.path "file/x.md" }, "x.md" },
        } do
            local words = { "matrix", table.unpack(case[1]) }
            local result = support.run(words)
            local named = table.concat(words, " ") .. "\n" .. result.text
            assert.equal(case[1][3] == "/dev/full" and 3 or 2, result.code, named)
            assert.truthy(result.err:find(case[2]), named)
            assert.is_nil(result.err:find "%[1/", named)
        end
        assert.equal("precious", support.read(support.path "full/thing"))
    end)

    it("runs of one file have a JUnit report of the same form", function()
        local result = support.run { nodes.quick(1), "--junit", support.path "one.xml", "-q" }
        assert.equal(0, result.code, result.text)
        assert_junit(support.path "one.xml")
    end)
end)

describe("the workflow for CI", function()
    it("has a command that works", function()
        local file, text = flaky(), support.read(support.root .. "/assets/ci/matrix.yml")
        local command, words = text:gsub("\\\n", " "):match "\n *(tfl matrix [^\n]+)", { cwd = support.dir() }
        command = command:gsub("%${{ matrix.shard }}", "2"):gsub("scenarios/liveness.lua", file)
        for word in command:gmatch "%S+" do words[#words + 1] = word end
        table.remove(words, 1)
        local result = support.run(words)
        assert.equal(0, result.code, result.text)
        assert.equal(2, #matrix_json(support.path "matrix").cells)
        assert_junit(support.path "junit.xml")
    end)
end)
