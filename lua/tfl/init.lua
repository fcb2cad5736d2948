--- The scripting surface: what a scenario file sees as `tfl`. One table for each file that is loaded, made by
--- `tfl.loader` with what the command line and the environment say.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local proc = require "tfl.core.proc"
local scenario = require "tfl.scenario"
local suggest = require "tfl.suggest"
local wallets = require "tfl.wallets"
local yaml = require "tfl.core.yaml"

local M = {}
local usage = errors.usage

--- Calls f(…); never raises, except that the end of the run goes through it.
---@param f function
---@return boolean ok, any value_or_error the first result, or the error as {code, message, node}
function M.try(f, ...)
    local ok, value = pcall(f, ...)
    if not ok and type(value) ~= "table" then
        value = errors.new("script_error", "%s", tostring(value))
    end
    return ok, value
end

local readers = {
    number = function(text) return math.tointeger(text) or tonumber(text) end,
    integer = function(text) return math.tointeger(tonumber(text)) end,
    boolean = function(text)
        local values = { ["true"] = true, ["1"] = true, yes = true, ["false"] = false, ["0"] = false, no = false }
        return values[text]
    end,
    string = function(text) return text end,
    duration = function(text) return pcall(duration.parse, text) and (tonumber(text) or text) or nil end,
}

local function read_param(name, spec, text)
    if type(text) ~= "string" then return text end
    local value = (readers[spec.type] or readers.string)(text)
    if value == nil then
        usage("-p %s=%s: a %s was expected%s", name, text, spec.type, spec.help and " (" .. spec.help .. ")" or "")
    end
    return value
end

local function check_choice(name, spec, value)
    if not spec.choices then return end
    local names = {}
    for i, choice in ipairs(spec.choices) do
        if choice == value then return end
        names[i] = tostring(choice)
    end
    usage("-p %s=%s: expected one of %s", name, tostring(value), table.concat(names, ", "))
end

--- Declares the parameters of a scenario file and gives their values: `-p NAME=VALUE` over the default. `nodes` and
--- `duration` are reserved: `-n` and `-t` (and the DEMO environment) set them.
---@param context table what the command line gave: {params, nodes, duration, declared}
---@param specs table name = default, or {default, type=, help=, choices=}
---@return table values
function M.read_params(context, specs)
    if type(specs) ~= "table" then usage("tfl.params wants a table: tfl.params{rate = 10}") end
    local values = {}
    for name, spec in pairs(specs) do
        if type(name) ~= "string" then usage("tfl.params: every parameter needs a name, as in {rate = 10}") end
        if type(spec) ~= "table" or getmetatable(spec) or spec[1] == nil then spec = { spec } end
        for key in pairs(spec) do
            if key ~= 1 then errors.options("tfl.params, " .. name, { [key] = true }, "type", "help", "choices") end
        end
        spec.type = spec.type or (name == "duration" and "duration") or type(spec[1])
        if not readers[spec.type] and spec.type ~= "table" then
            usage("tfl.params, %s: there is no type %s%s", name, errors.show(spec.type),
                suggest.hint(tostring(spec.type), { "number", "integer", "boolean", "string", "duration" }))
        end
        local given = context.params[name]
        if name == "nodes" then given = context.nodes or given end
        if name == "duration" then given = context.duration or given end
        local value = spec[1]
        if given ~= nil then value = read_param(name, spec, given) end
        check_choice(name, spec, value)
        values[name] = value
        context.declared[name] = spec
    end
    return setmetatable(values, {
        __index = function(_, name)
            local names = {}
            for declared in pairs(specs) do names[#names + 1] = declared end
            usage("there is no parameter %s%s", errors.show(name), suggest.hint(tostring(name), names))
        end,
    })
end

--- After a file is loaded: a `-p` that it does not declare is a mistake of whoever typed it.
function M.check_params(context, file)
    for name in pairs(context.params) do
        if not context.declared[name] then
            local names = {}
            for declared in pairs(context.declared) do names[#names + 1] = declared end
            usage("-p %s: %s has no such parameter%s", name, file, suggest.hint(name, names))
        end
    end
end

--- The table `tfl` of one file.
---@param context table see read_params; scenarios made are appended to context.scenarios
---@return table tfl
function M.api(context)
    local tfl = {
        json = {
            encode = json.encode, null = json.null,
            decode = function(text)
                local value, message = json.decode(text)
                if message then usage("tfl.json.decode: %s", message) end
                return value
            end,
        },
        try = M.try,
        seconds = duration.seconds,
        slots = duration.slots,
        blocks = duration.blocks,
        params = function(specs) return M.read_params(context, specs) end,
        exec = function(spec)
            if type(spec) ~= "table" then usage('tfl.exec wants a table: tfl.exec{"program", "argument", timeout = 10}') end
            for key in pairs(spec) do
                if type(key) == "string" then
                    errors.options("tfl.exec", { [key] = true }, "timeout", "stdin", "cwd", "env")
                end
            end
            if spec.timeout then spec.timeout = duration.to_seconds(spec.timeout) end
            return proc.exec(spec)
        end,
        inscription = function(options)
            if not context.signer then usage "tfl.inscription: it is signed by the run, so it belongs into a hook" end
            return wallets.inscribe("tfl.inscription", context.signer, options)
        end,
        yaml = { encode = function(value) return yaml.emit(value) end },
        kind = function(name, spec) return require("tfl.kinds.custom").define(context, name, spec) end,
        deployer = function(name, members) return require("tfl.deployers.define").define(context, name, members) end,
        workload = function(name, hooks) return scenario.workload(name, hooks) end,
        expectation = function(name, hooks) return scenario.expectation(name, hooks) end,
        scenario = function(name)
            local made = scenario.new(name, context)
            context.scenarios[#context.scenarios + 1] = made
            return made
        end,
    }
    -- these need the runner, which needs this module
    function tfl.script(name, options, fn)
        local made = require("tfl.hand").script(context, name, options, fn)
        context.scenarios[#context.scenarios + 1] = made
        return made
    end
    function tfl.cluster(options) return require("tfl.hand").cluster(context, options) end
    local names = {}
    for name in pairs(tfl) do names[#names + 1] = name end
    return setmetatable(tfl, {
        __index = function(_, name)
            usage("tfl.%s: there is no such function%s", tostring(name), suggest.hint(tostring(name), names))
        end,
        __newindex = function(_, name) usage("tfl.%s: the table tfl cannot be changed", tostring(name)) end,
    })
end

return M
