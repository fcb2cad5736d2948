--- A value of unknown origin in the shape that its reader relies on. A shape is the name of a type ("number": a finite one; "integer"), a
--- list of one shape (a list; entries of another shape are left out), `{…, tuple = true}` (a list of just these), or a table of shapes
--- (the key "*": any name). What does not fit is nil, or an empty table where a table was expected.
---@param value any
---@param wanted string|table
---@return any
local function shape(value, wanted)
    if type(wanted) == "string" then
        if wanted == "integer" then return type(value) == "number" and math.tointeger(value) or nil end
        if type(value) ~= wanted then return nil end
        if wanted == "number" and (value ~= value or value == math.huge or value == -math.huge) then return nil end
        return value
    end
    local out = {}
    value = type(value) == "table" and value or {}
    if wanted.tuple then
        for i, one in ipairs(wanted) do out[i] = shape(value[i], one) end
        return out
    end
    if wanted[1] then
        for _, one in ipairs(value) do
            if type(wanted[1]) == "string" or type(one) == "table" then out[#out + 1] = shape(one, wanted[1]) end
        end
        return out
    end
    if wanted["*"] then
        for key, one in pairs(value) do
            if type(key) == "string" then out[key] = shape(one, wanted["*"]) end
        end
        return out
    end
    for key, one in pairs(wanted) do out[key] = shape(value[key], one) end
    return out
end

return shape
