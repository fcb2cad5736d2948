--- Images of nodes: the one that tfl makes itself when it is not there, and those of other kinds, which must be.
local is_set = require("tfl.env").is_set
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"
local stack = require "tfl.deployers.compose.stack"
local sys = require "tfl.core.sys"

local M = {}

local DEFAULT = "logos-blockchain-testing:local"
local SECONDS = 1800 -- the first time a release build is made for it
local SHOWN = 1500 -- bytes of the script's output that an error shows

--- Is it a name that Docker takes? [REGISTRY/]PATH[:TAG][@DIGEST]
local function is_reference(text)
    local rest = text:gsub("@sha256:%x+$", "", 1):gsub(":[%w_][%w_.-]*$", "", 1)
    local registry, path = rest:match "^([%w.-]+:?%d*)/(.+)$"
    if registry and (registry:find "[.:]" or registry == "localhost") then rest = path end
    for part in (rest .. "/"):gmatch "([^/]*)/" do
        if not part:match "^[a-z0-9][a-z0-9._-]*$" or part:match "[^a-z0-9]$" then return false end
    end
    return true
end

--- The image of nodes whose kind names none. Raises usage.
---@return string
function M.name()
    local named = os.getenv "LOGOS_BLOCKCHAIN_TESTNET_IMAGE"
    if not named or named == "" then return DEFAULT end
    if not is_reference(named) then
        errors.usage("LOGOS_BLOCKCHAIN_TESTNET_IMAGE=%s: the name of an image was expected: small letters, digits, '.', '_', '-' and '/', "
            .. "then :TAG (%s)", named, DEFAULT)
    end
    return named
end

local function build(name, why, say)
    local script = stack.assets() .. "/../scripts/build/build_test_image.sh"
    if not sys.stat(script) then
        error(errors.new("spawn", "%s: an installed tfl cannot do that, scripts/build/build_test_image.sh of the source can", why), 0)
    end
    say(why .. " (scripts/build/build_test_image.sh)")
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
    local own, there = name == M.name(), engine:image(name)
    if own and there and is_set "LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD" and not is_set "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD" then
        return build(name, ("making the image %s anew"):format(name), say)
    elseif there then
        return
    elseif not own then
        error(errors.new("spawn", "there is no image %s here, and tfl pulls none: docker pull %s", name, name), 0)
    elseif is_set "LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD" then
        error(errors.new("spawn", "there is no image %s here, and LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD forbids to make it; unset it, or run "
            .. "scripts/build/build_test_image.sh", name), 0)
    end
    build(name, ("there is no image %s here: making it"):format(name), say)
end

return M
