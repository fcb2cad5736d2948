--- Reads events.jsonl in a stream into columns: what a page needs of each event, and nothing else of it. The last line may be cut off,
--- lines may be broken, types unknown: all of that is counted and told.
local html = require "tfl.report.html"
local json = require "tfl.core.json"
local record = require "tfl.core.record"
local shape = require "tfl.report.shape"
local wait = require "tfl.core.wait"

local M = {}

local CHUNK, LONGEST_LINE = 1 << 16, 4 << 20
--- Lines between two turns of the event loop.
local SLICE = 4000
--- Events of one kind that are kept word by word (conflicts, gaps, lines of scripts).
local KEPT = 200

local function number(x) return type(x) == "number" and x == x and math.abs(x) < 2 ^ 53 and x or nil end
local function integer(x) return type(x) == "number" and math.abs(x) < 2 ^ 53 and math.tointeger(x) or nil end
local function text(x) return type(x) == "string" and x or nil end

local function keep(list, event)
    list.n = (list.n or 0) + 1
    if list.n <= KEPT then list[#list + 1] = event end
end

--- The steps of a node: columns t and height; a height of false: nobody follows the node from here on.
local function step(series, name, t, height)
    local one = series[name]
    if not one then
        one = { t = {}, height = {} }
        series[name] = one
    end
    local n = #one.t + 1
    one.t[n], one.height[n] = t, height
end

local on = {}

function on.block(m, e, t)
    local id, b, parent = text(e.id), m.blocks, text(e.parent)
    if not id or b.index[id] then return end
    local i = b.n + 1
    b.n, b.index[id] = i, i
    b.id[i], b.up[i], b.t[i] = id, b.index[parent or false] or false, t
    if parent and not b.up[i] then b.orphans[i] = parent end
    b.slot[i], b.height[i] = integer(e.slot) or 0, integer(e.height) or false
    b.node[i], b.transactions[i] = text(e.node) or false, integer(e.transactions) or 0
end

function on.adopt(m, e, t)
    local node, height = text(e.node), integer(e.height)
    if not node or not height then return end
    step(m.tips, node, t, height)
    m.tip[node] = text(e.id)
end

function on.final(m, e, t)
    local node, height = text(e.node), integer(e.height)
    if not node or not height then return end
    local steps = m.libs[node]
    if steps and (steps.height[#steps.height] or 0) >= height then table.insert(m.undone_libs, m.lib[node]) end
    step(m.libs, node, t, height)
    m.lib[node] = text(e.id)
end

function on.stale(m, e, t)
    local node = text(e.node)
    if node then
        step(m.tips, node, t, false)
        step(m.libs, node, t, false)
    end
end

function on.reorg(m, e, t)
    local r, depth = m.reorgs, integer(e.depth)
    if not depth then return end
    local i = #r.t + 1
    r.t[i], r.depth[i], r.node[i], r.height[i] = t, depth, text(e.node) or "?", integer(e.height) or 0
end

function on.conflict(m, e, t)
    keep(m.conflicts, { t = t, code = text(e.code) or "?", message = text(e.message) or "", node = text(e.node) })
end

function on.gap(m, e, t) keep(m.gaps, { t = t, code = text(e.code) or "?", node = text(e.node) }) end
function on.log(m, e, t) keep(m.lines, { t = t, from = text(e.from) or "", message = text(e.message) or "" }) end

function on.host(m, e, t)
    local what = e.what == "oom_kill" and ("%d killed for lack of memory"):format(number(e.count) or 1)
        or e.what == "clock_jump" and ("the clock jumped by %.1fs"):format((number(e.ms) or 0) / 1000)
    if what then keep(m.lines, { t = t, from = "host", message = what }) end
end

function on.window(m, e)
    local s0, s1 = number(e.s0), number(e.s1)
    if s0 and s1 then m.window = { s0, s1 } end
end

function on.phase(m, e, t) m.phases[#m.phases + 1] = { name = text(e.name) or "?", t = t } end
function on.verdict(m, e) m.verdict = text(e.verdict) end

function on.problem(m, e)
    m.problems[#m.problems + 1] = shape(e, { verdict = "string", code = "string", message = "string", node = "string" })
end

function on.warning(m, e) keep(m.warnings, shape(e, { code = "string", message = "string" })) end

function on.node_exited(m, e, t)
    local node = text(e.node)
    if node and e.asked == false then m.exits[node] = { t = t, status = text(e.status) or "?", tail = text(e.log_tail) } end
end

local function fault_of(m, e)
    local id = number(e.id)
    return id and m.fault_by_id[id], id
end

function on.fault(m, e, t)
    local known, id = fault_of(m, e)
    if known or not id then return end
    local fault = shape(e, { id = "number", name = "string", verb = "string", targets = { "string" }, by = "string" })
    fault.from, fault.counts, fault.from_slot = t, {}, number(e.slot)
    m.fault_by_id[id] = fault
    m.faults[#m.faults + 1] = fault
end

function on.fault_end(m, e, t)
    local fault = fault_of(m, e)
    if fault then fault.to, fault.bit, fault.error = t, e.bit == true, text(e.error) end
end

function on.fault_ready(m, e, t)
    local fault = fault_of(m, e)
    if fault then fault.ready = t end
end

function on.fault_skipped(m, e, t)
    keep(m.skipped, { t = t, verb = text(e.verb) or "?", targets = shape(e.targets, { "string" }), reason = text(e.reason) or "" })
end

function on.propagation(m, e)
    local row = shape(e, { node = "string", from = { "string" }, n = { "integer" }, p50_ms = { "number" }, max_ms = { "number" } })
    if row.node then m.propagation[#m.propagation + 1] = row end
end

--- Times of the load's transactions: seconds since the start of the run; false: never.
function on.transaction_times(m, e)
    local began, intended, x = number(e.began), e.intended, m.transactions
    if not began or type(intended) ~= "table" then return end
    local n = #x.intended
    for i, us in ipairs(intended) do
        local at = number(us)
        if at then
            n = n + 1
            at = began + at / 1e6
            x.intended[n] = at
            for _, key in ipairs { "sent", "accepted", "included", "final" } do
                local list = e[key]
                local after = type(list) == "table" and number(list[i])
                x[key][n] = after and after >= 0 and at + after / 1e6 or false
            end
        end
    end
end

--- Known, and of no use to a page.
local ignored = {}
for name in ([[node_started node_paused node_resumed node_ready log_error capture_ended chaos snapshot settle_timeout transactions
    node_was_exited node_attached pod_event cluster_away cluster_back feed_error
    interrupted heartbeat_lost tfl_gone guardian_undo events_lost event_too_large]]):gmatch "%S+" do ignored[name] = true end

local function new_model()
    return {
        head = {}, last_t = 0, tips = {}, tip = {}, libs = {}, lib = {}, undone_libs = {}, conflicts = {}, gaps = {}, lines = {},
        phases = {}, problems = {}, warnings = {}, exits = {}, faults = {}, fault_by_id = {}, skipped = {}, propagation = {},
        reorgs = { t = {}, depth = {}, node = {}, height = {} },
        transactions = { intended = {}, sent = {}, accepted = {}, included = {}, final = {} },
        blocks = { n = 0, index = {}, id = {}, up = {}, orphans = {}, slot = {}, height = {}, node = {}, transactions = {}, t = {} },
        broken = 0, unknown = {}, n_lines = 0,
    }
end

--- Most lines are about a node's block; as the record writes them, they need no decoder.
local usual = {}

local function take_usual(m, chunk, first, last)
    local kind, t, node, slot, height, id, parent, transactions = record.read_line(chunk, first, last)
    if not kind then return false end
    usual.node, usual.slot, usual.height, usual.id, usual.parent, usual.transactions = node, slot, height, id, parent, transactions
    on[kind](m, usual, t)
    if t > m.last_t then m.last_t = t end
    return true
end

--- One line, the bytes first to last of chunk. Gives false when it cannot be read.
local function take(m, chunk, first, last)
    if take_usual(m, chunk, first, last) then return true end
    local line = chunk:sub(first, last)
    local e = json.decode(line) or json.decode(html.utf8(line)) -- an event may hold the bytes of a node's log
    if type(e) ~= "table" then return false end
    local kind = e.type
    if kind == nil and e.version ~= nil and m.n_lines == 1 then
        m.version = e.version
        for _, key in ipairs { "run_id", "scenario", "started_at" } do m.head[key] = text(e[key]) end
        m.head.seed, m.head.started_ms = number(e.seed), number(e.started_unix_ms)
        return true
    end
    local t, handler = number(e.t) or m.last_t, type(kind) == "string" and on[kind]
    if t > m.last_t then m.last_t = t end
    if handler then
        handler(m, e, t)
    elseif not ignored[kind] then
        kind = tostring(kind)
        m.unknown[kind] = (m.unknown[kind] or 0) + 1
    end
    return true
end

--- Calls fn(text, first, last) for each line; gives whether the last one had no end. A line that is too long for an event is fn(nil).
local function each_line(file, fn)
    local rest, skipping = "", false
    while true do
        local chunk = file:read(CHUNK)
        if not chunk then break end
        local from = 1
        while true do
            local nl = chunk:find("\n", from, true)
            if not nl then break end
            if skipping then
                fn(nil)
            elseif rest == "" then
                fn(chunk, from, nl - 1)
            else
                local line = rest .. chunk:sub(from, nl - 1)
                fn(line, 1, #line)
            end
            rest, skipping, from = "", false, nl + 1
        end
        if not skipping then rest = rest .. chunk:sub(from) end
        if #rest > LONGEST_LINE then rest, skipping = "", true end
    end
    if rest ~= "" then fn(rest, 1, #rest) end
    return rest ~= ""
end

local function tell(m, notes, cut)
    if cut and m.last_bad then
        m.broken = m.broken - 1
        notes[#notes + 1] = "The last line of events.jsonl is cut off: tfl ended in the middle of it. All before it is here."
    end
    if m.broken > 0 then notes[#notes + 1] = ("%d lines of events.jsonl cannot be read and are left out."):format(m.broken) end
    local names = {}
    for name in pairs(m.unknown) do names[#names + 1] = name end
    table.sort(names)
    for i, name in ipairs(names) do names[i] = ("%s (%d)"):format(name:sub(1, 40), m.unknown[name]) end
    if #names > 0 then
        notes[#notes + 1] = "Events of types that this tfl does not know are left out: "
            .. table.concat(names, ", ", 1, math.min(8, #names)) .. (#names > 8 and ", …" or "") .. "."
    end
end

--- Reads the file. What is wrong with it goes into notes; the model is whole, if empty, in any case.
---@param path string
---@param notes string[]
---@param version integer
---@return table model
function M.read(path, notes, version)
    local m = new_model()
    local file, why = io.open(path, "rb")
    if not file then
        notes[#notes + 1] = "events.jsonl cannot be read, so there are no charts: " .. tostring(why):gsub("^.*: ", "") .. "."
        return m
    end
    local ok, cut = pcall(each_line, file, function(chunk, first, last)
        m.n_lines = m.n_lines + 1
        m.last_bad = not chunk or not take(m, chunk, first, last)
        if m.last_bad then m.broken = m.broken + 1 end
        if m.version ~= nil and m.version ~= version then error(m) end
        if m.n_lines % SLICE == 0 then wait.sleep(0) end
    end)
    file:close()
    for i, parent in pairs(m.blocks.orphans) do m.blocks.up[i] = m.blocks.index[parent] or false end
    if not ok and cut ~= m then error(cut, 0) end
    if not ok then
        notes[#notes + 1] = ("events.jsonl is of version %s; this tfl reads version %d, so there are no charts."):format(
            tostring(m.version), version)
        return m
    end
    if m.n_lines == 0 then notes[#notes + 1] = "events.jsonl is empty, so there are no charts." end
    tell(m, notes, cut)
    return m
end

return M
