-- The report of a matrix: all cells of a real one, in a real browser; nothing in it breaks the page; broken and unfinished folders.
local browser = require "spec.support.browser"
local dkjson = require "dkjson"
local support = require "spec.support"
support.guard()

local NASTY = [=[</script><script>document.title='taken'</script><b>"'&]]> ]=] .. "\0\27[31m\255\u{202E}"

local function cell(changes)
    local one = {
        name = "made n=1", scenario = "made", file = "made.lua", params = { n = "1" }, deployer = "local", seed = 1, state = "done",
        verdict = "pass", code = "ok", message = "", exit_code = 0, seconds = 1.5, dir = "made/seed-1", again = "tfl made.lua --seed 1",
    }
    for key, value in pairs(changes or {}) do one[key] = value end
    return one
end

local function folder(cells, changes)
    local m = {
        version = 1, argv = { "matrix", "made.lua" }, state = "done", verdict = "fail", exit_code = 1, jobs = 2, seconds = 4,
        started_at = "2026-01-01T00:00:00Z", totals = { cells = #cells }, flaky = {}, cells = cells,
    }
    for key, value in pairs(changes or {}) do m[key] = value end
    support.write("made/matrix.json", dkjson.encode(m))
    return support.path "made"
end

local report = browser.report

local function count(html, row) return browser.count(html, ('data-row="%s"'):format(row)) end

describe("the report of a matrix", function()
    it("has every cell, why those failed that did, and is used with the keyboard", function()
        local file = support.write("cell.lua", [[
            local p = tfl.params{nodes = 1, bad = 0}
            tfl.script("cell", {nodes = p.nodes, topology = function(t) t:slot_duration "50ms" end}, function(ctx)
                ctx:node(0):client():consensus_info()
                if ctx.run.plan.seed == p.bad then ctx:fail("too low: <i>%d</i>", 7) end
            end)]])
        local page = support.path "m.html"
        local run = support.run { "matrix", file, "-p", "bad=2,0", "--seeds", "1..2", "--jobs", "4", "--out", support.path "m",
            "--report", page, "--json" }
        assert.equal(1, run.code, run.text)
        assert.truthy(run.out:find("report    ", 1, true), run.text)
        local said, opened = browser.with(page, [[
            const marks = [...document.querySelectorAll("a.mark")];
            const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            marks[0].focus(); press("ArrowRight"); say(marks.indexOf(document.activeElement));
            press("ArrowDown"); say(marks.indexOf(document.activeElement)); press("Home"); say(marks.indexOf(document.activeElement));
            const box = document.getElementById("passes"), shown = () => [...document.querySelectorAll("table.cells tbody tr")].filter(
                (row) => row.offsetHeight > 0).length;
            say(shown()); box.click(); say(shown());
            location.hash = "#cell-1"; dispatchEvent(new HashChangeEvent("hashchange")); say(shown());
            location.hash = "#why-2"; dispatchEvent(new HashChangeEvent("hashchange"));
            say(document.querySelector("#why-2 details").open);]])
        assert.same({}, opened.console)
        assert.same({ "1", "3", "2", "4", "1", "4", "true" }, said)
        local html, m = opened.dom, run.summary
        assert.equal(4, browser.count(html, 'data-mark="cell"'))
        assert.same({ 4, 1, 1 }, { count(html, "cell"), count(html, "failed"), count(html, "flaky") })
        for name, value in html:gmatch 'data%-figure="totals.([%w_]+)" data%-value="(%d+)"' do
            assert.equal(m.totals[name], tonumber(value), name)
        end
        local shown = select(2, html:gsub("too low: &lt;i&gt;7&lt;/i&gt;", ""))
        local commands = select(2, html:gsub("cell.lua [^<]*%-%-seed 2 ", ""))
        assert.same({ 2, 3 }, { shown, commands }, "the message in the list and in what the folder says; a command for each of two cells, "
            .. "and again in the list")
        assert.truthy(html:find("what its folder says", 1, true))
        for url in html:gmatch "https?://[^\"' ]*" do assert.equal("http://www.w3.org/2000/svg", url) end
        local again = support.run { "report", support.path "m" }
        assert.equal(support.path "m" .. "/report.html\n", again.out, again.text)
    end)

    it("leaves out no cell that is not a pass, whatever state it is in", function()
        local html = report(folder({
            cell(), cell { seed = 2, verdict = "fail", code = "stalled" }, cell { seed = 3, state = "running", verdict = false },
            cell { seed = 4, state = "not_run", verdict = false, code = false }, cell { seed = 5, state = "waiting", verdict = "pass" },
            cell { seed = 6, verdict = "who knows" }, cell { seed = 7, state = false }, cell { seed = 8, state = 7, verdict = {} },
            17, cell { seed = 9, verdict = "infra", code = "no_summary", dir = "../../etc" },
        }, { totals = { cells = 99 }, state = "running", verdict = false }))
        assert.same({ 10, 9 }, { count(html, "cell"), count(html, "failed") })
        for _, text in ipairs { "not run", "running", "waiting", "who knows", "no_summary", "counts 99 cells and lists 10", "was not over",
            "tfl matrix --resume " } do
            assert.truthy(html:find(text, 1, true), text)
        end
        assert.is_nil(html:find("tfl report .-etc"))
    end)

    it("is not broken by what names, messages and commands hold", function()
        local _, path = report(folder({ cell { verdict = "fail", name = NASTY, scenario = NASTY, params = { [NASTY] = NASTY },
            deployer = NASTY, code = NASTY, message = NASTY:rep(200), again = NASTY } }, { argv = { NASTY }, started_at = NASTY }))
        local opened = browser.open(path)
        assert.same({}, opened.console)
        assert.is_nil(opened.dom:find "<title>taken" or opened.dom:find "<b>\"'" or opened.dom:find "[%z\27]")
        assert.equal(1, count(opened.dom, "failed"))
        assert.truthy(utf8.len(opened.dom))
    end)

    it("stays small with ten thousand cells", function()
        local cells = {}
        for i = 1, 10000 do
            cells[i] = cell { seed = i, verdict = i % 2 == 0 and "fail" or "pass", message = ("x"):rep(3000), dir = "made/seed-" .. i,
                again = "tfl made.lua --seed " .. i }
        end
        local html = report(folder(cells))
        assert.same({ 10000, 5000 }, { count(html, "cell"), count(html, "failed") })
        assert.is_true(#html < 12e6, tostring(#html))
    end)

    it("says what a folder lacks", function()
        support.write("broken/matrix.json", "{\"cells\":")
        support.write("old/matrix.json", '{"version":99,"cells":[]}')
        support.write("bare/.tfl-matrix", "")
        for name, text in pairs { broken = "matrix.json cannot be read", old = "version 99", bare = "matrix.json is not there" } do
            local result = support.run { "report", support.path(name) }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find(text, 1, true), result.text)
        end
        local result = support.run { "matrix", "nothing.lua", "--report", support.path "x.lua" }
        assert.equal(2, result.code)
        assert.truthy(result.err:find("ends in .html", 1, true), result.text)
    end)
end)
