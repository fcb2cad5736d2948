--- What a run knows of its cluster: what contexts, expectations, the screen and the summary ask. Methods of a run;
--- `tfl.runner` takes them in.
local availability = require "tfl.verdict.availability"
local bounds = require "tfl.verdict.bounds"
local kinds = require "tfl.kinds"
local errors = require "tfl.errors"
local sys = require "tfl.core.sys"
local telemetry = require "tfl.telemetry"
local topology = require "tfl.core.topology"

local View = {}

--- How long a node may take to answer a question of the judgement.
local ANSWER_SECONDS = 1
--- In so long every link between peers has carried something: nodes ping.
local BITES_SECONDS = 1
--- Beyond any slot, and any height.
local SLOTS_END = 1 << 61

function View:draw(name, n)
    self.draws = (self.draws or 0) + 1
    return topology.draw { seed = self.plan.seed, name = string.format("ctx/%s/%d", name, self.draws), below = n } + 1
end

--- The entry of run.nodes with that name, or nil.
---@param name string|nil
function View:entry(name)
    for _, node in ipairs(self.nodes) do
        if node.name == name then return node end
    end
end

function View:say(who, text)
    self.record:event("log", { from = who, message = text })
    self.ui:line(string.format("%6.1fs %s: %s", self:now(), who, text))
end

function View:metrics()
    local plan = self.plan
    return {
        expected_blocks = plan.expected_blocks, run_duration = plan.window_slots * plan.slot_seconds,
        slot_duration = plan.slot_seconds, active_slot_coeff = plan.f, slots = plan.window_slots,
    }
end

function View:descriptors()
    local list = {}
    for i, node in ipairs(self.nodes) do
        local spec = self.deployer.specs[node.name] or {}
        list[i] = {
            dir = spec.cwd, argv = spec.argv, name = node.name, index = node.index, stake = node.stake,
            peer_id = kinds.identity(node, self.plan.seed).peer_id,
            command = spec.argv and self.deployer:command(spec),
            http = self.clients[node.name] and self.clients[node.name]:base_url(),
        }
    end
    return list
end

--- With TESTNET_PRINT_ENDPOINTS: one line that says where the nodes answer, for programs that look for it.
function View:print_endpoints()
    local wanted = os.getenv "TESTNET_PRINT_ENDPOINTS"
    if not wanted or wanted == "" or wanted == "0" or wanted == "false" then return end
    local function known(name) return telemetry.url_of(name) or "-" end -- users and passwords go when it is written
    local words = { "TESTNET_ENDPOINTS", "prometheus=" .. known(telemetry.VARIABLE), "grafana=" .. known "LOGOS_BLOCKCHAIN_GRAFANA_URL" }
    for _, name in ipairs(self:live_nodes()) do words[#words + 1] = ("%s=%s"):format(name, self.clients[name]:base_url()) end
    sys.write(1, table.concat(words, " ") .. "\n")
end

--- What the feed knows of the window [s0, s1): see block_feed's `judge`.
--- When every node was taken down on purpose, the chain is what they had in common when they went.
function View:figures(s0, s1)
    if not self.plan.slots then s0, s1 = 0, SLOTS_END end -- there is no telling which blocks are of a window
    local names = self:live_nodes()
    if #names == 0 then
        for i, node in ipairs(self.nodes) do names[i] = node.name end
    end
    local figures = self.feed:judge { from_slot = s0, to_slot = s1, nodes = names }
    for _, node in ipairs(figures.nodes) do node.stake = self.stakes[node.name] end
    return figures
end

--- Slots up to `now` since any chain last grew, within the window. Not the common prefix: that stands during an ordinary
--- fork, and the winner fills these slots later.
function View:quiet_slots(now)
    local slots = self:figures(self.s0, now).best_slots
    return now - math.max(slots[#slots] or -1, self.s0 - 1) - 1
end

--- The greatest height the nodes themselves tell of now: the feed may have missed something.
function View:told_height()
    local best = -1
    self:each_node(function(node)
        if not self:is_live(node.name) then return end
        local ok, info = pcall(self.clients[node.name].consensus_info, self.clients[node.name], { timeout = ANSWER_SECONDS })
        if ok then best = math.max(best, info.height) end
    end)
    return best
end

--- Is the node started and neither ended, stopped nor paused?
function View:is_live(name)
    return self.started[name] and not self.exits[name] and not self.paused[name] and not self.faults:is_down(name)
end

---@return string[] names of the nodes that are up, in order
function View:live_nodes()
    local names = {}
    for _, node in ipairs(self.nodes) do
        if self:is_live(node.name) then names[#names + 1] = node.name end
    end
    return names
end

--- Slots for which the host was too late: those that nodes with more than half of the stake were late for (JUDGING, Host
--- starved); of nodes that cannot tell, the slots in which the whole host stalled. Where the kernel tells that a node was not kept from
--- running, it is the node that was late, not the host; of one that does not answer, what the kernel tells is all there is.
---@return table<integer, boolean> slots, boolean complete false: a node was too slow to tell, so there may be more
---@return table<string, table<integer, boolean>> own the slots that spoilt each node: those it was late for, or starved in
function View:late_slots()
    local stake, told, all, complete, own = {}, false, 0, true, {}
    for _, node in ipairs(self.nodes) do all = all + node.stake end
    self:each_node(function(node)
        if not self:is_live(node.name) then return end
        local ok, slots = pcall(self.clients[node.name].late_slots, self.clients[node.name], { timeout = ANSWER_SECONDS })
        local set, kept, starved = {}, self.host:kept_slots(node.name)
        if not ok and type(slots) == "table" and slots.code == "timeout" then
            complete, set = false, kept
        elseif ok and slots then
            for _, slot in ipairs(slots) do set[slot] = (not kept or kept[slot]) and true or nil end
        else
            return
        end
        if not set then return end
        for slot in pairs(set) do stake[slot] = (stake[slot] or 0) + node.stake end
        for slot in pairs(starved or {}) do set[slot] = true end -- who starves is slow to follow in slots that begin in time, too
        told, own[node.name] = true, set
    end)
    if not told then return self.host:late_slots(), complete, own end
    local late = {}
    for slot, share in pairs(stake) do
        if share * 2 > all then late[slot] = true end
    end
    return late, complete, own
end

--- How many peers every live node has now, for the report.
function View:ask_peers()
    if not self.all_ready then return end
    self:each_node(function(node)
        if not self:is_live(node.name) then return end
        local ok, info = pcall(self.clients[node.name].network_info, self.clients[node.name], { timeout = ANSWER_SECONDS })
        if ok then self.peers[node.name] = info.n_peers end
    end)
end

--- How many nodes that are up each of them has a link with.
---@return table<string, integer>
function View:live_degrees()
    local degrees, seen = {}, {}
    for _, name in ipairs(self:live_nodes()) do degrees[name] = 0 end
    for _, link in ipairs(self.dialled) do
        local a, b = link[1], link[2]
        if not link.till and degrees[a] and degrees[b] and not seen[a .. "/" .. b] and not seen[b .. "/" .. a] then
            degrees[a], degrees[b], seen[a .. "/" .. b] = degrees[a] + 1, degrees[b] + 1, true
        end
    end
    return degrees
end

--- The chances of growth of the slots [from, to) that differ from f because of faults: see tfl.verdict.availability.
function View:chances(from, to)
    local plan = self.plan
    return availability.chances {
        f = plan.f, delta = plan.delta, allowance = bounds.recovery_slots(plan.slot_seconds, plan.delta), from = from, to = to,
        nodes = self.nodes, edges = self.dialled, faults = self.faults:list(),
    }
end

--- The figures of the window for the summary; where those of propagation come from goes into the record.
--- A cut that a script made and that withheld nothing in a second or more has shown nothing (JUDGING, Verdict).
function View:judge_faults()
    for _, fault in ipairs(self.plan.hand and {} or self.faults:list()) do
        local by_hand = fault.cut and fault.by ~= "chaos" and fault.by ~= "plan"
        if by_hand and fault.bit == false and fault.t1 - fault.t0 >= BITES_SECONDS then
            self:problem("inconclusive", errors.new("fault_never_bit", "%s %s withheld nothing in %.1fs: nobody it kept apart had anything "
                .. "to say to the others", fault.name, fault.text or "", fault.t1 - fault.t0))
        end
    end
end

function View:last_figures()
    local ok, figures = pcall(self.figures, self, self.s0 or 0, self.s1 or 0)
    for _, row in ipairs(self.feed:propagation { from_slot = self.s0 or 0, to_slot = self.s1 or 0 }) do
        self.record:event("propagation", row)
    end
    return ok and figures or nil
end

return View
