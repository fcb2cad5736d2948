--- `:save`: what was done in a session, as a scenario that does it again at the same slots.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local sys = require "tfl.core.sys"

local M = {}

--- An expression with none of these only looked; all else is kept.
local ACTS = { "kill", "stop", "start", "restart", "pause", "resume", "snapshot", "partition", "isolate", "link", "heal", "eventually",
    "assert", "fail", "inconclusive", "submit_transaction", "dial_peer", "spawn", "wait", "load", "exec", "post", "function" }

--- Is it something that was done, and not only looked at?
local function kept(entry)
    if entry.acted or not entry.expression then return true end
    for word in entry.text:gmatch "[%a_]+" do
        for _, act in ipairs(ACTS) do
            if word == act or word:find("^" .. act .. "_") then return true end
        end
    end
    return false
end

local function indent(text, by) return by .. text:gsub("\n", "\n" .. by) end

--- The code of one entry.
local function code(entry)
    local text = entry.text:gsub("^%s+", ""):gsub("%s+$", "")
    if entry.ended == "failed" and not entry.acted then
        local reason = (entry.error or "?"):match "^[^\n]*"
        return "  -- failed: " .. text:gsub("\n", "\n  -- ") .. "\n  --         " .. reason:gsub("%c", " ")
    end
    if entry.expression and (entry.gave or not load(text)) then text = "_ = " .. text end
    if entry.ended == "cancelled" then
        return ("  cut_off(%d, function()\n%s\n  end)"):format(entry.till, indent(text, "    "))
    elseif entry.ended == "failed" then
        return ("  tfl.try(function() -- it raised an error\n%s\n  end)"):format(indent(text, "    "))
    end
    return text:find "^local " and ("  do %s end"):format(text) or indent(text, "  ")
end

--- Lines of `topology = function(t) … end` that make the same cluster.
local function topology(run)
    local plan, words = run.plan, {}
    local shape, data = plan.topology, plan.topology:data()
    local kind = type(data.kind) == "string" and data.kind or plan.kind.name
    if not pcall(kinds.resolve, kind) then
        errors.usage(":save: its nodes are of the kind %s, which the scenario file defines; put the steps into that file by hand", kind)
    end
    local names = { star = "network_star()", chain = "chain()", ring = "ring()", full = "full()" }
    if data.shape == "k_regular" then
        words[1] = ("k_regular(%d)"):format(data.k_regular)
    elseif names[data.shape] then
        words[1] = names[data.shape]
    else
        local edges = {}
        for i, edge in ipairs(shape:edges()) do edges[i] = ("{%d, %d}"):format(edge[1], edge[2]) end
        words[1] = ("layout(function() return {%s} end)"):format(table.concat(edges, ", "))
    end
    local late, stake = 0, 0
    for _, node in ipairs(data.nodes) do
        if node.late then late, stake = late + 1, math.max(stake, node.stake) end
    end
    if late > 0 then words[#words + 1] = ("late_nodes(%d, {stake = %d})"):format(late, stake) end
    words[#words + 1] = ('slot_duration("%dms"):active_slot_coeff(%.9g)'):format(plan.slot_ms, plan.f)
    words[#words + 1] = ("security_param(%d, {unsafe_k = true})"):format(plan.security_param)
    if kind ~= "reference" then words[#words + 1] = ("kind(%q)"):format(kind) end
    local links = shape:links()
    if links then
        local parts = {}
        for name, value in pairs(links) do parts[#parts + 1] = ("%s = %.12g"):format(name, value) end
        table.sort(parts)
        words[#words + 1] = ("links({%s})"):format(table.concat(parts, ", "))
    end
    return "t:" .. table.concat(words, ":")
end

--- Writes the file. Gives how many steps it has.
---@param session tfl.ReplSession
---@param file string
---@return integer
function M.write(session, file)
    local run, steps, cut = session.run, {}, false
    local plan, lines, slot = run.plan, {}, 0
    local function add(fmt, ...) lines[#lines + 1] = select("#", ...) > 0 and fmt:format(...) or fmt end
    for _, entry in ipairs(session.done) do
        if kept(entry) then
            steps[#steps + 1] = entry
            cut = cut or entry.ended == "cancelled"
        end
    end
    local last = run:current_slot() + 1
    add("-- What was done by hand to a cluster of %s, at the slots it was done; made by :save in tfl repl.", plan.topology:describe())
    add("-- The same leaders come with: tfl %s --seed %d", file, plan.seed)
    add("tfl.script(%q, {", (file:match "([%w_%-]+)%.lua$" or "session"))
    local wallets = plan.wallets and ("wallets = %d, "):format(plan.wallets.count) or ""
    add("  nodes = %d, %sduration = %q,", plan.topology:started_count(), wallets,
        duration.show(math.ceil(last * plan.slot_seconds * 2 + 60)))
    add("  topology = function(t) %s end,", topology(run))
    add "}, function(ctx)"
    add "  local _ENV = ctx:environment(_ENV) -- the methods of ctx by their names, as at the prompt"
    if cut then
        add "  local function cut_off(slot, fn) -- what was cancelled in that slot"
        add "    local work = spawn(fn)"
        add "    wait_for_slot(slot)"
        add "    work:cancel()"
        add "  end"
    end
    for _, entry in ipairs(steps) do
        if entry.slot > slot then
            slot = entry.slot
            add("  wait_for_slot(%d)", slot)
        end
        lines[#lines + 1] = code(entry)
    end
    add("  wait_for_slot(%d)", last)
    add(run.feed and '  log("%d blocks are final", block_feed():stats().final)' or "  node_clients()")
    add "end)"
    sys.write_file(file, table.concat(lines, "\n") .. "\n", true)
    return #steps
end

return M
