--- What the environment says of clusters on Kubernetes.
local env = require "tfl.env"
local errors = require "tfl.errors"

local M = {}

local DEPLOYMENT_SECONDS = 180

local get, is_set = env.get, env.is_set

--- A name that Kubernetes takes (RFC 1123), made of any text: its end when it is too long.
---@param text string
---@param most? integer
---@return string
function M.label(text, most)
    local out = text:lower():gsub("[^a-z0-9%-]", "-")
    return (out:sub(-(most or 63)):gsub("^%-+", ""):gsub("%-+$", ""))
end

--- The label of all objects of a run.
---@param run_id string
function M.run_label(run_id) return M.label(run_id, 59) end

local function name_of(variable, most)
    local text = get(variable)
    if text and (#text > most or not text:match "^[a-z0-9][a-z0-9-]*$" or text:sub(-1) == "-") then
        errors.usage("%s=%s: at most %d small letters, digits and '-' were expected, with a letter or digit at both ends", variable, text,
            most)
    end
    return text
end

local POLICIES = { Always = true, IfNotPresent = true, Never = true }

--- Seconds that nodes have to be ready, or nil.
---@return number|nil
function M.ready_seconds() return env.seconds "K8S_RUNNER_HTTP_TIMEOUT_SECS" end

--- Raises usage.
function M.read()
    local policy = get "LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY" or "IfNotPresent"
    if not POLICIES[policy] then
        errors.usage("LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY=%s: Always, IfNotPresent or Never was expected", policy)
    end
    local host = get "K8S_RUNNER_NODE_HOST"
    if host and not host:match "^[%w%.%-]+$" then
        errors.usage("K8S_RUNNER_NODE_HOST=%s: the name or address of a node of the cluster was expected", host)
    end
    return {
        namespace = name_of("K8S_RUNNER_NAMESPACE", 63), release = name_of("K8S_RUNNER_RELEASE", 40), node_host = host,
        pull_policy = policy,
        debug = is_set "K8S_RUNNER_DEBUG", preserve = is_set "K8S_RUNNER_PRESERVE" or is_set "TESTNET_RUNNER_PRESERVE",
        deployment_seconds = env.seconds "K8S_RUNNER_DEPLOYMENT_TIMEOUT_SECS" or DEPLOYMENT_SECONDS,
    }
end

return M
