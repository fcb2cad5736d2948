--- The Docker Engine API, as far as the compose deployer needs it: over the socket that DOCKER_HOST names, or the usual one. Every
--- method waits. Paths have no version: engines of very different ages answer with the newest they know.
local env = require "tfl.env"
local errors = require "tfl.errors"
local http = require "tfl.core.http"
local json = require "tfl.core.json"
local lines = require "tfl.deployers.lines"
local sys = require "tfl.core.sys"

local DEFAULT = "unix:///var/run/docker.sock"
local SECONDS = 60 -- for one answer; removals of big containers take long on busy disks

---@class tfl.DockerEngine
---@field host string "unix:///var/run/docker.sock"
---@field seconds number|nil how long one answer may take
local Engine = {}
Engine.__index = Engine

local M = {}

--- The engine that the environment names. Does not ask it anything yet. Raises usage.
---@param host? string "unix:///run/docker.sock" or "tcp://127.0.0.1:2375"; default: DOCKER_HOST
---@return tfl.DockerEngine
function M.new(host)
    local said = os.getenv "DOCKER_HOST"
    host = host or said ~= "" and said or DEFAULT
    local socket, at = host:match "^unix://(/.+)$", host:match "^tcp://([%w%.:%[%]]+)/?$"
    if not socket and not at then
        errors.usage("DOCKER_HOST=%s: unix:///PATH or tcp://IP:PORT was expected (tfl uses the engine of this host)", env.shown(host))
    end
    local tls = os.getenv "DOCKER_TLS_VERIFY"
    if at and tls and tls ~= "" then errors.usage("DOCKER_TLS_VERIFY=%s: tfl speaks to engines of this host only, without TLS", tls) end
    return setmetatable({ host = host, socket = socket, base = "http://" .. (at or "localhost") }, Engine)
end

-- ---- asking

--- Why the engine cannot be spoken to, and what to do.
local function unreachable(self, err)
    if err.code ~= "connect" then return err end
    local message, remedy = err.message, "is it running? systemctl start docker (without systemd: dockerd)"
    if message:find "ermission denied" then
        remedy = "this user may not use it: run tfl as root, or `sudo usermod -aG docker $USER` and log in again"
    elseif self.socket and not sys.stat(self.socket) then
        remedy = "there is no such socket: install Docker (apt-get install docker.io docker-compose), start it (systemctl start docker), "
            .. "or set DOCKER_HOST"
    end
    return errors.new("connect", "the Docker engine at %s cannot be reached (%s); %s", self.host,
        message:match "%(last: (.*)%)$" or message, remedy)
end

local function escape(text)
    return (tostring(text):gsub("[^%w%-%._~]", function(c) return ("%%%02X"):format(c:byte()) end))
end

local function url_of(self, path, query)
    local words = {}
    for name, value in pairs(query or {}) do
        words[#words + 1] = escape(name) .. "=" .. escape(type(value) == "table" and json.encode(value) or value)
    end
    table.sort(words)
    return self.base .. path .. (#words > 0 and "?" .. table.concat(words, "&") or "")
end

--- An answer above 299 as an error: its own words.
local function refused(method, path, status, body)
    local answer = json.decode(body)
    local message = type(answer) == "table" and answer.message or body:match "[^\n]*"
    local code = status == 404 and "not_found" or message:lower():find "no space left" and "disk_full" or "http_status"
    local err = errors.new(code, "Docker: %s %s: %s (HTTP %d)", method, path, message:gsub("%s+$", ""), status)
    err.status = status
    return err
end

--- One request. Raises connect (with the remedy), timeout, not_found, disk_full, http_status.
---@param method string
---@param path string "/containers/json"
---@param options? {query: table, body: table, timeout: number, fine: table<integer, boolean>} fine: statuses that are no errors
---@return any answer what JSON there was, else text
---@return integer status
function Engine:ask(method, path, options)
    options = options or {}
    local ok, answer = pcall(http.request, {
        url = url_of(self, path, options.query), socket = self.socket, method = method,
        timeout = options.timeout or self.seconds or SECONDS,
        body = options.body and json.encode(options.body) or method == "POST" and "" or nil,
    })
    if not ok then error(type(answer) == "table" and unreachable(self, answer) or answer, 0) end
    if answer.status > 299 and answer.status ~= 304 and not (options.fine and options.fine[answer.status]) then
        error(refused(method, path, answer.status, answer.body), 0)
    end
    local value = json.decode(answer.body)
    return value ~= nil and value or answer.body, answer.status
end

--- A stream of bytes; raises as ask does when it cannot be opened.
local function open(self, path, query)
    local stream = http.stream { url = url_of(self, path, query), socket = self.socket, method = "GET" }
    local ok, status = pcall(stream.status, stream)
    if not ok then error(type(status) == "table" and unreachable(self, status) or status, 0) end
    if status and status > 299 then
        local body = {}
        for chunk in stream.read, stream do body[#body + 1] = chunk end
        error(refused("GET", path, status, table.concat(body)), 0)
    end
    return stream
end

-- ---- what there is

--- {ApiVersion, Version, Arch, …}. Raises as ask does: the way to find out whether there is an engine.
function Engine:version() return (self:ask("GET", "/version", { timeout = self.seconds or 10 })) end

--- All containers with a label, in whatever state: the rows of the API.
---@param label string "tfl.run=…" or "tfl.run"
function Engine:containers(label)
    return (self:ask("GET", "/containers/json", { query = { all = "true", filters = { label = { label } } } }))
end
function Engine:networks(label) return (self:ask("GET", "/networks", { query = { filters = { label = { label } } } })) end
function Engine:volumes(label)
    local answer = self:ask("GET", "/volumes", { query = { filters = { label = { label } } } })
    return type(answer.Volumes) == "table" and answer.Volumes or {}
end
function Engine:inspect(id) return (self:ask("GET", "/containers/" .. escape(id) .. "/json")) end
function Engine:network(id) return (self:ask("GET", "/networks/" .. escape(id))) end

--- The image of that name, or nil.
function Engine:image(name)
    local answer, status = self:ask("GET", "/images/" .. name:gsub("[^%w%-%._~/:@]", escape) .. "/json", { fine = { [404] = true } })
    return status == 200 and answer or nil
end

-- ---- verbs

local function verb(self, id, what, query) return self:ask("POST", ("/containers/%s/%s"):format(escape(id), what), { query = query }) end

--- Starting one that runs, and the like, does nothing.
function Engine:start(id) verb(self, id, "start") end
function Engine:pause(id) verb(self, id, "pause") end
function Engine:unpause(id) verb(self, id, "unpause") end

--- Sends a signal. Gives false when the container does not run.
---@param signal string "TERM"
---@return boolean
function Engine:kill(id, signal)
    local _, status = self:ask("POST", ("/containers/%s/kill"):format(escape(id)), {
        query = { signal = "SIG" .. signal }, fine = { [409] = true },
    })
    return status ~= 409
end

--- Each of these is done also when the thing is gone already, or somebody else is about to take it away.
local GONE = { [404] = true, [409] = true }
function Engine:remove(id)
    self:ask("DELETE", "/containers/" .. escape(id), { query = { force = "true", v = "true" }, fine = GONE })
end
function Engine:remove_network(id) self:ask("DELETE", "/networks/" .. escape(id), { fine = { [404] = true, [403] = true } }) end
function Engine:remove_volume(name) self:ask("DELETE", "/volumes/" .. escape(name), { query = { force = "true" }, fine = GONE }) end

--- Removes an image that scripts/build/build_test_image.sh has made, when another has its name now and no container uses it.
---@param id string
function Engine:forget(id)
    local image = self:image(id)
    local labels, tags = image and image.Config and image.Config.Labels, image and image.RepoTags
    if type(labels) ~= "table" or not labels["tfl.inputs"] or type(tags) == "table" and next(tags) then return end
    self:ask("DELETE", "/images/" .. id, { fine = GONE })
end

-- ---- streams

--- What one start of a container prints, as it prints it: an iterator of (text, "stdout" | "stderr"), which ends when the container
--- does. The second value closes it.
---@param id string
---@param since? number seconds since 1970: nothing older
---@return fun(): string|nil, string|nil
---@return fun() close
function Engine:logs(id, since)
    local stream = open(self, ("/containers/%s/logs"):format(escape(id)), {
        follow = "true", stdout = "true", stderr = "true", since = since and ("%.9f"):format(since) or nil,
    })
    local data, at = "", 1
    --- A frame is one byte of which stream it is, three of nothing, its length, its bytes; frames and reads have nothing in common.
    local function next_frame()
        while true do
            if #data - at + 1 >= 8 then
                local kind, length = (">BxxxI4"):unpack(data, at)
                if #data - at + 1 >= 8 + length then
                    at = at + 8 + length
                    return data:sub(at - length, at - 1), kind == 2 and "stderr" or "stdout"
                end
            end
            local more = stream:read()
            if not more then return nil end
            data, at = data:sub(at) .. more, 1
        end
    end
    return next_frame, function() stream:close() end
end

--- What happens to containers with a label, from the call on: an iterator of events of the API, which ends when the engine does.
---@param label string
---@return fun(): table|nil
---@return fun() close
function Engine:events(label)
    local stream = open(self, "/events", { filters = { type = { "container" }, label = { label } } })
    local next_line = lines.of(stream)
    local function next_event()
        for line in next_line do
            local event = json.decode(line)
            if type(event) == "table" then return event end
        end
    end
    return next_event, function() stream:close() end
end

return M
