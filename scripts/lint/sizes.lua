--- Checks that no file is longer than 400 lines and no function longer than 70 (DESIGN, section 3).
-- Prints FILE:LINE: what is too long; exit 1 when anything is.
--   lua5.4 scripts/lint/sizes.lua [ROOT OF THE TREE]
local MAX_FILE, MAX_FUNCTION = 400, 70

local root = arg[1] or (arg[0]:match("^(.*)/scripts/lint/[^/]*$") or ".")
local problems = 0

local function complain(file, line, ...)
    problems = problems + 1
    print(("%s:%d: %s"):format(file, line, string.format(...)))
end

-- clang-format puts the braces of a function, and of nothing else with code in it, alone in the first column.
local function check_c(file, lines)
    local start
    for number, line in ipairs(lines) do
        if line == "{" then
            start = number
        elseif line == "}" and start then
            if number - start + 1 > MAX_FUNCTION then
                complain(file, start, "a function of %d lines (%d at most)", number - start + 1, MAX_FUNCTION)
            end
            start = nil
        end
    end
end

-- A Lua function ends at the first "end" that stands as far left as the line it began on. The blocks of busted are no functions
-- in this sense: only what they call is counted.
local function check_lua(file, lines)
    local open = {}
    for number, line in ipairs(lines) do
        local indent = #line:match("^%s*")
        local last = open[#open]
        if last and indent == last.indent and line:match("^%s*end%f[^%w_]") then
            local length = number - last.number + 1
            if length > MAX_FUNCTION and not last.block then
                complain(file, last.number, "a function of %d lines (%d at most)", length, MAX_FUNCTION)
            end
            open[#open] = nil
        elseif line:match("%f[%w_]function%f[^%w_][^\n]*%)%s*$") then
            open[#open + 1] = { indent = indent, number = number, block = line:match("^%s*[%w.]*describe%(") ~= nil }
        end
    end
end

local FIND = "cd '%s' && find engine bindings lua scenarios scripts assets spec -name '*.[ch]' -o -name '*.lua' -o -name '*.sh'"
local pipe = assert(io.popen((FIND .. " | LC_ALL=C sort"):format(root:gsub("'", "'\\''"))))
local files = 0
for file in pipe:lines() do
    local lines = {}
    for line in io.lines(root .. "/" .. file) do
        lines[#lines + 1] = line
    end
    if #lines > MAX_FILE then
        complain(file, #lines, "%d lines (%d at most)", #lines, MAX_FILE)
    end
    if file:match("%.[ch]$") then
        check_c(file, lines)
    elseif file:match("%.lua$") then
        check_lua(file, lines)
    end
    files = files + 1
end
pipe:close()
print(("%d files, %d problems"):format(files, problems))
os.exit(problems == 0 and files > 0 and 0 or 1)
