--- Completion of what is typed: commands, names, methods, nodes, files. Nothing that is typed is run for it.
local sys = require "tfl.core.sys"

local M = {}

local KEYWORDS = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not", "or",
    "repeat", "return", "then", "true", "until", "while" }

--- What tfl itself calls, and nobody types.
local HIDDEN = { client_of = true, entry = true, conclude = true, fault_of = true, check_settings = true, peers_of = true,
    add = true, close = true, stop_node = true, judge = true, now = true }

local function keys(t, out)
    for key in pairs(t or {}) do
        if type(key) == "string" and key:sub(1, 1) ~= "_" then out[#out + 1] = key end
    end
    return out
end

local function node_names(session)
    local names = {}
    for i, node in ipairs(session.run.nodes) do names[i] = node.name end
    return names
end

--- The methods of a userdata, and those that ctx adds.
local function methods(target, ...)
    local meta = target and getmetatable(target)
    return keys(meta and type(meta.__index) == "table" and meta.__index, { ... })
end

--- What the calls that only give something give: by the name of the call.
local given = {
    node = function() return require("tfl.context.node").names() end,
    client = function(session)
        local _, client = next(session.run.clients)
        return methods(client, "dial_peer")
    end,
    block_feed = function(session) return methods(session.run.feed) end,
    start_load = function() return { "counts", "stop", "wait" } end,
    partition = function() return { "heal", "counts", "bit" } end,
    wallet_accounts = function() return { "balance", "dropped", "inscription", "transfer", "twin" } end,
}
given.isolate, given.link = given.partition, given.partition
given.random_node_client, given.cluster_client = given.client, given.client

--- Members of a value that is there already.
local function members(session, value)
    local meta = getmetatable(value)
    local name = type(meta) == "table" and meta.__name
    if name == "node" then return given.node() end
    if name == "fault" then return given.partition() end
    if name == "wallet" then return given.wallet_accounts() end
    if name == "load" then return given.start_load() end
    if name == "client" then return given.client(session) end
    if name == "feed" then return given.block_feed(session) end
    if value == session.ctx then return require("tfl.context").names() end
    if type(value) == "userdata" then return methods(value) end
    if type(value) == "string" then return keys(string, {}) end
    return type(value) == "table" and keys(value, {}) or {}
end

--- What the text before the last '.' or ':' stands for, as far as it can be known without running it.
local function of_prefix(session, prefix)
    local call = prefix:match "([%a_][%w_]*)%s*%b()$" or prefix:match '([%a_][%w_]*)%s*%b""$' or prefix:match "([%a_][%w_]*)%s*%b{}$"
    local index = prefix:match "([%a_][%w_]*)%s*%b()%s*%b[]$"
    if call or index then
        local names = given[call or index]
        return names and names(session) or {}
    end
    local chain = prefix:match "[%a_][%w_%.]*$"
    local value = session.env
    for name in (chain or "?"):gmatch "[^%.]+" do
        if type(value) ~= "table" then return {} end
        local ok, member = pcall(function() return value[name] end)
        if not ok then return {} end
        value = member
    end
    return value ~= nil and members(session, value) or {}
end

local function globals(session)
    local names = keys(session.env, require("tfl.context").names())
    keys(session.globals or _G, names)
    table.move(KEYWORDS, 1, #KEYWORDS, #names + 1, names)
    names[#names + 1] = "tfl"
    return names
end

local function files(word)
    local folder, names = word:match "^(.*/)[^/]*$", {}
    for _, name in ipairs(sys.list(folder or ".") or {}) do
        local stat = sys.stat((folder or "") .. name)
        names[#names + 1] = (folder or "") .. name .. (stat and stat.type == "folder" and "/" or "")
    end
    return names
end

--- The word that is being typed, and what it can become.
local function candidates(session, line)
    local commands = require("tfl.repl.commands")
    local command, rest = line:match "^%s*:(%a*)(.*)$"
    if command and rest == "" then return command, commands.names() end
    if command then
        local kind, word = commands.argument(command), rest:match "(%S*)$"
        if kind == "node" then return word, node_names(session) end
        if kind == "file" then return word, files(word) end
        if kind == "command" then return word, commands.names() end
        if kind ~= "expression" then return word, {} end
    end
    local quoted = line:match "[\"']([%w_%-]*)$"
    local _, quotes = line:gsub("[\"']", "")
    if quoted and quotes % 2 == 1 then return quoted, node_names(session) end
    local prefix, word = line:match "^(.*)[%.:]([%w_]*)$"
    if prefix and not prefix:find "%.$" then return word, of_prefix(session, prefix) end
    word = line:match "([%a_][%w_]*)$"
    return word or "", word and globals(session) or {}
end

---@param session tfl.ReplSession
---@param line string up to the cursor
---@return string insert, string[] names what it can become, when that is several
function M.of(session, line)
    local word, all = candidates(session, line)
    local fitting, seen = {}, {}
    for _, name in ipairs(all) do
        if name:sub(1, #word) == word and not seen[name] and not HIDDEN[name] then
            seen[name], fitting[#fitting + 1] = true, name
        end
    end
    table.sort(fitting)
    if #fitting == 0 then return "", {} end
    local common = fitting[1]
    for _, name in ipairs(fitting) do
        while name:sub(1, #common) ~= common do common = common:sub(1, #common - 1) end
    end
    return common:sub(#word + 1), fitting
end

--- Names in columns.
---@param names string[]
---@param columns integer
---@return string
function M.listing(names, columns)
    local widest, lines, most = 0, {}, 120
    for _, name in ipairs(names) do widest = math.max(widest, #name) end
    local per = math.max(1, (columns - 2) // (widest + 2))
    for i = 1, math.min(#names, most), per do
        local row = {}
        for j = i, math.min(i + per - 1, #names, most) do row[#row + 1] = names[j] .. (" "):rep(widest - #names[j]) end
        lines[#lines + 1] = "  " .. (table.concat(row, "  "):gsub("%s+$", ""))
    end
    if #names > most then lines[#lines + 1] = ("  … %d more"):format(#names - most) end
    return table.concat(lines, "\n")
end

return M
