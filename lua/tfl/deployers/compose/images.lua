--- Images of nodes: the one that tfl makes itself when it is not there, and those of other kinds, which must be.
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"
local stack = require "tfl.deployers.compose.stack"
local sys = require "tfl.core.sys"

local M = {}

local DEFAULT = "logos-blockchain-testing:local"
local SECONDS = 1800 -- the first time a release build is made for it
local SHOWN = 1500 -- bytes of the script's output that an error shows

local function is_set(name)
    local value = os.getenv(name)
    return value ~= nil and value ~= "" and value ~= "0" and value ~= "false"
end

--- The image of nodes whose kind names none.
---@return string
function M.name()
    local named = os.getenv "LOGOS_BLOCKCHAIN_TESTNET_IMAGE"
    return named and named ~= "" and named or DEFAULT
end

local function build(name, say)
    local script = stack.assets() .. "/../scripts/build/build_test_image.sh"
    if not sys.stat(script) then
        error(errors.new("spawn", "there is no image %s here, and an installed tfl cannot make it: scripts/build/build_test_image.sh of "
            .. "the source does", name), 0)
    end
    say(("there is no image %s here: making it (scripts/build/build_test_image.sh)"):format(name))
    local result = proc.exec { script, "--yes", timeout = SECONDS, env = { LOGOS_BLOCKCHAIN_TESTNET_IMAGE = name } }
    if result.ok then return end
    error(errors.new("spawn", "the image %s could not be made (build_test_image.sh ended with %s):\n%s", name, result.status,
        result.stderr:sub(-SHOWN)), 0)
end

--- Waits until an image is there: makes tfl's own, never pulls any. Raises spawn, usage.
---@param engine tfl.DockerEngine
---@param name string
---@param say fun(text: string)
function M.need(engine, name, say)
    local own = name == M.name()
    if own and is_set "LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD" and not is_set "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD" then
        return build(name, say)
    elseif engine:image(name) then
        return
    elseif not own then
        error(errors.new("spawn", "there is no image %s here, and tfl pulls none: docker pull %s", name, name), 0)
    elseif is_set "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD" then
        error(errors.new("spawn", "there is no image %s here, and LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD forbids to make it; unset it, or run "
            .. "scripts/build/build_test_image.sh", name), 0)
    end
    build(name, say)
end

return M
