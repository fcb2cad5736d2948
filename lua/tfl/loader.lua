--- Loads a scenario file: runs its file-level code, which only describes, and gives the scenarios it made.
local api = require "tfl"
local errors = require "tfl.errors"
local screen = require "tfl.screen"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"

local M = {}

local function fail(code, fmt, ...)
    error(errors.new(code, fmt, ...), 0)
end

--- A package.path by which `require` finds modules beside a file first.
---@return string
function M.path_beside(file, path)
    local folder = file:match "^(.*)/[^/]*$" or "."
    return string.format("%s/?.lua;%s/?/init.lua;%s", folder, folder, path)
end

--- `require` of a scenario finds modules beside its file before tfl's own.
function M.with_folder(file, fn)
    local path = package.path
    package.path = M.path_beside(file, path)
    local results = table.pack(pcall(fn))
    package.path = path
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
end

--- The message of an error that came out of a script, with the line it came from.
---@return table error {code, message}
function M.script_error(what, value, traceback)
    if type(value) == "table" and value.code == "script_hog" then
        return errors.new(value.code, "%s: %s", what, value.message)
    end
    local text = errors.text(value)
    if type(value) == "table" and not value.message then text = "it raised a table without a message" end
    if value == nil then text = "it raised nil" end
    local usage = type(value) == "table" and (value.code == "usage" or value.code == "bad_config")
    if usage and what:find "%.lua$" then return value end -- a description that cannot be: its message says all
    if text:sub(1, #what + 1) == what .. ":" then text = text:sub(#what + 3) end
    local frames = {}
    for line in (traceback or ""):gmatch "[^\n]+" do
        if not line:find "%[C%]" and not line:find "/share/tfl/lua/" and line ~= "stack traceback:" then
            frames[#frames + 1] = "\n    " .. line:gsub("^%s+", "")
        end
    end
    return errors.new("script_error", "%s: %s%s", what, text, table.concat(frames, "", 1, math.min(#frames, 8)))
end

--- The globals of a script.
---@param tfl table
---@param print function
---@return table
function M.environment(tfl, print)
    local env = setmetatable({ tfl = tfl, print = print }, { __index = _G })
    for _, name in ipairs { "string", "table", "math", "os", "io", "utf8", "coroutine" } do
        env[name] = {} -- a copy: what a script does to its libraries stays with it
        for key, value in pairs(_G[name]) do env[name][key] = value end
    end
    env._G = env
    return env
end

---@param file string
---@param options table {params, nodes, duration, deployer} from the command line
---@return table[] scenarios raises usage or script errors
function M.load(file, options)
    local stat = sys.stat(file)
    if not stat then fail("usage", "%s: there is no such file", file) end
    if stat.type ~= "file" then fail("usage", "%s is a %s, not a scenario file", file, stat.type) end
    local context = {
        params = options.params or {}, nodes = options.nodes, duration = options.duration, declared = {}, scenarios = {}, kinds = {},
        deployer = options.deployer,
    }
    local env = M.environment(api.api(context), screen.print)
    local chunk, syntax = loadfile(file, "t", env)
    if not chunk then fail("script_error", "%s", syntax) end
    local loading = task.spawn("load", function()
        M.with_folder(file, function() task.describe(chunk, file) end)
    end)
    loading:wait()
    local ok, value, traceback = loading:result()
    if not ok then error(M.script_error(file, value, traceback), 0) end
    api.check_params(context, file)
    if #context.scenarios == 0 then
        fail("usage", '%s describes no scenario: it needs tfl.scenario("name") … :build()', file)
    end
    local names = {}
    for _, scenario in ipairs(context.scenarios) do
        if names[scenario.name] then fail("usage", "%s has two scenarios named %s", file, scenario.name) end
        names[scenario.name] = true
        scenario:build()
    end
    return context.scenarios, context.declared
end

return M
