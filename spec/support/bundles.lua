--- Bundles for specs: made once for a spec file out of the programs that are built already.
local lfs = require "lfs"
local support = require "spec.support"

local bundles = {}

local script = support.root .. "/scripts/build/build-bundle.sh"
local built = support.tfl:match "^(.*)/[^/]*$"

--- Runs build-bundle.sh with the programs beside tfl, and with what spec has: arguments, env.
function bundles.build(spec)
    local command = { program = script, "--from", spec.from or built, env = spec.env }
    for _, word in ipairs(spec) do command[#command + 1] = word end
    return support.run(command)
end

--- A folder with a tfl-node that only says its version: what most tests of scripts need, for it needs no more than libc.
local function small(dir)
    local program = [[#include <stdio.h>
int main(void) { return puts("tfl-node 1") < 0; }]]
    local out, code = support.sh(("cd %s && echo %s >small.c && cc -o tfl-node small.c"):format(support.quote(dir), support.quote(program)))
    assert(code == 0, out)
    return dir
end

--- One bundle for all tests of a file: call it at the top, after support.guard(); the function it gives gives the path.
---@param kind? string "small": with a program that only says its version
---@return fun(): string
function bundles.shared(kind)
    local busted = require "busted"
    local dir
    busted.setup(function()
        local pipe = assert(io.popen "mktemp -d /tmp/tfl-bundle.XXXXXX")
        dir = pipe:read "l"
        pipe:close()
        local from = kind == "small" and small(dir) or built
        local out, code = support.sh(("%s --platform linux --from %s --output %s"):format(support.quote(script), support.quote(from),
            support.quote(dir .. "/bundle.tar.gz")))
        assert(code == 0, out)
    end)
    busted.teardown(function() support.sh("rm -rf " .. support.quote(dir)) end)
    return function() return dir .. "/bundle.tar.gz" end
end

--- Unpacks a bundle into the folder of the test; gives the folder of the bundle.
function bundles.unpack(file)
    local to = support.path "unpacked"
    local out, code = support.sh(("mkdir -p %s && tar -xzf %s -C %s"):format(support.quote(to), support.quote(file), support.quote(to)))
    assert(code == 0, out)
    for name in lfs.dir(to) do
        if name:sub(1, 1) ~= "." then return to .. "/" .. name end
    end
end

--- A bundle in which a command of sh (in its folder) has changed something. Gives the new file.
function bundles.changed(file, command)
    local folder, to = bundles.unpack(file), support.path "changed.tar.gz"
    local out, code = support.sh(("cd %s && %s && cd .. && tar -c %s | gzip -1 >%s"):format(support.quote(folder), command,
        support.quote(folder:match "[^/]*$"), support.quote(to)))
    assert(code == 0, out)
    return to
end

return bundles
