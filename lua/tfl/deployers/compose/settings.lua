--- What the environment and assets/stack/cfgsync.yaml say of clusters in containers.
local env = require "tfl.env"
local errors = require "tfl.errors"
local stack = require "tfl.deployers.compose.stack"
local sys = require "tfl.core.sys"
local yaml = require "tfl.core.yaml"

local M = {}

local get, is_set = env.get, env.is_set

local function is_ip(text)
    local parts = { text:match "^(%d+)%.(%d+)%.(%d+)%.(%d+)$" }
    for _, part in ipairs(parts) do
        if tonumber(part) > 255 then return false end
    end
    return #parts == 4
end

--- Names that containers find this host by.
local function extra_hosts()
    local gateway = (get "COMPOSE_RUNNER_HOST_GATEWAY" or "host-gateway"):gsub("^host%.docker%.internal:", "")
    if gateway == "disable" then return {} end
    if gateway ~= "host-gateway" and not is_ip(gateway) then
        errors.usage("COMPOSE_RUNNER_HOST_GATEWAY=%s: host-gateway, an address, or disable was expected", gateway)
    end
    return { "host.docker.internal:" .. gateway }
end

--- Seconds that nodes have to be ready, or nil.
---@return number|nil
function M.ready_seconds() return env.seconds "COMPOSE_RUNNER_HTTP_TIMEOUT_SECS" end

local LEVELS = { ERROR = true, WARN = true, INFO = true, DEBUG = true, TRACE = true }

--- Cluster settings that hold when nobody else says them. Raises bad_config.
---@param path? string default: assets/stack/cfgsync.yaml
---@return {security_param: integer|nil, active_slot_coeff: number|nil, level: string, logger: table} logger: tagged, as nodes take it
function M.cluster(path)
    path = path or stack.assets() .. "/stack/cfgsync.yaml"
    local text, why = sys.read_file(path)
    if not text then errors.bad_config("%s", why) end
    local ok, said = pcall(yaml.parse, text)
    if not ok then errors.bad_config("%s: %s", path, tostring(said)) end
    local function refuse(name, value, expected)
        errors.bad_config("%s: %s: %s was expected, got %s", path, name, expected, errors.show(value))
    end
    local function only(map, what, names)
        if type(map) ~= "table" then refuse(what, map, "a map") end
        for name in pairs(map) do
            if not (" " .. names .. " "):find(" " .. name .. " ", 1, true) then
                errors.bad_config("%s: there is no setting %s%s; there are: %s", path, what == "" and "" or what .. ".", name, names)
            end
        end
        return map
    end
    only(said, "", "security_param active_slot_coeff tracing_settings")
    local tracing = only(said.tracing_settings or {}, "tracing_settings", "level logger")
    local k, f, level = said.security_param, said.active_slot_coeff, tracing.level or "INFO"
    if k ~= nil and (math.type(k) ~= "integer" or k < 1) then refuse("security_param", k, "a whole number from 1") end
    if f ~= nil and not (type(f) == "number" and f > 0 and f <= 1) then refuse("active_slot_coeff", f, "a number above 0, at most 1") end
    if not LEVELS[level] then refuse("tracing_settings.level", level, "ERROR, WARN, INFO, DEBUG or TRACE") end
    local logger = tracing.logger or yaml.tagged("!Stdout", yaml.null)
    local directory = type(logger) == "table" and logger.tag == "!File" and type(logger.value) == "table" and logger.value.directory
    if not (type(logger) == "table" and logger.tag == "!Stdout")
        and not (type(directory) == "string" and (directory .. "/"):find("^/node/.") and not directory:find("..", 1, true)) then
        refuse("tracing_settings.logger", directory or logger, "!Stdout, or !File {directory: /node/…}")
    end
    return { security_param = k, active_slot_coeff = f, level = level, logger = logger }
end

--- How a node logs.
---@param cluster table of M.cluster
---@param node table
function M.tracing(cluster, node)
    local logger = cluster.logger
    if logger.tag == "!File" then
        logger = yaml.tagged("!File", { directory = logger.value.directory, prefix = logger.value.prefix or node.name .. ".log" })
    end
    return { level = cluster.level, logger = logger }
end

--- Do containers stay when the run is over?
---@return boolean
function M.preserves() return is_set "COMPOSE_RUNNER_PRESERVE" or is_set "TESTNET_RUNNER_PRESERVE" end

--- Raises usage.
---@param say fun(text: string)
---@return {host: string, extra_hosts: string[], preserve: boolean}
function M.read(say)
    local host = get "COMPOSE_RUNNER_HOST" or "127.0.0.1"
    if not is_ip(host) then
        errors.usage("COMPOSE_RUNNER_HOST=%s: an address of this host was expected (127.0.0.1); ports of nodes are published there", host)
    end
    if get "LOGOS_BLOCKCHAIN_CFGSYNC_PORT" then
        say "LOGOS_BLOCKCHAIN_CFGSYNC_PORT is set and means nothing here: nodes get their files from tfl, there is no cfgsync server"
    end
    return {
        host = host, extra_hosts = extra_hosts(), preserve = M.preserves(),
    }
end

return M
