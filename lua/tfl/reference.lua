--- `tfl help api`: the reference of what scripts see, made from the annotations of the Lua sources beside the program when it is asked
--- for. What is made in C, or when a file is loaded, is annotated in lua/tfl/types/, which editors read, too.
local M = {}

local WIDTH = 100

--- Objects in reading order: the name that scripts give them, what they are, the files and in them the tables their functions are of.
local OBJECTS = {
    { name = "tfl", about = "what a file sees", { "types/tfl.lua", "tfl" } },
    { name = "scenario", about = "what tfl.scenario(name) gives; all but build go on with it", { "scenario.lua", "Scenario" } },
    { name = "t", about = "the topology: scenario:topology_with(function(t) … end)", { "topology/builder.lua", "Builder" } },
    { name = "x", about = "the load: scenario:transactions_with(function(x) … end)", { "workloads/load_builder.lua", "Builder" } },
    { name = "c", about = "chaos: scenario:chaos_with(function(c) … end); a verb opens a clause, the rest shapes it",
        { "chaos/builder.lua", "Builder" } },
    { name = "workload", about = "hooks of tfl.workload(name, hooks)", { "types/hooks.lua", "workload" } },
    { name = "expectation", about = "hooks of tfl.expectation(name, hooks)", { "types/hooks.lua", "expectation" } },
    { name = "ctx", about = "what hooks, scripts and tfl.cluster have: the running cluster", { "context.lua", "Context" },
        { "context/faults.lua", "Faults" }, { "context/load.lua", "Load" } },
    { name = "node", about = "ctx:node(0), ctx:nodes()", { "context/node.lua", "Node" } },
    { name = "client", about = "node:client(): questions to one node; each waits for the answer", { "types/client.lua", "client" } },
    { name = "feed", about = "ctx:block_feed(): every block of every node", { "types/feed.lua", "feed" } },
    { name = "wallet", about = "ctx:wallet_accounts()", { "wallets.lua", "Wallet" } },
    { name = "log", about = "ctx:logs(node); more in tfl help logging", { "node_logs.lua", "Log" } },
    { name = "prometheus", about = "ctx:telemetry():prometheus()", { "telemetry.lua", "Prometheus" } },
    { name = "fault", about = "what ctx:partition, isolate, link and the verbs of nodes give", { "context/faults.lua", "Handle" } },
    { name = "load", about = "what ctx:start_load gives", { "context/load.lua", "Handle" } },
    { name = "cluster", about = "tfl.cluster{…} in specs of tfl test: all of ctx, and", { "hand.lua", "Cluster" } },
    { name = "kind", about = "members of tfl.kind(name, {…}); more in tfl help extending", { "types/kind.lua", "kind" } },
    { name = "deployer", about = "members of tfl.deployer(name, {…}); more in tfl help deployer", { "types/deployer.lua", "deployer" } },
}

--- Classes of the annotations, as scripts call what is of them.
local CALLED = {
    ["tfl.Node"] = "node", ["tfl.Wallet"] = "wallet", ["tfl.FaultHandle"] = "fault", ["tfl.HandLoad"] = "load", ["tfl.Client"] = "client",
    ["tfl.Feed"] = "feed", ["tfl.NodeLog"] = "log", ["tfl.TopologyBuilder"] = "t", ["tfl.LoadBuilder"] = "x", ["tfl.ChaosBuilder"] = "c",
    ["tfl.Scenario"] = "scenario", ["tfl.Context"] = "ctx", ["tfl.Workload"] = "workload", ["tfl.Expectation"] = "expectation",
    ["tfl.Cluster"] = "cluster", ["tfl.Duration"] = "duration",
}

---@class tfl.ReferenceEntry
---@field name string
---@field sign string "(", ":" or ".": how it is reached; "." without arguments is a member
---@field arguments string[]|nil nil: a member
---@field text string
---@field params table<string, {type: string, text: string, optional: boolean}>
---@field returns {type: string, text: string}|nil
---@field hidden boolean|nil marked as no part of the surface

-- ---- reading

--- The type at the beginning of a text, and what follows it.
local function take_type(text)
    local depth, i = 0, 1
    while i <= #text do
        local c = text:sub(i, i)
        if c:find "[%(%[{<]" then depth = depth + 1 elseif c:find "[%)%]}>]" then depth = depth - 1 end
        if c == " " and depth == 0 and not text:sub(1, i):find "[:,|] $" then break end
        i = i + 1
    end
    local found = text:sub(1, i - 1):gsub("tfl%.%u%w*", CALLED)
    return found, text:sub(i + 1)
end

--- Annotations of one block of comments: text, and tags with what follows them.
local function read_block(lines)
    local block, last = { text = {}, params = {}, fields = {} }, nil
    for _, line in ipairs(lines) do
        local tag, rest = line:match "^@(%w+)%s*(.*)$"
        if tag == "param" or tag == "field" then
            local name, optional, more = rest:match "^([%w_%.]+)(%??)%s*(.*)$"
            local type, text = take_type(more or "")
            last = { name = name, type = type, text = text, optional = optional == "?" }
            table.insert(tag == "param" and block.params or block.fields, tag == "param" and name or last)
            if tag == "param" then block.params[name] = last end
        elseif tag == "return" then
            local type, text = take_type(rest)
            last = { type = type, text = text }
            block.returns = block.returns or last
        elseif tag then
            block[tag], last = rest, nil
        elseif last then
            last.text = last.text .. " " .. line
        else
            table.insert(block.text, line)
        end
    end
    block.text = table.concat(block.text, " ")
    return block
end

--- What a line defines: owner, sign, name, arguments; or nil.
local function definition(line)
    local owner, sign, name, arguments = line:match "^function ([%w_]+)([.:])([%w_]+)%(([^)]*)%)"
    if owner then return owner, sign, name, arguments end
    return line:match "^([%w_]+)(%.)([%w_]+) = "
end

local function entry_of(block, sign, name, arguments)
    local list = {}
    for argument in (arguments or table.concat(block.params, ",")):gmatch "[%w_%.]+" do list[#list + 1] = argument end
    return {
        name = name, sign = sign, arguments = list, text = block.text, params = block.params, returns = block.returns,
        hidden = block.package ~= nil,
    }
end

--- The functions and fields of each table of a source.
---@param source string
---@return table<string, tfl.ReferenceEntry[]>
function M.parse(source)
    local owners, lines = {}, {}
    local function of(owner)
        owners[owner] = owners[owner] or {}
        return owners[owner]
    end
    for line in (source .. "\n"):gmatch "(.-)\n" do
        local comment = line:match "^%-%-%-%s?(.*)$" or #lines > 0 and line:match "^%-%- (.*)$"
        if comment then
            lines[#lines + 1] = comment
        else
            local owner, sign, name, arguments = definition(line)
            local block = read_block(lines)
            local table_name = line:match "^local ([%w_]+) = {" or line:match "^([%w_]+) = {}"
            if owner and not name:find "^__" then
                -- a method that another function makes is called as a method
                table.insert(of(owner), entry_of(block, not arguments and ":" or sign, name, arguments))
            elseif table_name then
                for _, field in ipairs(block.fields) do
                    table.insert(of(table_name), { name = field.name, sign = ".", text = field.text, returns = field, params = {} })
                end
            end
            lines = {}
        end
    end
    return owners
end

---@class tfl.ReferenceObject
---@field name string
---@field about string
---@field entries tfl.ReferenceEntry[] those that are no part of the surface, too

--- All objects.
---@param read fun(path: string): string a file below lua/tfl
---@return tfl.ReferenceObject[]
function M.objects(read)
    local parsed, objects = {}, {}
    for i, object in ipairs(OBJECTS) do
        objects[i] = { name = object.name, about = object.about, entries = {} }
        for _, place in ipairs(object) do
            local file, owner = place[1], place[2]
            parsed[file] = parsed[file] or M.parse(read(file))
            for _, entry in ipairs(parsed[file][owner] or {}) do table.insert(objects[i].entries, entry) end
        end
    end
    return objects
end

-- ---- showing

--- Words in lines of WIDTH columns.
local function wrap(words, indent, out)
    local line, n = "", 0
    for word in words:gmatch "%S+" do
        local length = utf8.len(word) or #word
        if n > 0 and #indent + n + 1 + length > WIDTH then
            out[#out + 1] = indent .. line
            line, n = "", 0
        end
        line, n = n > 0 and line .. " " .. word or word, n + (n > 0 and 1 or 0) + length
    end
    if n > 0 then out[#out + 1] = indent .. line end
end

--- A type that is said beside the argument's name; longer ones get a line of their own.
local function short(type) return #type <= 24 and not type:find "[{%s]" end

local function signature(object, entry)
    local head = object.name .. (entry.arguments and entry.sign or ".") .. entry.name
    if not entry.arguments then return head .. (entry.returns.type ~= "any" and "  " .. entry.returns.type or "") end
    local list = {}
    for i, name in ipairs(entry.arguments) do
        local param = entry.params[name]
        list[i] = name .. (param and param.optional and "?" or "")
        if param and short(param.type) and param.type ~= "any" and param.type ~= "table" then list[i] = list[i] .. ": " .. param.type end
    end
    local returns = entry.returns and entry.returns.type
    if returns == object.name or returns == "any" then returns = nil end
    if returns and entry.returns.text:find "^[%w_]+$" then returns = entry.returns.text .. ": " .. returns end
    return ("%s(%s)%s"):format(head, table.concat(list, ", "), returns and " → " .. returns or "")
end

--- Everything about one entry.
local function show_entry(object, entry, out)
    wrap(signature(object, entry), "  ", out)
    if entry.text ~= "" then wrap(entry.text, "      ", out) end
    for _, name in ipairs(entry.arguments or {}) do
        local param = entry.params[name]
        if param and (param.text ~= "" or not short(param.type) and not param.type:find "^fun%b()$") then
            wrap(("%s: %s%s"):format(name, short(param.type) and "" or param.type .. "  ", param.text), "      ", out)
        end
    end
    if entry.arguments and entry.returns and entry.returns.text:find "%s" then wrap("gives " .. entry.returns.text, "      ", out) end
end

--- One screen: all objects with the names of what they have.
local function overview(objects)
    local out = { "The scripting surface. `tfl help api ctx` tells what an object has, `tfl help api partition` what a function does.", "" }
    for _, object in ipairs(objects) do
        local names = {}
        for _, entry in ipairs(object.entries) do
            if not entry.hidden then names[#names + 1] = entry.name end
        end
        out[#out + 1] = ("%-12s%s"):format(object.name, object.about)
        wrap(table.concat(names, "  "), (" "):rep(12), out)
    end
    return table.concat(out, "\n") .. "\n"
end

--- The reference: an overview, of one object, or of the functions of a name (`partition`, `ctx:partition`). nil and all names when there
--- is nothing of that name.
---@param read fun(path: string): string
---@param what string|nil
---@return string|nil text, string[]|nil names
function M.show(read, what)
    local objects, out, names, whole = M.objects(read), {}, {}, nil
    if not what then return overview(objects) end
    for i, object in ipairs(objects) do
        names[i] = object.name
        whole = whole or object.name == what and object
    end
    if whole then out[1] = ("%s: %s"):format(whole.name, whole.about) end
    for _, object in ipairs(objects) do
        for _, entry in ipairs(object.entries) do
            local full = object.name .. entry.sign .. entry.name
            if not entry.hidden then
                names[#names + 1] = entry.name
                local wanted = entry.name == what or full == what
                if object == whole or wanted and not whole then show_entry(object, entry, out) end
            end
        end
    end
    if #out == 0 then return nil, names end
    return table.concat(out, "\n") .. "\n"
end

return M
