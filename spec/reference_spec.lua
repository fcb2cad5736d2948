-- `tfl help api`: it tells of all that scripts see, and of nothing else; every public function has an annotation.
local reference = require "tfl.reference"
local support = require "spec.support"
support.guard()

local function source(path) return assert(support.read(support.root .. "/" .. path), path) end

local function objects()
    local by_name = {}
    for _, object in ipairs(reference.objects(function(path) return source("lua/tfl/" .. path) end)) do by_name[object.name] = object end
    return by_name
end

-- Names of an object, sorted; `all`: those too that are no part of the surface.
local function names_of(object, all)
    local names = {}
    for _, entry in ipairs(object.entries) do
        if all or not entry.hidden then names[#names + 1] = entry.name end
    end
    table.sort(names)
    return names
end

local function sorted(list)
    table.sort(list)
    return list
end

-- Methods of a userdata, from the table in the C source, without those that only tfl itself calls.
local function c_methods(path, internal)
    local names = {}
    for name in source(path):match("static const luaL_Reg methods%[%] = (.-)};"):gmatch '{"([%w_]+)"' do
        if not internal[name] then names[#names + 1] = name end
    end
    return names
end

local function set(...)
    local out = {}
    for _, name in ipairs { ... } do out[name] = true end
    return out
end

describe("the reference", function()
    it("has a text for every public function and member", function()
        local n = 0
        for name, object in pairs(objects()) do
            for _, entry in ipairs(object.entries) do
                n = n + 1
                local told = entry.hidden or entry.text:find "%S" ~= nil
                assert.is_true(told, ("%s%s%s has no annotation"):format(name, entry.sign, entry.name))
            end
            assert.is_true(#object.entries > 0, name)
        end
        assert.is_true(n > 150, tostring(n))
    end)

    it("sees that an annotation is missing", function()
        local parsed = reference.parse("local A = {}\n\n--- Told.\n---@param x integer how many\nfunction A:told(x) end\n\n"
            .. "function A:bare() end\n")
        assert.same({ "told", "bare" }, { parsed.A[1].name, parsed.A[2].name })
        assert.same({ "Told.", "" }, { parsed.A[1].text, parsed.A[2].text })
        assert.same({ "integer", "how many" }, { parsed.A[1].params.x.type, parsed.A[1].params.x.text })
    end)

    it("has just what is there: tfl, ctx, nodes, clients, the feed, kinds and deployers", function()
        local file = support.write("names.lua", [[
            local function print_names(what, list)
                table.sort(list)
                print(what .. ": " .. table.concat(list, " "))
            end
            local function keys(t)
                local list = {}
                for name in pairs(t) do list[#list + 1] = name end
                return list
            end
            print_names("tfl", keys(tfl))
            print_names("ctx", require("tfl.context").names())
            print_names("node", require("tfl.context.node").names())
            print_names("deployer", keys(require("tfl.deployers.custom").FUNCTIONS))
            tfl.script("names", function() end)]])
        local result = support.run { "check", file }
        assert.equal(0, result.code, result.text)
        local all = objects()
        local function told(what) return result.out:match("%f[^%z\n]" .. what .. ": ([^\n]*)") end
        assert.equal(told "tfl", table.concat(names_of(all.tfl), " "))
        assert.equal(told "ctx", table.concat(names_of(all.ctx, true), " "))
        assert.equal(told "node", table.concat(names_of(all.node), " "))
        local functions = {}
        for _, entry in ipairs(all.deployer.entries) do functions[#functions + 1] = entry.arguments and entry.name or nil end
        assert.equal(told "deployer", table.concat(sorted(functions), " "))
        local client = c_methods("bindings/client.c", set("late_slots"))
        client[#client + 1] = "dial_peer" -- tfl.context adds it
        assert.same(sorted(client), names_of(all.client))
        local own = set("add", "stop_node", "close", "now", "judge", "propagation", "enter", "tell", "view")
        assert.same(sorted(c_methods("bindings/block_feed.c", own)), names_of(all.feed))
        local members = { "base" } -- of variants alone
        for name in source("lua/tfl/kinds/custom.lua"):match("\nlocal MEMBERS = {(.-)\n}"):gmatch "([%w_]+) = {" do
            members[#members + 1] = name
        end
        assert.same(sorted(members), names_of(all.kind))
    end)

    it("is shown as an overview, by objects, and by functions", function()
        local overview = support.run { "help", "api" }
        assert.equal(0, overview.code, overview.text)
        local lines = 0
        for line in overview.out:gmatch "[^\n]+" do
            lines = lines + 1
            assert.is_true(utf8.len(line) <= 120, line)
        end
        assert.is_true(lines < 70, tostring(lines))
        for name in pairs(objects()) do
            assert.truthy(("\n" .. overview.out):find("\n" .. name .. " ", 1, true), name)
            assert.equal(0, support.run({ "help", "api", name }).code, name)
        end
        assert.is_nil(overview.out:find("check_settings", 1, true))
        local ctx = support.run({ "help", "api", "ctx" }).out
        assert.truthy(ctx:find("ctx:wait_for_slot(slot: integer)\n", 1, true), ctx)
        assert.truthy(ctx:find("ctx:partition(...) → fault\n", 1, true), ctx)
        assert.is_nil(ctx:find("check_settings", 1, true))
        local partition = support.run({ "help", "api", "partition" }).out
        assert.truthy(partition:find("c:partition(", 1, true) and partition:find("ctx:partition(", 1, true), partition)
        local one = support.run({ "help", "api", "ctx:partition" }).out
        assert.truthy(one:find("ctx:partition(", 1, true) and not one:find("c:partition(shape", 1, true), one)
        local wrong = support.run { "help", "api", "partiton" }
        assert.equal(2, wrong.code)
        assert.truthy(wrong.err:find('did you mean "partition"', 1, true), wrong.text)
        assert.equal(2, support.run({ "help", "exit", "env" }).code)
    end)
end)
