--- Pages in a real browser: Debian's Chromium without a window, a profile of its own for each page.
local support = require "spec.support"

local browser = {}

--- The report of a folder: its text, and its path.
---@param dir string
---@return string html, string path
function browser.report(dir)
    local path = support.path "page.html"
    local result = support.run { "report", dir, "--out", path }
    assert(result.code == 0, result.text)
    return support.read(path), path
end

--- Opens a file and gives the document as it is when all scripts have run, and what was written to the console (errors, too).
---@param path string
---@return {dom: string, console: string[]}
function browser.open(path)
    local dir = support.dir() .. "/browser"
    local command = ("HOME=%s timeout -k 5 60 chromium --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --user-data-dir=%s "
        .. "--enable-logging=stderr --log-level=0 --virtual-time-budget=5000 --dump-dom %s 2>%s"):format(support.quote(dir),
        support.quote(dir .. "/profile"), support.quote("file://" .. path), support.quote(dir .. ".err"))
    os.execute("mkdir -p " .. support.quote(dir))
    local dom, code = support.sh(command)
    local err, console = support.read(dir .. ".err"), {}
    assert(code == 0, "chromium ended with " .. tostring(code) .. "\n" .. err)
    for line in err:gmatch "[^\n]+" do
        if line:find ":CONSOLE" then console[#console + 1] = line end
    end
    return { dom = dom, console = console }
end

--- A copy of a page that does more at its end: `script` runs after the page's own and may call `say(text)`; opens it and gives
--- what was said, in lines.
---@param path string
---@param script string
---@return string[] lines
---@return table page of browser.open
function browser.with(path, script)
    local html = support.read(path)
    local changed, n = html:gsub("</body>%s*</html>%s*$", function(tail)
        return "<pre id=\"said\"></pre><script>const say = (t) => { document.getElementById('said').append(t + '\\n'); };" .. script
            .. "</script>" .. tail
    end)
    assert(n == 1, "the page has no end")
    local page = browser.open(support.write("with.html", changed))
    local lines = {}
    for line in (page.dom:match '<pre id="said">(.-)</pre>' or ""):gmatch "[^\n]+" do lines[#lines + 1] = line end
    return lines, page
end

--- The charts of a page: by name its marks as it says ({said = {block = 3}}) and as they are there ({drawn = {block = 3}}).
---@param dom string
function browser.charts(dom)
    local charts = {}
    for tag, name, body in dom:gmatch '(<figure[^>]*data%-chart="([^"]*)"[^>]*>)(.-)</figure>' do
        local chart = { said = {}, drawn = {}, body = body }
        for kind, n in tag:gmatch 'data%-marks%-([%w-]+)="(%d+)"' do chart.said[kind] = math.tointeger(tonumber(n)) end
        for element in body:gmatch '<[^>]*data%-mark="[^>]*>' do
            local kind = element:match 'data%-mark="([^"]*)"'
            chart.drawn[kind] = (chart.drawn[kind] or 0) + math.tointeger(tonumber(element:match 'data%-n="(%d+)"' or 1))
        end
        charts[name] = chart
    end
    return charts
end

--- How often a plain text is in another.
---@param text string
---@param what string
function browser.count(text, what)
    local n, from = 0, 1
    while true do
        local at = text:find(what, from, true)
        if not at then return n end
        n, from = n + 1, at + #what
    end
end

return browser
