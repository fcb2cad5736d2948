--- clang-tidy (.clang-tidy: bugprone and the analyzer) over engine/, bindings/ and spec/support, as many at once as there are
-- processors. A file whose text, headers, flags and checks are those of an earlier clean pass is not looked at again: the keys of
-- clean passes are empty files in build/lint/tidy. Needs a configured and built build/dev.
--   lua5.4 scripts/lint/clang_tidy.lua
local cjson = require "cjson"

local BUILD, CACHE = "build/dev", "build/lint/tidy"
local SUMS_AT_ONCE = 500

-- One file: $1 its path, $2 its key or "-". A clean file leaves its key, a dirty one its findings on stdout.
local EACH = [[
out=$(clang-tidy --quiet -p BUILD --extra-arg=-Wno-unknown-warning-option "$1" 2>&1) && {
    [ "$2" = - ] || : >CACHE/"$2"
    exit 0
}
printf '%s\n' "$out" | grep -v '^[0-9]* warnings* generated\|^Suppressed \|^Use -header-filter'
exit 1
]]
EACH = EACH:gsub("BUILD", BUILD):gsub("CACHE", CACHE)

local root = arg[0]:match("^(.*)/scripts/lint/[^/]*$") or "."

local function quote(word)
    return "'" .. word:gsub("'", "'\\''") .. "'"
end

local function output(command)
    local pipe = assert(io.popen("cd " .. quote(root) .. " && " .. command, "r"))
    local text = pipe:read("a")
    local ok = pipe:close()
    return text, ok
end

local top = output("pwd -P"):gsub("\n$", "")

-- {[source path] = {command=, deps={headers of ours}}} for what we lint
local function sources()
    local file = io.open(root .. "/" .. BUILD .. "/compile_commands.json")
    if not file then
        io.stderr:write(BUILD .. " is not configured: run scripts/test.sh, which builds it\n")
        os.exit(1)
    end
    local all, by_object = {}, {}
    for _, entry in ipairs(cjson.decode(file:read("a"))) do
        local path = entry.file:sub(1, #top + 1) == top .. "/" and entry.file:sub(#top + 2) or entry.file
        local object = entry.output or entry.command:match(" %-o (%S+)")
        if path:match("^engine/") or path:match("^bindings/") or path:match("^spec/support/") then
            all[path] = { command = entry.command }
            by_object[object or ""] = all[path]
        end
    end
    file:close()
    local current
    for line in output("ninja -C " .. BUILD .. " -t deps 2>/dev/null"):gmatch("([^\n]*)\n") do
        local object, state = line:match("^(%S.*): #deps %d+, deps mtime %d+ %((%a+)%)$")
        if object then
            current = by_object[object]
            if current then
                current.deps = state == "VALID" and {} or nil
            end
        elseif current and current.deps then
            local path = line:match("^%s+(%S.*)$")
            if path and path:sub(1, #top + 1) == top .. "/" then
                current.deps[#current.deps + 1] = path:sub(#top + 2)
            end
        end
    end
    return all
end

-- {[path] = sha256 of the file}
local function sums(paths)
    local found = {}
    for from = 1, #paths, SUMS_AT_ONCE do
        local words = {}
        for i = from, math.min(from + SUMS_AT_ONCE - 1, #paths) do
            words[#words + 1] = quote(paths[i])
        end
        for sum, path in output("sha256sum -- " .. table.concat(words, " ")):gmatch("(%x+)  ([^\n]+)") do
            found[path] = sum
        end
    end
    return found
end

-- {[name] = sha256 of texts[name]}: the texts go through files, so that one sha256sum does them all
local function hashed(names, texts)
    local dir, paths = CACHE .. "/texts", {}
    output("rm -rf " .. dir .. " && mkdir -p " .. dir)
    for i, name in ipairs(names) do
        paths[i] = dir .. "/" .. i
        local file = assert(io.open(root .. "/" .. paths[i], "w"))
        file:write(texts[name])
        file:close()
    end
    local result, sum = {}, sums(paths)
    for i, name in ipairs(names) do
        result[name] = sum[paths[i]]
    end
    return result
end

-- {[path] = key}: nil where the headers are not known, so that the file is always linted
local function keys(all)
    local wanted, set = { ".clang-tidy" }, {}
    for path, source in pairs(all) do
        for _, dep in ipairs(source.deps or { path }) do
            if not set[dep] then
                set[dep] = true
                wanted[#wanted + 1] = dep
            end
        end
    end
    local sum = sums(wanted)
    local common = output("clang-tidy --version") .. sum[".clang-tidy"]
    local names, texts = {}, {}
    for path, source in pairs(all) do
        if source.deps then
            local parts = { common, path, source.command }
            table.sort(source.deps)
            for _, dep in ipairs(source.deps) do
                parts[#parts + 1] = dep .. " " .. (sum[dep] or "gone")
            end
            names[#names + 1] = path
            texts[path] = table.concat(parts, "\n")
        end
    end
    return hashed(names, texts)
end

local function main()
    output("mkdir -p " .. CACHE)
    local all = sources()
    local key, stale, total = keys(all), {}, 0
    for path in pairs(all) do
        total = total + 1
        local seen = key[path] and io.open(root .. "/" .. CACHE .. "/" .. key[path])
        if seen then
            seen:close()
        else
            stale[#stale + 1] = path
        end
    end
    table.sort(stale)
    local list = CACHE .. "/list"
    local file = assert(io.open(root .. "/" .. list, "w"))
    for _, path in ipairs(stale) do
        file:write(path, "\0", key[path] or "-", "\0")
    end
    file:close()
    local text, ok = output("xargs -0 -r -n 2 -P \"$(nproc)\" sh -c " .. quote(EACH) .. " tidy <" .. quote(list))
    io.write(text)
    print(("%d files, %d looked at, %s"):format(total, #stale, ok and "clean" or "not clean"))
    return ok and total > 0
end

os.exit(main() and 0 or 1)
