--- Errors as scripts see them: tables {code, message, node} that print as their message.
local errors = {}

local make = package.loaded["tfl.core.error"]
if not make then -- outside the tfl program: the same shape without the engine
    local meta = {
        __tostring = function(e)
            return tostring(e.message)
        end,
    }
    make = function(e)
        return setmetatable(e, meta)
    end
end

--- An error value; raise it with error().
---@param code string one of base/error.h
---@param fmt string
---@param ... any
---@return {code:string, message:string}
function errors.new(code, fmt, ...)
    return make({ code = code, message = fmt:format(...) })
end

--- "file:line: " of the script's line that is running, or nil when none is (flags, environment).
---@return string|nil
function errors.where()
    for level = 3, 30 do
        local info = debug.getinfo(level, "Sl")
        if not info then
            return nil
        elseif info.source:sub(1, 1) == "@" and not info.source:find("/share/tfl/lua/", 1, true) and info.currentline > 0 then
            return ("%s:%d: "):format(info.short_src, info.currentline)
        end
    end
end

--- The text of an error value, with the script's line when it is known.
---@param err any
---@return string
function errors.text(err)
    if type(err) == "table" and err.message then
        return (err.where or "") .. tostring(err.message)
    end
    return tostring(err)
end

--- Raises usage when a table of options is no table or has a name that is not known.
---@param what string
---@param options any nil is fine
---@param ... string the names there are
---@return table options
function errors.options(what, options, ...)
    if options == nil then
        return {}
    elseif type(options) ~= "table" then
        errors.usage("%s: a table of options was expected, got %s", what, errors.show(options))
    end
    local names = { ... }
    for key in pairs(options) do
        local known = false
        for _, name in ipairs(names) do
            known = known or name == key
        end
        if not known then
            errors.usage("%s: there is no option %s%s", what, errors.show(key),
                require("tfl.suggest").hint(tostring(key), names))
        end
    end
    return options
end

--- Raises: a wrong argument, flag, environment or script.
---@param fmt string
---@param ... any
function errors.usage(fmt, ...)
    local err = errors.new("usage", fmt, ...)
    err.where = errors.where()
    error(err, 0)
end

local NAME, NAME_MOST = "^[%w_][%w_%-%.]*$", 60

--- Raises usage unless it is a name that tfl takes: it becomes part of paths, labels and command lines.
---@param what string whose it is
---@param name any
function errors.name(what, name)
    if type(name) ~= "string" or not name:match(NAME) then
        errors.usage("%s: a name of letters, digits, '_', '-' and '.' was expected, got %s", what, errors.show(name))
    elseif #name > NAME_MOST then
        errors.usage("%s: the name %s has %d characters, and %d are the most", what, errors.show(name), #name, NAME_MOST)
    end
end

--- Raises: a plan or file that cannot be used.
---@param fmt string
---@param ... any
function errors.bad_config(fmt, ...)
    error(errors.new("bad_config", fmt, ...), 0)
end

--- A value as a message shows it: strings in quotes, tables and functions by their type.
---@param value any
---@return string
function errors.show(value)
    if type(value) == "string" then
        return ("%q"):format(#value > 60 and value:sub(1, 57) .. "..." or value):gsub("\\\n", "\\n")
    elseif type(value) == "number" or type(value) == "boolean" or value == nil then
        return tostring(value)
    end
    return "a " .. type(value)
end

return errors
