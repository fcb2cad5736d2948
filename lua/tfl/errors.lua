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

--- Raises: a wrong argument, flag, environment or script.
---@param fmt string
---@param ... any
function errors.usage(fmt, ...)
    error(errors.new("usage", fmt, ...), 0)
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
