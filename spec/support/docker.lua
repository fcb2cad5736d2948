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

--- Runs docker with arguments for sh; gives its output, trimmed, and fails unless it ends with 0 (or with the code given).
function docker.run(arguments, code)
    local out, got = support.sh("timeout 60 docker " .. arguments)
    if got ~= (code or 0) then error(("docker %s ended with %s:\n%s"):format(arguments, tostring(got), out), 2) end
    return (out:gsub("%s+$", ""))
end

return docker
