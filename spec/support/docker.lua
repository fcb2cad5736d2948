--- Docker for specs. A file that requires this gets an engine from scripts/test.sh where one can be had.
--
--     docker.describe("the image", function() … end)   -- without an engine one skipped test of that name: in CI a failure
local support = require "spec.support"

local docker = {}

--- describe, where a Docker engine answers.
function docker.describe(name, fn)
    local busted = require "busted"
    local _, code = support.sh "timeout 30 docker version"
    if code == 0 then
        busted.describe(name, fn)
    else
        busted.pending(name .. ": needs a Docker engine")
    end
end

--- An image of the nodes for all tests of a describe, made of a bundle: the function it gives gives its name. What a test has left goes.
---@param bundle fun(): string of bundles.shared
---@return fun(): string
function docker.image(bundle)
    local busted = require "busted"
    local image
    busted.setup(function()
        image = ("tfl-spec-%d:%d"):format(os.time(), math.random(1 << 30))
        local out, code = support.sh(("LOGOS_BLOCKCHAIN_TESTNET_IMAGE=%s %s/scripts/build/build_test_image.sh --bundle %s"):format(image,
            support.root, support.quote(bundle())))
        assert(code == 0, out)
    end)
    busted.after_each(function()
        local filter = support.quote("label=tfl.state=" .. support.dir() .. "/state/tfl")
        support.sh(("docker ps -aq --filter %s | xargs -r docker rm -fv; docker network ls -q --filter %s | xargs -r docker network rm")
            :format(filter, filter))
    end)
    busted.teardown(function() support.sh("docker image rm -f " .. image) end)
    return function() return image end
end

--- Runs docker with arguments for sh; gives its output, trimmed, and fails unless it ends with 0 (or with the code given).
function docker.run(arguments, code)
    local out, got = support.sh("timeout 60 docker " .. arguments)
    if got ~= (code or 0) then error(("docker %s ended with %s:\n%s"):format(arguments, tostring(got), out), 2) end
    return (out:gsub("%s+$", ""))
end

return docker
