-- `cmake --install` gives a prefix that works on its own, from any folder.
local support = require "spec.support"
support.guard()

describe("an installed tfl", function()
    local function installed()
        local prefix = support.dir() .. "/a prefix"
        local build = support.tfl:gsub("/bin/[^/]*$", "")
        local out, code = support.sh(("cmake --install %s --prefix %s"):format(support.quote(build), support.quote(prefix)))
        assert.equal(0, code, out)
        return prefix
    end

    it("runs a scenario of its own with its own node, and needs nothing of the checkout", function()
        local prefix = installed()
        local scenario = support.write("work/mine.lua", [[
tfl.script("mine", {nodes = 2, topology = function(t) t:slot_duration "50ms" end}, function(ctx) ctx:wait_for_height(1) end)]])
        local result = support.run { scenario, "--json", program = prefix .. "/bin/tfl", cwd = support.dir() }
        assert.equal(0, result.code, result.text)
        assert.equal("pass", result.summary.verdict)
        local config = support.sh("grep -rlF " .. support.quote(support.root) .. " " .. support.quote(support.run_folder() .. "/plan.json"))
        assert.equal("", config)
    end)

    it("has the examples, its version and its README", function()
        local prefix = installed()
        local version = support.run { "version", program = prefix .. "/bin/tfl", cwd = "/" }
        assert.truthy(version.out:match "^tfl %d+%.%d+%.%d+\n$", version.text)
        local check = support.run { "check", prefix .. "/share/tfl/scenarios/liveness.lua", program = prefix .. "/bin/tfl", cwd = "/" }
        assert.equal(0, check.code, check.text)
        assert.truthy(support.read(prefix .. "/share/doc/tfl/README.md"))
        assert.truthy(support.read(prefix .. "/share/bash-completion/completions/tfl"):find("complete -F _tfl tfl", 1, true))
        assert.truthy(support.read(prefix .. "/share/zsh/site-functions/_tfl"):find "^#compdef tfl")
    end)
end)
