--- Checks that lua/tfl/env.lua tells of every variable of the environment: the README has its rows, what the sources look at is in it,
-- and each row's spec mentions the variable. Prints what is not so; exit 1 when anything is. --write mends the README.
--   lua5.4 scripts/lint/environment.lua [--write] [ROOT OF THE TREE]
local write = arg[1] == "--write"
local root = arg[write and 2 or 1] or (arg[0]:match "^(.*)/scripts/lint/[^/]*$" or ".")
package.path = root .. "/lua/?.lua;" .. package.path
local env = require "tfl.env"
local problems = 0

local function complain(...)
    problems = problems + 1
    print(string.format(...))
end

local function read(path)
    local file = io.open(root .. "/" .. path, "rb")
    local text = file and file:read "a"
    if file then file:close() end
    return text
end

local function check_readme()
    local text = read "README.md"
    local from, to = text:find "\n| variable | effect |\n|%-%-%-|%-%-%-|\n"
    if not from then return complain "README.md: there is no table of variables" end
    local last = to
    while text:sub(last + 1, last + 1) == "|" do last = text:find("\n", last + 1, true) end
    local rows = text:sub(to + 1, last)
    if rows == env.markdown() then return end
    if not write then return complain "README.md: its table of variables is not that of lua/tfl/env.lua; --write mends it" end
    local file = assert(io.open(root .. "/README.md", "wb"))
    file:write(text:sub(1, to), env.markdown(), text:sub(last + 1))
    file:close()
end

--- A word by itself: LOGOS_BLOCKCHAIN_CIRCUITS is not in LOGOS_BLOCKCHAIN_CIRCUITS_URL.
local function has_word(text, word) return text:find("%f[%w_]" .. word .. "%f[^%w_]") ~= nil end

local function check_specs()
    local seen = {}
    for _, row in ipairs(env.rows) do
        local name, spec = row[1], row[3] and ("spec/%s_spec.lua"):format(row[3])
        local text = spec and read(spec)
        if seen[name] then complain("lua/tfl/env.lua: %s is there twice", name) end
        seen[name] = true
        if not spec then
            complain("lua/tfl/env.lua: %s has no spec of its effect", name)
        elseif not text then
            complain("lua/tfl/env.lua: %s: there is no %s", name, spec)
        elseif not has_word(text, name) then
            complain("%s: it does not mention %s, whose effect it is to show", spec, name)
        end
    end
    for _, name in ipairs(env.inner) do seen[name] = true end
    return seen
end

--- What a line of a source looks at.
local LOOKS = {
    lua = { '"([%u%d_]+)"' },
    c = { 'getenv%("([%u%d_]+)"' },
    sh = { "%$%{?([%u%d_]+)" },
}

local NO_VARIABLE = { TFL_FOREIGN_ID = true } -- the tag of a hash

local function check_sources(known)
    local pipe = assert(io.popen(("cd '%s' && find lua engine bindings scripts -name '*.lua' -o -name '*.c' -o -name '*.sh'")
        :format(root:gsub("'", "'\\''"))))
    for path in pipe:lines() do
        for _, pattern in ipairs(LOOKS[path:match "%w+$"]) do
            for name in read(path):gmatch(pattern) do
                local ours = false
                for _, prefix in ipairs(env.PREFIXES) do ours = ours or #name > #prefix and name:sub(1, #prefix) == prefix end
                if ours and not known[name] and not NO_VARIABLE[name] then
                    known[name] = true
                    complain("%s: it looks at %s, of which lua/tfl/env.lua does not tell", path, name)
                end
            end
        end
    end
    pipe:close()
end

check_readme()
check_sources(check_specs())
os.exit(problems == 0 and 0 or 1)
