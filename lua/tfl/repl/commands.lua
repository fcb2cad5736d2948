--- The commands of a session: `:name words`.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"
local save = require "tfl.repl.save"
local show = require "tfl.repl.show"
local suggest = require "tfl.suggest"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local tree = require "tfl.repl.tree"
local wait = require "tfl.core.wait"
local watch = require "tfl.repl.watch"

local M = {}

--- How long a node may take to answer for a table.
local ANSWER_SECONDS = 1
--- How long a scenario that is run beside the session may take.
local RUN_SECONDS = 24 * 3600
--- How often what it prints is looked for, and how long its clean-up may take when it is given up.
local EVERY, CLEAN_UP_SECONDS = 0.2, 15

---@class tfl.ReplCommand
---@field name string
---@field words string its arguments, for people
---@field about string
---@field argument string|nil what completion offers: "node", "file", "command", "expression"
---@field run fun(session: tfl.ReplSession, rest: string)

local list, by_name = {}, {}

local function command(name, words, about, argument, run)
    local one = { name = name, words = words, about = about, argument = argument, run = run }
    list[#list + 1], by_name[name] = one, one
end

local function count(what, text, default)
    if text == "" then return default end
    local n = math.tointeger(tonumber(text))
    if not n or n < 1 then errors.usage("%s %s: a number from 1 was expected", what, text) end
    return n
end

--- A duration at the front of the words, if there is one.
local function take_duration(rest)
    local word, more = rest:match "^(%d[%w%.]*)%s*(.*)$"
    local ok, seconds = pcall(duration.to_seconds, word and (tonumber(word) or word), nil, "")
    if ok and word then return seconds, more end
    return nil, rest
end

-- ---- looking

--- One row for each node, asked all at once.
---@return string[] lines
function M.node_table(session)
    local run, rows = session.run, {}
    run:each_node(function(node)
        local name, info, network = node.name, {}, {}
        if run:is_live(name) then
            local client = run.clients[name]
            local ok, answer = pcall(client.consensus_info, client, { timeout = ANSWER_SECONDS })
            info = ok and answer or { failed = answer }
            ok, answer = pcall(client.network_info, client, { timeout = ANSWER_SECONDS })
            network = ok and answer or {}
        end
        local state = run.deployer:state(name)
        if info.failed then state = state .. ", silent" elseif info.online == false then state = state .. ", not online" end
        local lib = info.lib and run.feed and run.feed:block(info.lib)
        if info.lib and info.lib == run.plan.genesis_id then lib = { height = 0 } end
        rows[node.index + 1] = {
            name, state, tostring(run.deployer:pid(name) or "-"), tostring(info.height or "-"),
            info.tip and info.tip:sub(1, 8) or "-", lib and tostring(lib.height or "-") or "-", tostring(network.n_peers or "-"),
            run.clients[name] and run.clients[name]:base_url() or "-",
        }
    end)
    return show.columns({ "node", "state", "pid", "height", "tip", "final", "peers", "url" }, rows)
end

command("nodes", "", "all nodes: state, height, tip, final height, peers", nil, function(session)
    session:page(M.node_table(session))
end)

command("blocks", "[N]", "the last N blocks of the canonical chain (10)", nil, function(session, rest)
    session:page(tree.blocks(session, count(":blocks", rest, 10)))
end)

command("tree", "[N]", "all blocks of the last N heights (12), with forks and tips", nil, function(session, rest)
    session:page(tree.lines(session, count(":tree", rest, 12)))
end)

command("faults", "", "what was done to the cluster, and what is in force", nil, function(session)
    local rows = {}
    for i, fault in ipairs(session.run.faults:list()) do
        local counts = fault.links and session.run.faults:counts(fault) or {}
        rows[i] = {
            fault.name, fault.text or table.concat(fault.targets, ","), fault.by, tostring(fault.slot0 or "-"),
            fault.t1 and tostring(fault.slot1 or "-") or "in force", counts.withheld and tostring(counts.withheld) or "",
            counts.delayed and tostring(counts.delayed) or "", fault.error or "",
        }
    end
    if #rows == 0 then return session:say "nothing was done to the cluster yet" end
    session:page(show.columns({ "fault", "what", "by", "from slot", "to slot", "withheld", "delayed", "error" }, rows))
end)

command("log", "NODE [LINES]", "the end of a node's log (20 lines)", "node", function(session, rest)
    local name, lines = rest:match "^(%S+)%s*(.*)$"
    if not name then errors.usage ":log NODE [LINES]: say whose, as :log node-1" end
    local n = count(":log " .. name, lines, 20)
    local text, all = session.ctx:logs(math.tointeger(tonumber(name)) or name):text(64 * 1024), {}
    for line in text:gmatch "[^\n]+" do all[#all + 1] = line end
    if #all == 0 then return session:say("the log of %s is empty", name) end
    session:page(table.move(all, math.max(1, #all - n + 1), #all, 1, {}))
end)

command("watch", "[FOR] EXPR", "EXPR once a second, told when it changes (FOR: as 10s)", "expression",
    function(session, rest)
        local seconds, text = take_duration(rest)
        local fn, message = load("return " .. text, "=line", "t", session.env)
        if text == "" or not fn then errors.usage(":watch %s: an expression was expected (%s)", rest, message or "there is none") end
        if not seconds and not session.terminal.interactive then
            errors.usage ":watch: without a terminal nothing would end it; say for how long, as :watch 10s EXPR"
        end
        local deadline, last = seconds and task.now() + seconds, nil
        repeat
            local ok, value = pcall(fn)
            local lines = ok and show.lines(value, session.terminal:size()) or { errors.text(value) }
            local said = table.concat(lines, "\n")
            if said ~= last then session:say("%6.1fs %s%s", session.run:now(), #lines > 1 and "\n" or "", said) end
            last = said
            wait.sleep(deadline and math.max(0, math.min(1, deadline - task.now())) or 1)
        until deadline and task.now() >= deadline
    end)

-- ---- doing

command("load", "RATE [FOR] [KIND] | stop", "sends RATE transactions a second; alone: how it goes", nil,
    function(session, rest)
        if rest == "" then
            local rows = {}
            for i, one in ipairs(session.loads) do
                local c = one:counts()
                rows[i] = { ("%g/s"):format(one.rate), duration.show(one.seconds) }
                for _, name in ipairs { "sent", "accepted", "rejected", "included", "final" } do
                    table.insert(rows[i], tostring(c[name]))
                end
            end
            if #rows == 0 then return session:say "no load yet; :load 20 30s sends 20 transactions a second for 30 s" end
            return session:page(show.columns({ "rate", "for", "sent", "accepted", "rejected", "included", "final" }, rows))
        elseif rest == "stop" then
            for _, one in ipairs(session.loads) do one:stop() end
            session:did "for _, one in ipairs(loads) do one:stop() end"
            return
        end
        local rate, more = rest:match "^(%S+)%s*(.*)$"
        local number = tonumber(rate)
        if not number or number <= 0 then errors.usage(":load %s: a number of transactions a second was expected", rate) end
        local seconds, kind = take_duration(more)
        kind = kind ~= "" and kind or nil
        local options = { per_second = number, duration = seconds or 60, kind = kind }
        local one = session.ctx:start_load(options)
        session.loads[#session.loads + 1] = one
        session:did(("loads = loads or {}; loads[#loads + 1] = start_load{per_second = %.14g, duration = %.14g%s}"):format(number,
            options.duration, kind and (", kind = %q"):format(kind) or ""))
        session:say("%.6g transactions a second for %s; :load tells how it goes", number, duration.show(options.duration))
    end)

--- Shows what a program prints to a file, whole lines of it, as it comes: gives a function that shows what is new.
---@param session tfl.ReplSession
---@param file string
---@return fun(last: boolean)
local function shower(session, file)
    local offset = 0
    return function(last)
        repeat
            local text, after = sys.read_from(file, offset)
            local whole = text and text:match(last and "^.+" or "^.*\n")
            if whole then
                session:say("%s", (whole:gsub("\n$", "")))
                offset = after - #text + #whole
            end
        until not whole
    end
end

command("run", "SCENARIO [OPTION…]", "runs a scenario beside this cluster, and shows what it prints", "file",
    function(session, rest)
        if rest == "" then errors.usage ":run SCENARIO: say which file, and options of tfl run" end
        session.runs = (session.runs or 0) + 1
        local log = ("%s/logs/run-%d.log"):format(session.run.dir, session.runs)
        local words = { sys.exe(), "run", log = log }
        for word in rest:gmatch "%S+" do words[#words + 1] = word end
        local process, deadline, show_more = proc.start(words), task.now() + RUN_SECONDS, shower(session, log)
        local _ <close> = setmetatable({}, { __close = function()
            if not process:result() then task.spawn("run-end", process.stop, process, "INT", CLEAN_UP_SECONDS) end
        end })
        repeat
            local ended = process:wait(EVERY)
            show_more(ended)
            if task.now() > deadline then errors.usage(":run %s: it took longer than %d s, and is ended", rest, RUN_SECONDS) end
        until ended
        local result = process:result()
        if not result.ok then errors.usage(":run %s: it ended with %s", rest, result.status) end
    end)

command("save", "FILE", "writes what was done, with its slots, as a scenario", "file", function(session, rest)
    if rest == "" then errors.usage ":save FILE: say where to, as :save mine.lua" end
    local file = rest:find "%.lua$" and rest or rest .. ".lua"
    if sys.stat(file) then errors.usage(":save %s: there is such a file already; take another name", file) end
    local steps = save.write(session, file)
    session:say("%s: %d step%s; tfl check %s shows its plan, tfl %s --seed %d does it again", file, steps,
        steps == 1 and "" or "s", file, file, session.run.plan.seed)
end)

-- ---- the session

command("events", "off | few | all", "which news are told while you type", nil,
    function(session, rest)
        if not watch.LEVELS[rest] then errors.usage(":events %s: off, few or all was expected; it is %s", rest, session.watch.level) end
        session.watch.level = rest
    end)

command("more", "", "the rest of what was too long", nil, function(session)
    if #session.rest == 0 then return session:say "there is no more" end
    session:page(session.rest)
end)

command("help", "[COMMAND]", "this, or one command", "command", function(session, rest)
    if rest ~= "" then
        local one = by_name[rest:gsub("^:", "")]
        if not one then errors.usage(":help %s: there is no such command%s", rest, suggest.hint(rest, M.names())) end
        return session:say(":%s %s\n    %s", one.name, one.words, one.about)
    end
    local lines = {}
    for i, one in ipairs(list) do
        local usage = one.name .. " " .. one.words
        lines[i] = ("  :%s%s %s"):format(usage, (" "):rep(30 - utf8.len(usage)), one.about)
    end
    lines[#lines + 1] = [[
  anything else is Lua. The methods of ctx are there by their names; globals stay, a local
  ends with its line; _ is the last result; what is not finished goes on in the next line:
    node(1):kill()  node(1):start()  partition({0}, {1, 2})  heal()  wait_for_height(20)
    node(0):client():consensus_info()  block_feed():stats()  wallet_accounts()[1]:balance()
  Ctrl-C cancels what runs, Tab completes, Ctrl-R searches. Methods: tfl help faults, hand]]
    local text = table.concat(lines, "\n")
    local split = {}
    for line in text:gmatch "[^\n]+" do split[#split + 1] = line end
    session:page(split)
end)

command("quit", "", "ends the session and cleans up (also Ctrl-D)", nil, function(session) session.over = true end)

---@return string[]
function M.names()
    local names = {}
    for i, one in ipairs(list) do names[i] = one.name end
    return names
end

--- What completion offers behind a command.
---@return string|nil
function M.argument(name) return by_name[name] and by_name[name].argument end

--- Runs a line that begins with a colon.
---@param session tfl.ReplSession
---@param line string
function M.run(session, line)
    local name, rest = line:match "^%s*:%s*(%S*)%s*(.-)%s*$"
    local one = by_name[name]
    local ok, err, traceback
    if one then
        ok, err, traceback = session:work(one.run, session, rest)
    else
        ok, err = false, errors.new("usage", ":%s: there is no such command%s", name, suggest.hint(name, M.names()))
    end
    if ok == false then session:complain(err, traceback) end
end

return M
