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

--- One bundle for all tests of a file: call it at the top, after support.guard(); the function it gives gives the path.
---@return fun(): string
function bundles.shared(platform)
    local busted = require "busted"
    local dir
    busted.setup(function()
        local pipe = assert(io.popen "mktemp -d /tmp/tfl-bundle.XXXXXX")
        dir = pipe:read "l"
        pipe:close()
        local out, code = support.sh(("%s --platform %s --from %s --output %s"):format(support.quote(script), platform,
            support.quote(built), support.quote(dir .. "/bundle.tar.gz")))
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
