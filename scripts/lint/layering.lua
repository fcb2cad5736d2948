--- Checks who uses whom (DESIGN, section 1): the #include lines and a few forbidden calls of engine/ and bindings/, and the
-- tfl_room lines of CMakeLists.txt. Prints FILE:LINE: what is wrong; exit 1 when anything is.
--   lua5.4 scripts/lint/layering.lua [ROOT OF THE TREE]

-- The one table: each room and the rooms it may use; what those may use it may use too.
local MAY_USE = {
    base = {},
    loop = { "base" },
    net = { "loop" },
    proc = { "loop" },
    sched = { "loop" },
    terminal = { "loop" },
    chain = { "base" },
    topology = { "chain" },
    client = { "net", "chain" },
    feed = { "client" },
    load = { "sched", "client", "feed", "chain" },
    deploy = { "proc", "net", "topology", "client" },
    record = { "base" },
    node = { "base", "loop", "chain", "net" },
    relay = { "deploy" },
    bindings = { "base", "loop", "net", "proc", "sched", "chain", "topology", "client", "feed", "load", "deploy", "record",
        "terminal" },
}

-- Headers of a room that not all who may use the room may include: {room that asks, header pattern, why not}.
local CLOSED = {
    { "node", "^net/http_client", "tfl-node does not link libcurl" },
    { "relay", "^net/http_client", "tfl-relay does not link libcurl" },
    { "relay", "^deploy/[^l]", "tfl-relay is about links only" },
    { "relay", "^deploy/lo", "tfl-relay is about links only" },
    { "*", "_impl%.h$", "an _impl header belongs to its own room" },
}

-- Headers of libraries and the files that may include them (patterns on the path below the root).
local LIBRARIES = {
    { "^lua%.h$", { "^bindings/" } },
    { "^lauxlib%.h$", { "^bindings/" } },
    { "^lualib%.h$", { "^bindings/" } },
    { "^ev%.h$", { "^engine/loop/" } },
    { "^histedit%.h$", { "^engine/terminal/" } },
    { "^curl/", { "^engine/net/http_client[^/]*$" } },
    { "^microhttpd%.h$", { "^engine/net/http_server[^/]*$", "^engine/net/http_impl%.h$" } },
    { "^sqlite3%.h$", { "^engine/node/" } },
    { "^yaml%.h$", { "^engine/node/", "^bindings/" } },
}

-- Calls that block the loop or read the time past it, and where they are at home.
local CALLS = {
    { { "sleep", "usleep", "nanosleep", "clock_nanosleep", "system", "popen" }, "blocks the loop", {} },
    { { "clock_gettime", "gettimeofday", "time" }, "reads the time outside engine/loop",
        { "^engine/loop/", "^engine/base/log%.c$" } },
}

local root = arg[1] or (arg[0]:match("^(.*)/scripts/lint/[^/]*$") or ".")
local problems = 0

local function complain(file, line, ...)
    problems = problems + 1
    print(("%s:%d: %s"):format(file, line, string.format(...)))
end

local function closure()
    local all = {}
    for room in pairs(MAY_USE) do
        local set, queue = { [room] = true }, { room }
        while #queue > 0 do
            for _, used in ipairs(MAY_USE[table.remove(queue)]) do
                if not set[used] then
                    set[used] = true
                    queue[#queue + 1] = used
                end
            end
        end
        all[room] = set
    end
    return all
end
local uses = closure()

local function any(path, patterns)
    for _, pattern in ipairs(patterns) do
        if path:find(pattern) then
            return true
        end
    end
    return false
end

local function exists(path)
    local file = io.open(root .. "/" .. path)
    if file then
        file:close()
    end
    return file ~= nil
end

local function check_own_include(file, number, room, header)
    local used = header:match("^([%w_]+)/[%w_]+%.h$")
    if not used then
        complain(file, number, 'include "%s" by its room, as "room/name.h"', header)
        return
    end
    if not uses[room][used] then
        complain(file, number, '%s may not use %s: include of "%s"', room, used, header)
    elseif not exists(used == "bindings" and header or "engine/" .. header) then
        complain(file, number, 'include of "%s": there is no such file', header)
    end
    for _, rule in ipairs(CLOSED) do
        if (rule[1] == room or rule[1] == "*" and used ~= room) and header:find(rule[2]) then
            complain(file, number, '%s may not include "%s": %s', room, header, rule[3])
        end
    end
end

local function check_library_include(file, number, header)
    for _, rule in ipairs(LIBRARIES) do
        if header:find(rule[1]) and not any(file, rule[2]) then
            complain(file, number, "<%s> may be included only in %s", header,
                (table.concat(rule[2], ", "):gsub("%[%^/%]%*", "*"):gsub("[%^%$%%]", "")))
        end
    end
end

local function check_calls(file, number, code)
    code = code:gsub("[.>]%s*[%w_]+%s*%(", "(") -- a member of that name is another function
    for _, rule in ipairs(CALLS) do
        for _, name in ipairs(rule[1]) do
            if code:find("%f[%w_]" .. name .. "%s*%(") and not any(file, rule[3]) then
                complain(file, number, "%s() %s", name, rule[2])
            end
        end
    end
end

--- The text with comments and strings blanked, its line breaks kept; strings of #include lines are needed, so those lines stay.
local function code_of(text)
    local function blank(part)
        return (part:gsub("[^\n]", " "))
    end
    local out, at = {}, 1
    while at <= #text do
        local from = text:find("[/\"']", at)
        if not from then
            break
        end
        out[#out + 1] = text:sub(at, from - 1)
        local two = text:sub(from, from + 1)
        local stop
        if two == "/*" then
            stop = select(2, text:find("*/", from + 2, true)) or #text
        elseif two == "//" then
            stop = (text:find("\n", from, true) or #text + 1) - 1
        elseif text:sub(from, from) ~= "/" then
            local quote, i = text:sub(from, from), from + 1
            while i <= #text and text:sub(i, i) ~= quote do
                i = i + (text:sub(i, i) == "\\" and 2 or 1)
            end
            stop = i
        end
        out[#out + 1] = stop and blank(text:sub(from, stop)) or "/"
        at = (stop or from) + 1
    end
    out[#out + 1] = text:sub(at)
    return table.concat(out)
end

local function check_file(file, room)
    local handle = assert(io.open(root .. "/" .. file, "rb"))
    local text = handle:read("a")
    handle:close()
    local code, number = code_of(text):gmatch("([^\n]*)\n?"), 0
    for line in text:gmatch("([^\n]*)\n?") do
        number = number + 1
        local own = line:match('^%s*#%s*include%s+"([^"]+)"')
        local library = line:match("^%s*#%s*include%s+<([^>]+)>")
        if own then
            check_own_include(file, number, room, own)
        elseif library and uses[library:match("^[^/]+")] and exists("engine/" .. library) then
            complain(file, number, "include <%s> with quotes: it is a header of ours", library)
        elseif library then
            check_library_include(file, number, library)
        end
        check_calls(file, number, code())
    end
end

local function check_cmake()
    local handle = io.open(root .. "/CMakeLists.txt")
    local number = 0
    for line in handle and handle:lines() or function() end do
        number = number + 1
        local room, list = line:match("^tfl_room%((%S+)%s*(.-)%)")
        for used in (list or ""):gmatch("tfl_([%w]+)") do
            if not (uses[room] and uses[room][used]) then
                complain("CMakeLists.txt", number, "tfl_room(%s …) links %s, which it may not use", room, used)
            end
        end
    end
    if handle then
        handle:close()
    end
end

local pipe = assert(io.popen(("cd '%s' && find engine bindings -name '*.[ch]' | LC_ALL=C sort"):format(root:gsub("'", "'\\''"))))
local files = 0
for file in pipe:lines() do
    local room = file:match("^engine/([^/]+)/") or file:match("^(bindings)/")
    if not MAY_USE[room] then
        complain(file, 1, "there is no room %s in the table of scripts/lint/layering.lua", tostring(room))
    else
        check_file(file, room)
    end
    files = files + 1
end
pipe:close()
check_cmake()
if files == 0 then
    complain(root, 1, "no C files below engine/ and bindings/: is this the root of the tree?")
end
print(("%d files, %d problems"):format(files, problems))
os.exit(problems == 0 and 0 or 1)
