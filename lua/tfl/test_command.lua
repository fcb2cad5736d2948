--- `tfl test`: busted specs of the user's own, run inside tfl, so that `tfl.cluster` and everything that waits can be used in them.
local api = require "tfl"
local errors = require "tfl.errors"
local hand = require "tfl.hand"
local loader = require "tfl.loader"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local test_results = require "tfl.test_results"
local text = require "tfl.text"
local wait = require "tfl.core.wait"

local M = {}

local function module(name)
    local ok, value = pcall(require, name)
    if not ok then
        errors.usage("tfl test needs the Lua module %s of busted: apt-get install lua-busted (%s)", name,
            tostring(value):match "^[^\n]*")
    end
    return value
end

--- An error of a spec as text.
local function told(message, trace)
    local said = errors.text(message):gsub("^[^\n]-/share/tfl/lua/tfl/[%w_/]+%.lua:%d+: ", "")
    local lines = {}
    for line in tostring(trace and trace.traceback or ""):gmatch "[^\n]+" do
        if line:find "_spec%.lua:" or line:find "^%s+[^%[/]*%.lua:" then lines[#lines + 1] = "    " .. line:gsub("^%s+", "") end
    end
    return text.clean(said) .. (#lines > 0 and "\n" .. table.concat(lines, "\n", 1, math.min(4, #lines)) or "")
end

--- "describe › it" of an element.
local function full_name(busted, element)
    local names = {}
    while element and element.descriptor ~= "file" and element.name do
        table.insert(names, 1, tostring(element.name))
        element = busted.context.parent(element)
    end
    return table.concat(names, " › ")
end

--- Where something that is no test went wrong: "describe › before_each", or the file.
local function place(busted, element)
    if element.descriptor == "file" then return tostring(element.name) end
    local name = full_name(busted, element.descriptor == "describe" and element or busted.context.parent(element))
    return (name == "" and "" or name .. " › ") .. tostring(element.descriptor):gsub("^strict_", "")
end

--- The file that an element is in.
local function file_of(busted, element)
    while element and element.descriptor ~= "file" do element = busted.context.parent(element) end
    return element and tostring(element.name) or "?"
end

--- Hands each test to the results as it ends.
---@param busted table
---@param results tfl.TestResults
local function listen(busted, results)
    local from, problems, evidence = 0, {}, nil
    busted.subscribe({ "test", "start" }, function(element)
        from, problems, evidence = task.now(), {}, nil
        results.at = { file = file_of(busted, element), name = full_name(busted, element) }
        if element.descriptor ~= "it" then return nil, true end -- pending: nothing of it runs
        local at_end, own = element.env.finally, nil
        element.env.finally = function(fn) own = fn end
        at_end(function() -- what a test opened is closed with it, whatever becomes of it
            local ok, err = pcall(own or function() end)
            local left = not hand.kept() and hand.close_all() or nil
            if left and left.code == "failed" and #problems > 0 then left = nil end -- ctx:fail, told already
            if not ok or left then error(ok and left or err, 0) end
        end)
        return nil, true
    end)
    local function problem(element, _, message, trace)
        problems[#problems + 1] = told(message, trace)
        evidence = hand.keep() or evidence
        if element.descriptor ~= "it" and element.descriptor ~= "finally" then
            results:problem(file_of(busted, element), place(busted, element), problems[#problems])
        end
        -- its test does not come to be, so nothing else would close what it opened
        if element.descriptor == "before_each" and not hand.kept() then hand.close_all() end
        return nil, true
    end
    busted.subscribe({ "failure" }, problem)
    busted.subscribe({ "error" }, problem)
    busted.subscribe({ "test", "end" }, function(element, _, status)
        local names = { success = "passed", failure = "failed", error = "error", pending = "pending" }
        results:test({
            file = file_of(busted, element), name = full_name(busted, element), status = names[status], seconds = task.now() - from,
            evidence = evidence,
        }, problems)
        return nil, true
    end)
    local function block_over(element)
        if hand.kept() == element or not hand.kept() then -- not: of an after_each or the like, whose test is over
            local err = hand.close_all()
            if err then problem(element, nil, err) end
        end
        return nil, true
    end
    busted.subscribe({ "describe", "end" }, block_over)
    busted.subscribe({ "file", "end" }, block_over)
end

--- Is there a spec in the folder, or below?
local function any_spec(folder)
    for _, name in ipairs(sys.list(folder) or {}) do
        local path = folder .. "/" .. name
        local stat = name:sub(1, 1) ~= "." and sys.stat(path)
        if stat and (stat.type == "folder" and any_spec(path) or name:find "_spec%.lua$") then return true end
    end
    return false
end

--- Runs the files. In a task of its own.
local function run(files, options, results)
    local busted = module "busted.core"()
    module "busted"(busted)
    listen(busted, results)
    busted.subscribe({ "file", "start" }, function(element)
        package.path = loader.path_beside(element.name, options.path)
        return nil, true
    end)
    if options.filter then
        busted.subscribe({ "register", "it" }, function(name)
            local wanted = tostring(name):find(options.filter) ~= nil
            return nil, wanted
        end, { priority = 1 })
    end
    busted.randomseed = options.seed
    hand.current_block = function() -- of a setup the block it is for; of a test or before_each none
        local element = busted.context.get()
        if element.descriptor:find "setup$" then element = busted.context.parent(element) end
        return (element.descriptor == "describe" or element.descriptor == "file") and element or nil
    end
    for _, file in ipairs(files) do
        if sys.stat(file).type == "folder" and not any_spec(file) then
            errors.usage("no test was found in %s: no file there, or below, is named …_spec.lua", file)
        end
    end
    module "busted.modules.test_file_loader"(busted, { "lua" })(files, { "_spec" }, { excludes = {}, recursive = true })
    module "busted.execute"(busted)(1, { seed = options.seed })
end

---@param args table {files, filter, seed, deployer, json, junit}
---@return integer exit code
function M.run(args)
    for _, file in ipairs(args.files) do
        if not sys.stat(file) then errors.usage("%s: there is no such file", file) end
    end
    local seed = args.seed or sys.random()
    local results = test_results.new(args, seed)
    local context = {
        params = {}, declared = {}, scenarios = {}, kinds = {}, testing = true, seed = seed, deployer = args.deployer, file = args.files[1],
    }
    rawset(_G, "tfl", api.api(context))
    local body = task.spawn("test", function()
        run(args.files, { filter = args.filter, seed = seed, path = package.path }, results)
    end)
    local interrupted, over = false, wait.signal()
    local watch = task.spawn("interrupt", function()
        wait.wait_interrupt()
        interrupted = true
        over:notify()
    end)
    local ended = task.spawn("test-end", function()
        body:wait()
        over:notify()
    end)
    if body:status() == "running" then over:wait() end
    ended:cancel()
    watch:cancel()
    local ok, err = body:result()
    if ok == nil then body:cancel() end
    local left = hand.close_all()
    local at = results.at or { file = args.files[1], name = args.files[1] }
    if ok == false and type(err) == "table" and err.code == "script_hog" then
        local message, trace = errors.text(err):match "^(.-)\nstack traceback:(.*)$"
        results:problem(at.file, at.name, told(message or err, { traceback = trace }))
    elseif ok == false then
        error(err, 0)
    end
    if left and (not interrupted or hand.unsafe()) then results:problem(at.file, interrupted and at.name or nil, told(left)) end
    if not interrupted and not results:any() then
        errors.usage("no test was found in %s%s", table.concat(args.files, ", "), args.filter and " with that filter" or "")
    end
    return results:finish(interrupted)
end

return M
