--- Kinds of the user's own, made by tfl.kind: any program, or a variant of a kind of tfl's own ({base = "reference", …}). What a
--- script says is checked here as far as it can be without a node; what its functions return, when they are called.
local client = require "tfl.core.client"
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local loader = require "tfl.loader"
local proc = require "tfl.core.proc"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"

local M = {}
local usage, show = errors.usage, errors.show

--- What of a program tfl.kind is told, and of which type.
local MEMBERS = {
    command = { "function", "table" }, files = { "function", "table" }, env = { "function", "table" }, ports = { "table" },
    api_port = { "string" }, peer_port = { "string" }, ready = { "table", "function" }, stop_signal = { "string" },
    image = { "string" }, capabilities = { "table" }, dialect = { "string", "table" }, metrics = { "string" },
}
--- The same of a variant, with what its base can be told beside (settings_of).
local VARIANT = {
    base = { "string" }, args = { "table" }, config = { "table", "function" }, env = { "table" }, capabilities = { "table" },
}
local CALL_SECONDS = 20 -- for a function to say how a node is launched
local VERBS = { "start", "stop", "restart", "kill", "pause", "resume", "link", "start_node", "snapshot" }
local READY = { http = "string", status = "number", body = "function", tcp = "string", log = "string", port = "string" }

local meta = { __name = "kind", __tostring = function(kind) return "kind " .. kind.name end }

local function check_members(what, spec, known)
    local names = {}
    for name in pairs(known) do names[#names + 1] = name end
    table.sort(names)
    for key, value in pairs(spec) do
        local types = known[key]
        if not types then
            usage("%s: there is no member %s%s", what, show(key), suggest.hint(tostring(key), names))
        end
        local fine = false
        for _, one in ipairs(types) do fine = fine or type(value) == one end
        if not fine then usage("%s: %s should be a %s, got %s", what, key, table.concat(types, " or a "), show(value)) end
    end
end

local function check_ports(what, spec)
    local ports, seen = spec.ports or { "http", "p2p" }, {}
    for i, name in ipairs(ports) do
        if type(name) ~= "string" or not name:match "^[%a_][%w_]*$" then
            usage("%s: ports[%d] should be a name of letters and digits, got %s", what, i, show(name))
        end
        if seen[name] then usage("%s: ports has %s twice", what, show(name)) end
        seen[name] = true
    end
    if #ports > 16 then usage("%s: %d ports; a node has at most 16", what, #ports) end
    local function named(member, default)
        local name = spec[member] or (seen[default] and default or nil)
        if name and not seen[name] then
            usage("%s: %s = %s is none of its ports (%s)", what, member, show(name), table.concat(ports, ", "))
        end
        return name
    end
    return ports, named("api_port", "http"), named("peer_port", "p2p"), seen
end

local function check_ready(what, ready, ports, api)
    if ready == nil or type(ready) == "function" then return end
    for key, value in pairs(ready) do
        if not READY[key] then
            usage("%s, ready: there is no %s%s", what, show(key), suggest.hint(tostring(key), { "http", "status", "body", "tcp", "log" }))
        elseif type(value) ~= READY[key] then
            usage("%s, ready: %s should be a %s, got %s", what, key, READY[key], show(value))
        end
    end
    if (ready.http and 1 or 0) + (ready.tcp and 1 or 0) + (ready.log and 1 or 0) ~= 1 then
        usage('%s, ready: one of http = "/path", tcp = "PORT" and log = "pattern" was expected (or a function)', what)
    end
    for _, port in ipairs { ready.tcp or api, ready.port or api } do
        if not ports[port] then usage("%s, ready: %s is none of its ports", what, show(port)) end
    end
    if ready.http and not (ready.port or api) then usage("%s, ready: http needs a port: say port =, or api_port", what) end
    if ready.http and ready.http:sub(1, 1) ~= "/" then usage("%s, ready: http = %s is no path", what, show(ready.http)) end
    if ready.log then
        local ok, message = pcall(string.find, "", ready.log)
        if not ok then usage("%s, ready: log = %s: %s", what, show(ready.log), message) end
    end
end

local function check_capabilities(what, capabilities)
    for verb, value in pairs(capabilities or {}) do
        local known = false
        for _, name in ipairs(VERBS) do known = known or name == verb end
        if not known then usage("%s, capabilities: there is no verb %s%s", what, show(verb), suggest.hint(tostring(verb), VERBS)) end
        if type(value) ~= "boolean" and type(value) ~= "string" then
            usage("%s, capabilities: %s should be true, false or why not, got %s", what, verb, show(value))
        end
    end
end

--- The dialect in two parts: what tfl.core.client takes (name or paths), or functions.
local function check_dialect(what, dialect, api)
    if dialect == nil then return nil, nil end
    what = what .. ", dialect"
    if type(dialect) == "string" or dialect.base ~= nil then
        if not api then usage("%s: the kind has no port to ask at; name one of its ports with api_port", what) end
        local ok, err = pcall(client.new, { name = "kind", url = "http://127.0.0.1:1", dialect = dialect })
        if not ok then usage("%s: %s", what, errors.text(err)) end
        if dialect == "http" or type(dialect) == "table" and dialect.base == "http" then
            usage('%s: "http" is none of a chain; leave dialect out', what)
        end
        return dialect, nil
    end
    check_members(what, dialect, {
        info = { "function" }, blocks = { "function" }, submit = { "function" }, slots = { "boolean" },
    })
    if not dialect.info or not dialect.blocks then
        usage('%s: info(node) and blocks(node) were expected, or the paths of a known one: {base = "reference", info = "/path"}', what)
    end
    return "lua", dialect
end

--- What a function of a kind returned, with its errors told as the kind's. It has CALL_SECONDS.
local function call(kind, name, n)
    local fn = kind.said[name]
    if type(fn) ~= "function" then return fn end
    local what = ("kind %s, %s of %s"):format(kind.name, name, n.name)
    local one = task.spawn(what, fn, n)
    local _ <close> = setmetatable({}, { __close = function() one:cancel() end })
    if not one:wait(CALL_SECONDS) then
        error(errors.new("hook_timeout", "%s: still not over after %ds; bound what it waits for", what, CALL_SECONDS), 0)
    end
    local ok, value, traceback = one:result()
    if ok then return value end
    if type(value) == "table" and value.code and value.code ~= "usage" and value.code ~= "script_hog" then error(value, 0) end
    error(loader.script_error(what, value, traceback), 0)
end

local function bad(kind, fmt, ...)
    error(errors.new("script_error", "kind %s, %s", kind.name, fmt:format(...)), 0)
end

local function words_of(kind, value)
    if type(value) ~= "table" or #value == 0 then
        bad(kind, "command: a list of words was expected, the first a program; got %s", show(value))
    end
    local words = {}
    for i, word in ipairs(value) do
        if type(word) ~= "string" and type(word) ~= "number" then bad(kind, "command: word %d is %s", i, show(word)) end
        words[i] = tostring(word)
    end
    return words
end

local function env_of(kind, value)
    if value == nil then return {} end
    if type(value) ~= "table" then bad(kind, "env: a table {NAME = value} was expected, got %s", show(value)) end
    local env = {}
    for name, text in pairs(value) do
        if type(name) ~= "string" or not name:match "^[^=%z]+$" or type(text) ~= "string" and type(text) ~= "number" then
            bad(kind, "env: NAME = text was expected, got %s = %s", show(name), show(text))
        end
        env[name] = tostring(text)
    end
    return env
end

local PRIVATE, PUBLIC = tonumber("600", 8), tonumber("644", 8)

--- {path = text or {content =, mode =}}; a file that has one of the node's keys or another secret in it is the owner's alone.
local function files_of(kind, value, keys)
    if value == nil then return {} end
    if type(value) ~= "table" then bad(kind, 'files: a table {["path"] = text} was expected, got %s', show(value)) end
    local files = {}
    for path, file in pairs(value) do
        if type(path) ~= "string" then bad(kind, "files: a path was expected, got %s", show(path)) end
        local content = type(file) == "table" and file.content or file
        local mode = type(file) == "table" and file.mode or nil
        if type(content) ~= "string" or mode ~= nil and math.type(mode) ~= "integer" then
            bad(kind, "files, %s: text, or {content = text, mode = number}, was expected, got %s", show(path), show(file))
        end
        local secret = sys.redact(content) ~= content
        for _, key in pairs(keys) do secret = secret or content:find(key, 1, true) ~= nil end
        if secret and mode and mode & 63 ~= 0 then
            bad(kind, "files, %s: it has a key of the node or another secret in it, and mode %o lets others read it", show(path), mode)
        end
        files[path] = { content = content, mode = mode or secret and PRIVATE or PUBLIC }
    end
    return files
end

local function spec_of(kind)
    return function(n, cluster)
        n.cluster = cluster
        local argv = words_of(kind, call(kind, "command", n))
        for _, word in ipairs(n.args or {}) do argv[#argv + 1] = tostring(word) end
        if n.config ~= nil then
            errors.usage("config: the kind %s has files of its own making; change them with its files(n)", kind.name)
        end
        return {
            argv = argv, env = env_of(kind, call(kind, "env", n)), files = files_of(kind, call(kind, "files", n), n.keys),
            ports = n.ports, stop_signal = kind.said.stop_signal, image = kind.said.image, await = kind.await,
        }
    end
end

--- A kind of tfl's own with other settings.
local function variant(name, what, spec)
    local base = kinds.built_in(spec.base)
    if not base then
        local names = kinds.names()
        usage("%s: base = %s: there is no such kind of tfl%s", what, show(spec.base), suggest.hint(spec.base, names))
    end
    local known, settings = {}, {}
    for key, value in pairs(VARIANT) do known[key] = value end
    for _, setting in ipairs(base.settings_of or {}) do
        known[setting] = { "string", "table" }
        settings[setting] = spec[setting]
    end
    check_members(what, spec, known)
    check_capabilities(what, spec.capabilities)
    local kind = {}
    for key, value in pairs(base) do kind[key] = value end
    kind.name, kind.settings, kind.said = name, settings, spec
    kind.capabilities = spec.capabilities and setmetatable(spec.capabilities, { __index = base.capabilities }) or base.capabilities
    function kind.spec(n, cluster)
        n.settings, n.args, n.config = settings, n.args or spec.args, n.config or spec.config
        local made = base.spec(n, cluster)
        for key, value in pairs(env_of(kind, spec.env)) do made.env[key] = value end
        return made
    end
    return setmetatable(kind, meta)
end

--- tfl.kind(name, spec): see `tfl help extending`.
---@param context table of the file
---@param name string
---@param spec table
---@return table kind for t:kind(k), t:node(i):kind(k), node:restart{kind = k}
function M.define(context, name, spec)
    errors.name("tfl.kind", name)
    local what = ("tfl.kind %q"):format(name)
    if type(spec) ~= "table" then usage("%s: a table was expected, got %s", what, show(spec)) end
    if kinds.built_in(name) then usage("%s: tfl has a kind of that name; call yours something else", what) end
    if context.kinds[name] then usage("%s: the file has a kind of that name already", what) end
    local kind
    if spec.base ~= nil then
        kind = variant(name, what, spec)
    else
        check_members(what, spec, MEMBERS)
        if not spec.command then usage("%s: command is missing: command = function(n) return {\"program\", …} end", what) end
        local ports, api, peer, seen = check_ports(what, spec)
        check_ready(what, spec.ready, seen, api)
        if spec.stop_signal and not proc.signal_number(spec.stop_signal) then
            usage("%s: stop_signal = %s: there is no such signal; as \"INT\"", what, show(spec.stop_signal))
        end
        check_capabilities(what, spec.capabilities)
        if spec.metrics and (spec.metrics:sub(1, 1) ~= "/" or not api) then
            usage('%s: metrics = %s: the path of its page of metrics, as "/metrics", was expected, and an api_port', what,
                show(spec.metrics))
        end
        kind = setmetatable({ name = name, said = spec, ports = ports, api_port = api, peer_port = peer, relay = "inbound",
            capabilities = spec.capabilities, metrics = spec.metrics }, meta)
        kind.dialect, kind.lua_dialect = check_dialect(what, spec.dialect, api)
        kind.slots = kind.dialect and (not kind.lua_dialect or kind.lua_dialect.slots) or false
        kind.await = spec.ready or kind.dialect and { info = true } or api and { tcp = api } or { runs = true }
        kind.spec = spec_of(kind)
    end
    context.kinds[name] = kind
    return kind
end

return M
