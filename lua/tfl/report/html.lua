--- Words and numbers of a report as HTML. Everything that comes from a run goes through `text`: scripts, nodes and logs may hold
--- anything.
local json = require "tfl.core.json"

local M = {}

--- Bytes of one message that a page shows.
local LONGEST = 8000

local entities = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }
local BAD = "\u{FFFD}"

--- Valid UTF-8: bytes that are none become U+FFFD.
---@param s string
---@return string
function M.utf8(s)
    local _, bad = utf8.len(s)
    if not bad then return s end
    local parts, from = {}, 1
    while bad do
        parts[#parts + 1] = s:sub(from, bad - 1) .. BAD
        from = bad + 1
        _, bad = utf8.len(s, from)
    end
    return table.concat(parts) .. s:sub(from)
end

--- Valid UTF-8 without anything that steers: control characters become their pictures, and what would break lines or turn the direction
--- of writing U+FFFD.
---@param s any
---@return string
function M.clean(s)
    s = tostring(s)
    if s:find "^[%w._ -]*$" then return s end -- nearly always
    s = M.utf8(s)
    s = s:gsub("[%z\1-\8\11-\31\127]", function(c) return utf8.char(c == "\127" and 0x2421 or 0x2400 + c:byte()) end)
    s = s:gsub("\xC2[\x80-\x9F]", BAD):gsub("\xE2\x80[\xA8-\xAE]", BAD):gsub("\xE2\x81[\xA6-\xA9]", BAD)
    return s
end

--- Escaped for HTML, between tags and within quotes alike.
---@param s any
---@param longest? integer bytes
---@return string
function M.text(s, longest)
    s, longest = tostring(s), longest or LONGEST
    local more = #s - longest
    if more > 0 then s = s:sub(1, longest) end
    s = M.clean(s):gsub("[&<>\"']", entities)
    return more > 0 and ("%s… (%d bytes more)"):format(s, more) or s
end

--- A value as JSON for a script element: no byte in it ends the element or a line.
---@param value any with clean strings
---@return string
function M.json(value)
    return (json.encode(value):gsub("[<>&]", { ["<"] = "\\u003c", [">"] = "\\u003e", ["&"] = "\\u0026" }))
end

--- A table with names as JSON for a script element, in the order of its names: one folder, one page.
---@param data table<string, any>
---@return string
function M.data(data)
    local parts = {}
    for name, value in pairs(data) do parts[#parts + 1] = M.json(name) .. ":" .. M.json(value) end
    table.sort(parts)
    return "{" .. table.concat(parts, ",\n") .. "}"
end

--- `<name a="…">content</name>`; attributes in order of their names, `true` is one without a value. Content is HTML.
---@param name string
---@param attributes table|nil
---@param content string|nil nil: an empty element
function M.el(name, attributes, content)
    local names, out = {}, { "<", name }
    for key, value in pairs(attributes or {}) do
        if value ~= nil and value ~= false then names[#names + 1] = key end
    end
    table.sort(names)
    for _, key in ipairs(names) do
        local value = attributes[key]
        out[#out + 1] = value == true and " " .. key or (' %s="%s"'):format(key, M.text(value))
    end
    out[#out + 1] = ">"
    if content then out[#out + 1] = content .. "</" .. name .. ">" end
    return table.concat(out)
end

--- 12345 → "12,345"; 0.123456 → "0.123".
---@param x number|nil
---@return string
function M.number(x)
    if not x then return "–" end
    local whole = math.tointeger(x)
    if not whole then
        local text = ("%.3g"):format(x)
        if math.abs(x) >= 1000 and math.abs(x) < 2 ^ 53 then return M.number(math.floor(x + 0.5)) end
        return text
    end
    local sign, digits = whole < 0 and "−" or "", ("%d"):format(whole):gsub("^%-", "")
    digits = digits:reverse():gsub("(%d%d%d)", "%1,"):reverse():gsub("^,", "")
    return sign .. digits
end

--- Milliseconds as people read them: "0.5 ms", "282 ms", "4.3 s".
---@param ms number|nil
function M.ms(ms)
    if not ms then return "–" end
    if ms >= 120e3 then return ("%.1f min"):format(ms / 60e3) end
    if ms >= 1000 then return ("%.3g s"):format(ms / 1000) end
    return ms >= 100 and ("%.0f ms"):format(ms) or ("%.2g ms"):format(ms)
end

---@param seconds number|nil
function M.seconds(seconds) return seconds and ("%.1f s"):format(seconds) or "–" end

--- A table of cells that are HTML already; a cell may be {html, class}. Numbers stand right by class "n".
---@param caption string
---@param head (string|table)[]
---@param rows table[]
---@param attributes? table of the table
function M.table(caption, head, rows, attributes)
    local out = { M.el("table", attributes, nil), "<caption>", caption, "</caption><thead><tr>" }
    local function cells(tag, list, more)
        for i, cell in ipairs(list) do
            local html, class = cell, nil
            if type(cell) == "table" then html, class = cell[1], cell[2] end
            out[#out + 1] = M.el(i == 1 and tag == "td" and "th" or tag, {
                class = class, scope = tag == "th" and "col" or i == 1 and "row" or nil,
            }, html)
        end
        out[#out + 1] = more
    end
    cells("th", head, "</tr></thead><tbody>")
    for _, row in ipairs(rows) do
        out[#out + 1] = M.el("tr", row.attributes, nil)
        cells("td", row, "</tr>")
    end
    out[#out + 1] = "</tbody></table>"
    return '<div class="scroll" tabindex="0" role="group" aria-label="' .. caption:gsub("<[^>]*>", "") .. '">'
        .. table.concat(out) .. "</div>"
end

return M
