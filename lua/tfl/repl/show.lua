--- Values as a person reads them: records and lists as tables, the rest on a line. Tables are looked at raw: those of tfl raise an error
--- for a name they do not know.
local M = {}

--- What comes first in a row; the rest by name.
local FIRST = { "name", "node", "type", "verb", "height", "slot", "id", "parent", "t" }
local CELL, DEEP = 48, 3

local function width(text) return utf8.len(text) or #text end

--- The first n characters.
local function cut(text, n)
    if width(text) <= n then return text end
    return utf8.len(text) and text:sub(1, utf8.offset(text, n) - 1) .. "…" or text:sub(1, n - 1) .. "…"
end

local function pad(text, n, right)
    local space = (" "):rep(math.max(0, n - width(text)))
    return right and space .. text or text .. space
end

local function named(value)
    local meta = getmetatable(value)
    return type(meta) == "table" and meta.__name or nil
end

--- Things of tfl that say themselves what they are.
local function thing(value)
    local name = named(value)
    if name == "node" then return ("%s (%s)"):format(value.name, value:state()) end
    if name == "fault" then
        local what = ("%s %s"):format(value.name, value.text or table.concat(value.targets, ","))
        if value.error then return what .. ", failed: " .. value.error end
        if not value.t1 then return ("%s, in force since slot %s"):format(what, value.slot0 or "?") end
        return ("%s, slots %s to %s"):format(what, value.slot0 or "?", value.slot1 or "?")
    end
    if type(value) == "table" and getmetatable(value) and getmetatable(value).__tostring then return tostring(value) end
    if type(value) == "userdata" or name then return "a " .. (name or "userdata"):gsub("^tfl%.", "") end
end

local function number(n)
    if math.type(n) == "integer" then return tostring(n) end
    return ("%.6g"):format(n)
end

--- Bytes that are no text.
local function escaped(value)
    return (value:gsub("[\128-\255]", function(byte) return ("\\x%02x"):format(byte:byte()) end))
end

--- All on one line, whatever it is.
---@param value any
---@param deep? integer how many more levels of tables
function M.inline(value, deep)
    deep = deep or DEEP
    local kind = type(value)
    if kind == "number" then return number(value) end
    if kind == "string" then return utf8.len(value) and value or escaped(value) end
    if kind == "function" or kind == "thread" then return "a " .. kind end
    if kind ~= "table" then return kind == "userdata" and thing(value) or tostring(value) end
    local told = thing(value)
    if told then return told end
    if deep == 0 then return "{…}" end
    local parts, seen = {}, rawlen(value)
    for i = 1, seen do parts[i] = M.inline(rawget(value, i), deep - 1) end
    local keys = {}
    for key in pairs(value) do
        if not (math.type(key) == "integer" and key >= 1 and key <= seen) then keys[#keys + 1] = key end
    end
    table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
    for _, key in ipairs(keys) do parts[#parts + 1] = ("%s = %s"):format(tostring(key), M.inline(rawget(value, key), deep - 1)) end
    return "{" .. table.concat(parts, ", ") .. "}"
end

--- A hash in a table is told by its first digits.
local function cell(value)
    local text = M.inline(value):gsub("\n", "\\n")
    if type(value) == "string" and value:match("^" .. ("%x"):rep(64) .. "$") then text = value:sub(1, 8) .. "…" end
    return cut(text, CELL)
end

--- Rows of cells with a head, in columns; numbers to the right.
---@param head string[]
---@param rows string[][]
---@return string[] lines
function M.columns(head, rows)
    local widths, numeric, lines = {}, {}, {}
    for i, title in ipairs(head) do
        widths[i], numeric[i] = width(title), #rows > 0
        for _, row in ipairs(rows) do
            local text = row[i] or ""
            widths[i] = math.max(widths[i], width(text))
            numeric[i] = numeric[i] and (text == "" or text == "-" or tonumber(text) ~= nil)
        end
    end
    local function line(row)
        local parts = {}
        for i = 1, #head do parts[i] = pad(row[i] or "", widths[i], numeric[i]) end
        return "  " .. (table.concat(parts, "  "):gsub("%s+$", ""))
    end
    lines[1] = line(head)
    for _, row in ipairs(rows) do lines[#lines + 1] = line(row) end
    return lines
end

local function ordered_keys(seen)
    local keys, rank = {}, {}
    for i, name in ipairs(FIRST) do rank[name] = i end
    for key in pairs(seen) do keys[#keys + 1] = key end
    table.sort(keys, function(a, b)
        local x, y = rank[a] or 99, rank[b] or 99
        if x ~= y then return x < y end
        return tostring(a) < tostring(b)
    end)
    return keys
end

--- A list that has things of tfl in it?
local function things(value)
    for i = 1, rawlen(value) do
        if thing(rawget(value, i)) then return true end
    end
    return false
end

--- A list of plain records?
local function records(value)
    if rawlen(value) < 1 then return false end
    for key, item in pairs(value) do
        local record = type(item) == "table" and not named(item) and rawlen(item) == 0 and next(item) ~= nil
        if math.type(key) ~= "integer" or not record then return false end
    end
    return true
end

local function table_of(list)
    local seen, rows = {}, {}
    for _, item in ipairs(list) do
        for key in pairs(item) do seen[key] = true end
    end
    local keys, head = ordered_keys(seen), {}
    for i, key in ipairs(keys) do head[i] = tostring(key) end
    for i, item in ipairs(list) do
        rows[i] = {}
        for j, key in ipairs(keys) do rows[i][j] = rawget(item, key) == nil and "" or cell(rawget(item, key)) end
    end
    return M.columns(head, rows)
end

--- A value as lines.
---@param value any
---@param columns integer of the terminal
---@return string[]
function M.lines(value, columns)
    if type(value) ~= "table" or thing(value) then
        local lines = {}
        for line in (M.inline(value) .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
        return lines
    end
    if next(value) == nil then return { "{}" } end
    if records(value) then return table_of(value) end
    if things(value) then
        local lines = {}
        for i = 1, rawlen(value) do lines[i] = "  " .. M.inline(rawget(value, i)) end
        return lines
    end
    local inline = M.inline(value)
    local list = rawlen(value) > 0
    if list and width(inline) <= columns and not inline:find "\n" then return { inline } end
    local rows, widest = {}, 0
    for _, key in ipairs(ordered_keys(value)) do
        local shown = list and math.type(key) == "integer" and ("%6d"):format(key) or tostring(key)
        widest = math.max(widest, width(shown))
        rows[#rows + 1] = { shown, (M.inline(rawget(value, key)):gsub("\n", "\\n")) }
    end
    if list then table.sort(rows, function(a, b) return a[1] < b[1] end) end
    for i, row in ipairs(rows) do rows[i] = cut("  " .. pad(row[1], widest) .. "  " .. row[2], math.max(40, columns)) end
    return rows
end

return M
