--- `tfl completion WORD…`: what the last word may become. The scripts for shells in assets/completion ask with each Tab, so that nothing
--- they offer is older than the parser. A line for each: "w WORD<TAB>what it is", "f EXTENSION" (files of that kind, and folders), "f" (any
--- file), "d" (folders).
local arguments = require "tfl.arguments"
local deployers = require "tfl.deployers"
local sys = require "tfl.core.sys"

local M = {}

--- Of a file that is looked at for deployers and parameters.
local SOURCE_BYTES = 1000000

local function word(out, text, about)
    out[#out + 1] = ("w %s\t%s"):format(text, (about or ""):gsub("%s+", " "))
end

--- Lua without comments and what texts hold.
local function source_of(path)
    local stat = sys.stat(path)
    if not path:find "%.lua$" or not stat or stat.type ~= "file" or stat.size > SOURCE_BYTES then return "" end
    return (sys.read_file(path) or ""):gsub("%-%-[^\n]*", "")
end

--- The files are read, not run: Tab starts nothing.
local function deployers_of(files, out)
    for _, name in ipairs(deployers.names()) do word(out, name) end
    for _, path in ipairs(files) do
        for name in source_of(path):gmatch "tfl%.deployer%s*%(?%s*[\"']([%w_%-]+)[\"']" do word(out, name, "of " .. path) end
    end
end

local function parameters_of(files, out)
    for _, path in ipairs(files) do
        local body = source_of(path):match "tfl%.params%s*%(?%s*(%b{})"
        body = body and body:sub(2, -2):gsub('"[^"\n]*"', '""'):gsub("'[^'\n]*'", "''"):gsub("%b{}", "{}") or ""
        for name in ("," .. body):gmatch "[,;]%s*([%a_][%w_]*)%s*=" do word(out, name .. "=", "of " .. path) end
    end
end

--- Values of an option, or of an argument, by what it is called.
local function values(of, name, files, last, out)
    if of._choices then
        for _, choice in ipairs(of._choices) do word(out, choice) end
    elseif name == "DEPLOYER" then
        local found, before = {}, last:match "^(.*,)" or ""
        deployers_of(files, found)
        for _, line in ipairs(found) do out[#out + 1] = "w " .. before .. line:sub(3) end
    elseif name == "FILE" then
        out[#out + 1] = "f"
    elseif name == "DIR" or name == "folder" then
        out[#out + 1] = "d"
    elseif name == "files" then
        out[#out + 1] = "f lua"
    elseif of._name == "--param" or of._name == "-p" then
        parameters_of(files, out)
    end
end

local function options(command, out)
    for _, option in ipairs(command._options) do
        for _, alias in ipairs(option._hidden and {} or option._aliases) do word(out, alias, option._description) end
    end
end

local function topics(before, api_names, by_name, out)
    if before[1] == "api" then
        local seen = {}
        for _, name in ipairs(before[2] and {} or api_names()) do
            if not seen[name] then word(out, name) end
            seen[name] = true
        end
    elseif not before[1] then
        word(out, "api", "all that scripts see")
        for _, name in ipairs(arguments.commands) do word(out, name, by_name[name]._description) end
        local others = {}
        for name in pairs(require "tfl.help") do others[#others + 1] = not by_name[name] and name or nil end
        table.sort(others)
        for _, name in ipairs(others) do word(out, name) end
    end
end

--- What the words before the last one say: the option that waits for its value, or nil, and the arguments.
local function walk(command, words, from)
    local waiting, rest, by_alias = nil, {}, {}
    for _, option in ipairs(command._options) do
        for _, alias in ipairs(option._aliases) do by_alias[alias] = option end
    end
    for i = from, #words - 1 do
        local option = by_alias[words[i]]
        if option then
            waiting = option._maxargs > 0 and option or nil
        elseif waiting then
            waiting = nil
        elseif words[i]:sub(1, 1) ~= "-" then
            rest[#rest + 1] = words[i]
        end
    end
    return waiting, rest
end

--- What may stand at the end of these words.
local function candidates(words, api_names)
    local out, last = {}, words[#words] or ""
    local _, by_name = arguments.parser()
    local command, from = by_name[words[1]], 2
    if #words <= 1 then
        for _, name in ipairs(arguments.commands) do word(out, name, by_name[name]._description) end
        options(by_name.run, out)
        out[#out + 1] = "f lua"
        return out
    elseif not command then
        command, from = by_name.run, 1 -- tfl FILE …
    end
    if words[#words - 1] == "=" or last == "=" then return out end -- bash takes KEY=VALUE for three words
    local waiting, rest = walk(command, words, from)
    if waiting then values(waiting, waiting._argname, rest, last, out) end
    if waiting and waiting._minargs > 0 then return out end
    options(command, out)
    local argument = command._arguments[1]
    if command._name == "help" then
        topics(rest, api_names, by_name, out)
    elseif argument and #rest < argument._maxargs then
        values(argument, argument._name, rest, last, out)
    end
    return out
end

--- Is it meant by what was typed? Options are offered once there is a "-".
local function meant(line, last)
    local text = line:match "^w ([^\t]*)"
    return not text or text:sub(1, #last) == last and (text:sub(1, 1) ~= "-" or last ~= "")
end

---@param words string[] after `tfl`, the last one is what is being typed
---@param api_names fun(): string[] what `tfl help api` knows
---@return string lines
function M.text(words, api_names)
    local out, seen, last = {}, {}, words[#words] or ""
    for _, line in ipairs(candidates(words, api_names)) do
        if meant(line, last) and not seen[line] and (last:sub(1, 1) ~= "-" or line:sub(1, 1) == "w") then
            out[#out + 1], seen[line] = line .. "\n", true
        end
    end
    return table.concat(out)
end

return M
