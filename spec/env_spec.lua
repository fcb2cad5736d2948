-- The table of variables: help, README and specs agree with it; what is misspelt is told; effects that no other spec shows.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()

local quote = support.quote

--- The check on a copy of the tree, with one file changed.
local function lint(file, change)
    local dir = support.dir() .. "/tree"
    support.sh(("mkdir -p %s && cd %s && cp -R README.md lua engine bindings scripts spec %s"):format(dir, quote(support.root), dir))
    if file then support.write(dir .. "/" .. file, change(support.read(dir .. "/" .. file))) end
    return support.sh(("lua5.4 %s %s"):format(quote(support.root .. "/scripts/lint/environment.lua"), quote(dir)))
end

describe("the check of the environment", function()
    it("passes on this tree", function()
        local out, code = lint()
        assert.equal(0, code, out)
        assert.equal("", out)
    end)

    local cases = {
        { "a row without a spec", "lua/tfl/env.lua", function(text)
            return (text:gsub("M.rows = {", 'M.rows = {\n    { "TFL_NEW", "new" },', 1))
        end, "TFL_NEW has no spec" },
        { "a row whose spec does not mention it", "lua/tfl/env.lua", function(text)
            return (text:gsub("M.rows = {", 'M.rows = {\n    { "TFL_NEW", "new", "hang" },', 1))
        end, "spec/hang_spec.lua: it does not mention TFL_NEW" },
        { "a row whose spec is not there", "lua/tfl/env.lua", function(text)
            return (text:gsub("M.rows = {", 'M.rows = {\n    { "TFL_NEW", "new", "nowhere" },', 1))
        end, "TFL_NEW: there is no spec/nowhere_spec.lua" },
        { "a README that tells otherwise", "README.md", function(text) return (text:gsub("| `NO_COLOR` | [^\n]*\n", "")) end,
            "README.md: its table" },
        { "a source that looks at another", "lua/tfl/text.lua", function(text) return 'local _ = os.getenv "TFL_NEW"\n' .. text end,
            "lua/tfl/text.lua: it looks at TFL_NEW" },
        { "a script that looks at another", "scripts/run.sh", function(text) return text .. "\necho $" .. "{LOGOS_BLOCKCHAIN_NEW:-}\n" end,
            "scripts/run.sh: it looks at LOGOS_BLOCKCHAIN_NEW" },
    }
    for _, case in ipairs(cases) do
        it("finds " .. case[1], function()
            local out, code = lint(case[2], case[3])
            assert.equal(1, code, out)
            assert.truthy(out:find(case[4], 1, true), out)
        end)
    end
end)

describe("variables that look like tfl's and are not", function()
    local function warnings(env, ...)
        local result = support.run { env = env, ... }
        assert.equal(0, result.code, result.text)
        return result.err
    end

    it("are told with the near name, and change nothing", function()
        local said = warnings({ LOGOS_BLOCKCHAIN_DEMO_NODE = "2", TFL_LOGS = "debug", COMPOSE_RUNNER_PRESERV = "1",
            K8S_RUNNER_SOMETHING_ELSE = "secret-value" }, "check", "scenarios/liveness.lua")
        assert.truthy(said:find("DEMO_NODE is set, and there is no such variable; did you mean LOGOS_BLOCKCHAIN_DEMO_NODES", 1, true), said)
        assert.truthy(said:find("TFL_LOGS is set, and there is no such variable; did you mean TFL_LOG?", 1, true), said)
        assert.truthy(said:find("did you mean COMPOSE_RUNNER_PRESERVE?", 1, true), said)
        local more = warnings({ LOGOS_BLOCKCHAIN_METRICS_URL = "x", LOGOS_BLOCKCHAIN_GRAFANA = "x" }, "check", "scenarios/liveness.lua")
        assert.truthy(more:find("did you mean LOGOS_BLOCKCHAIN_METRICS_QUERY_URL?", 1, true), more)
        assert.truthy(more:find("did you mean LOGOS_BLOCKCHAIN_GRAFANA_URL?", 1, true), more)
        assert.truthy(said:find("K8S_RUNNER_SOMETHING_ELSE is set", 1, true), said)
        assert.is_nil(said:find("secret-value", 1, true), "what they hold is nobody's business")
    end)

    it("are only those that begin as tfl's do", function()
        assert.equal("", warnings({ LOGOS = "1", MY_TFL_LOG = "x", TFL_TEST_SEED = "1" }, "check", "scenarios/liveness.lua"))
        assert.equal("", warnings({ TFL_LOGS = "debug" }, "version"))
    end)
end)

describe("the environment", function()
    it("XDG_STATE_HOME is where runs lie", function()
        local result = support.run { nodes.quick(1), "--json", env = { XDG_STATE_HOME = support.path "elsewhere" } }
        assert.equal(0, result.code, result.text)
        assert.truthy(result.summary.dir:find(support.path "elsewhere/tfl/runs/", 1, true), result.summary.dir)
    end)

    it("LOGOS_BLOCKCHAIN_TESTS_KEEP_LOGS keeps what the nodes of a pass had", function()
        local function kept(env)
            local result = support.run { nodes.quick(1), "--json", env = env }
            assert.equal(0, result.code, result.text)
            return select(2, support.sh("test -d " .. quote(result.summary.dir .. "/nodes/node-0/data"))) == 0
        end
        assert.is_true(kept { LOGOS_BLOCKCHAIN_TESTS_KEEP_LOGS = "1" })
        assert.is_false(kept {})
    end)

    it("NO_COLOR takes the colours away", function()
        local function coloured(env) return support.run({ nodes.liveness(1, 60), tty = true, env = env }).out:find "\27%[%d+m" ~= nil end
        assert.is_true(coloured {})
        assert.is_false(coloured { NO_COLOR = "1" })
    end)
end)
