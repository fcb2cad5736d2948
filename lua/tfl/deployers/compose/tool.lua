--- The compose tool, which makes containers and networks out of the file of a run: `docker compose` (v2), or the `docker-compose` (1.29)
--- of Debian.
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"

local M = {}

local SECONDS = 120 -- for one call
local SHOWN = 1500 -- bytes of its output that an error shows

local found

--- What a program says; nil when there is none, or it fails.
local function try(argv)
    argv.timeout = 30
    local ok, result = pcall(proc.exec, argv)
    return ok and result.ok and result.stdout:match "[^\n]+" or nil
end

--- The words of the tool. Raises spawn with the remedy. docker-compose is not run to find out: it takes half a second to start.
---@return string[] words
function M.find()
    found = found or try { "docker", "compose", "version" } and { "docker", "compose" }
        or try { "sh", "-c", "command -v docker-compose" } and { "docker-compose" }
    if found then return found end
    error(errors.new("spawn", "there is neither `docker compose` nor `docker-compose`: apt-get install docker-compose"), 0)
end

--- What it says of itself. Raises spawn.
---@return string
function M.version()
    local words = table.move(M.find(), 1, 2, 1, {})
    words[#words + 1] = "version"
    return try(words) or table.concat(words, " ") .. " says nothing"
end

--- Makes and starts services of a file, leaving others as they are. Its whole output goes to the end of a log; when it fails, the end
--- of it is in the error. Raises spawn, timeout, disk_full.
---@param project string
---@param file string
---@param services string[]
---@param log string path
---@param host string DOCKER_HOST
function M.up(project, file, services, log, host)
    local argv = table.move(M.find(), 1, 2, 1, {})
    for _, word in ipairs { "-p", project, "-f", file, "up", "-d", "--no-build", "--no-recreate", "--no-deps", "--no-color" } do
        argv[#argv + 1] = word
    end
    table.move(services, 1, #services, #argv + 1, argv)
    argv.timeout, argv.env = SECONDS + 2 * #services, { DOCKER_HOST = host, COMPOSE_IGNORE_ORPHANS = "true" }
    local result = proc.exec(argv)
    local said = result.stdout .. result.stderr
    sys.write_file(log, (sys.read_file(log) or "") .. "$ " .. table.concat(argv, " ") .. "\n" .. said)
    if result.ok then return end
    local full = said:lower():find("no space left", 1, true)
    error(errors.new(full and "disk_full" or "spawn", "%s up ended with %s; its output ends:\n%s", table.concat(M.find(), " "),
        result.status, said:sub(-SHOWN)), 0)
end

return M
