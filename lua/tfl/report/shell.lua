--- What every report has around its content: the head of the page, its colours and its script. One file that needs nothing else.
local html = require "tfl.report.html"
local sys = require "tfl.core.sys"

local M = {}

local marks = { pass = "✓", fail = "✗", inconclusive = "?", infra = "!", usage = "!", interrupted = "!" }

local HEAD = [[<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
]]

--- Reads the file of assets/report that lies beside the program.
local function asset(name)
    local prefix = sys.exe():match "^(.*)/[^/]*/[^/]*$" or ""
    return assert(sys.read_file(prefix .. "/share/tfl/assets/report/" .. name))
end

--- The sign of a verdict.
---@param verdict string|nil
function M.mark(verdict) return marks[verdict] or "?" end

--- The class that colours a verdict.
---@param verdict string|nil
function M.class(verdict) return "v-" .. (marks[verdict] and verdict or "unknown") end

---@param verdict string|nil
---@param big? boolean
function M.badge(verdict, big)
    return ('<span class="badge %s%s"><span aria-hidden="true">%s</span> %s</span>'):format(M.class(verdict), big and " big" or "",
        M.mark(verdict), html.text(verdict or "unknown", 40))
end

---@param id string
---@param title string
---@param content string HTML
function M.section(id, title, content)
    return ('<section id="%s" aria-labelledby="h-%s"><h2 id="h-%s">%s</h2>%s</section>\n'):format(id, id, id, title, content)
end

--- A command, with a button that copies it.
---@param command string|nil
function M.command(command)
    if not command then return "" end
    return '<div class="again"><code>' .. html.text(command) .. '</code><button type="button" class="copy" hidden>Copy</button></div>'
end

--- The head of the page: its title, verdict, a line of facts (text), the command that makes it again.
---@param title string
---@param verdict string|nil
---@param facts string[]
---@param again string|nil
function M.header(title, verdict, facts, again)
    local list = {}
    for i, fact in ipairs(facts) do list[i] = "<li>" .. html.text(fact, 200) .. "</li>" end
    return table.concat {
        '<header><div class="top"><p class="brand">tfl report</p><fieldset class="theme" hidden><legend>Colours</legend>',
        '<label><input type="radio" name="theme" value="" checked>auto</label>',
        '<label><input type="radio" name="theme" value="light">light</label>',
        '<label><input type="radio" name="theme" value="dark">dark</label></fieldset></div>',
        '<div class="title"><h1>', html.text(title, 200), "</h1>", M.badge(verdict, true), "</div>",
        '<ul class="facts">', table.concat(list), "</ul>", M.command(again), "</header>\n",
    }
end

--- A tile of the figures at the top; name and raw value are for whoever compares it with the files.
---@param label string
---@param value string HTML
---@param note string|nil
---@param name string|nil
---@param raw any
function M.tile(label, value, note, name, raw)
    return ('<div class="tile"><dt>%s</dt><dd%s>%s%s</dd></div>'):format(label, name and (' data-figure="%s" data-value="%s"'):format(name,
        html.text(raw)) or "", value, note and '<small>' .. note .. "</small>" or "")
end

---@param tiles string[]
function M.tiles(tiles)
    return #tiles > 0 and '<section id="figures" aria-label="Figures"><dl class="tiles">' .. table.concat(tiles) .. "</dl></section>\n"
        or ""
end

--- What could not be read, for the end of the page.
---@param notes string[]
function M.notes(notes)
    if #notes == 0 then return "" end
    local out = {}
    for i, note in ipairs(notes) do out[i] = "<li>" .. html.text(note, 1000) .. "</li>" end
    return M.section("notes", "Notes on this report", '<ul class="notes">' .. table.concat(out) .. "</ul>")
end

--- The whole page.
---@param title string
---@param header string
---@param main string
---@param data string|nil JSON for the script
---@return string html
function M.page(title, header, main, data)
    return table.concat {
        HEAD, "<title>", html.text(title, 200), "</title>\n<style>\n", asset "report.css",
        "</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">Skip to the figures</a>\n", header, "<main id=\"main\">\n", main,
        "</main>\n", data and "<script type=\"application/json\" id=\"tree-data\">" .. data .. "</script>\n" or "",
        "<script>\n", asset "report.js", "</script>\n</body>\n</html>\n",
    }
end

return M
