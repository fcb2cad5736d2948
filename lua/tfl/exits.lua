--- How nodes end, and what that means. Methods of a run; `tfl.runner` takes them in.
local errors = require "tfl.errors"
local sys = require "tfl.core.sys"

local Exits = {}

--- A node that ends while less is free under the run's folder has died of that.
local FULL_BYTES = 256 * 1024

--- Signals that a program ends by when something is wrong with it.
local CRASHES = {
    SIGSEGV = true, SIGABRT = true, SIGBUS = true, SIGILL = true, SIGFPE = true, SIGTRAP = true, SIGSYS = true,
}
--- What shells and containers make of the signal that a program ended by.
local BY_SIGNAL = 128
local NUMBERS = {
    [1] = "SIGHUP", [2] = "SIGINT", [3] = "SIGQUIT", [4] = "SIGILL", [5] = "SIGTRAP", [6] = "SIGABRT", [7] = "SIGBUS", [8] = "SIGFPE",
    [9] = "SIGKILL", [11] = "SIGSEGV", [15] = "SIGTERM", [31] = "SIGSYS",
}

local function tail_of(exit)
    return exit.log_tail and #exit.log_tail > 0 and "; its log ends:\n" .. exit.log_tail or "; its log is empty"
end

--- What is wrong with the end of a node that was asked for. A signal other than the one it was sent, or the report of a sanitizer, is a
--- crash; another exit code than 0 may be how the program ends, and a node that is slow to end is no worse a node: these are told.
---@param exit {status: string, code?: integer, signal?: string, forced?: boolean, log_tail?: string}
---@param by string the signal it was to end by: "SIGTERM"
---@return string|nil code nil: it ended as asked
---@return string|nil what of a sentence that begins with the node's name
---@return boolean|nil crash
function Exits.wrong_end(exit, by)
    local signal = exit.signal or exit.code and NUMBERS[exit.code - BY_SIGNAL]
    if signal == by or by == "SIGKILL" or not signal and (exit.code or 0) == 0 then return nil end
    local sanitizer = exit.log_tail and exit.log_tail:match "SUMMARY: (%w+Sanitizer)"
    if CRASHES[signal] or sanitizer and not signal then
        return "crashed_on_stop", ("crashed when it was stopped by %s (%s%s)"):format(by, exit.status, sanitizer and ", " .. sanitizer
            or ""), true
    elseif exit.forced then
        return "stop_forced", ("did not end by %s in time, so it was killed"):format(by)
    elseif signal == "SIGKILL" then -- of a container only its end is known
        return "stop_killed", ("was killed when it was stopped by %s: it did not end in time, or somebody else did that"):format(by)
    end
    return "stop_status", ("%s %s when it was stopped by %s"):format(exit.signal and "was" or "ended with", exit.status, by)
end

--- Something that should be known and changes no verdict. Said at once; the same of several nodes is one line of the summary.
---@param code string
---@param node string
---@param what string
function Exits:warn(code, node, what)
    local said = ("%s %s"):format(node, what)
    self.record:event("warning", { code = code, node = node, message = said })
    self.ui:line(("%6.1fs warning: %s"):format(self:now(), said))
    for _, one in ipairs(self.warnings) do
        if one.code == code and one.what == what then
            if not one.nodes[node] then table.insert(one.names, node) end
            one.nodes[node], one.count = true, one.count + 1
            return
        end
    end
    table.insert(self.warnings, { code = code, what = what, names = { node }, nodes = { [node] = true }, count = 1 })
end

--- The warnings of a run, for its summary.
---@return {code: string, message: string, nodes: string[], count: integer}[]
function Exits:warned()
    local list = {}
    for i, one in ipairs(self.warnings) do
        table.sort(one.names)
        local times = one.count > #one.names and (" (%d times)"):format(one.count) or ""
        list[i] = {
            code = one.code, nodes = one.names, count = one.count,
            message = ("%s %s%s"):format(table.concat(one.names, ", "), one.what, times),
        }
    end
    return list
end

--- A problem that a node's end is: before all were ready that is infra, after it a failure, and infra when the disk is full.
function Exits:bad_end(exit, code, fmt, ...)
    local full = sys.disk_free(self.dir) < FULL_BYTES
    if full then self:problem("infra", errors.new("disk_full", "no space is left under %s", self.dir)) end
    local err = errors.new(code, "%s %s%s", exit.node, fmt:format(...), tail_of(exit))
    err.node = exit.node
    self:problem(self.all_ready and not full and "fail" or "infra", err)
end

--- A node ended because it was asked to.
function Exits:asked_end(exit)
    local spec, by = self.deployer.specs[exit.node] or {}, self.stopped_by[exit.node] or "graceful"
    local signal = by == "graceful" and (spec.stop_signal or "TERM") or by:upper()
    local code, what, crash = Exits.wrong_end(exit, "SIG" .. signal:gsub("^SIG", ""))
    if not code then return end
    if not crash then return self:warn(code, exit.node, what) end
    exit.crash = true
    if not self.crashed[exit.node] then self:bad_end(exit, code, "%s", what) end
    self.crashed[exit.node] = true
    self.ui:line(("%6.1fs %s %s"):format(self:now(), exit.node, what))
end

--- Follows the ends of nodes. One that ends when nobody asked ends the run.
function Exits:watch_exits()
    while true do
        local exit = self.deployer:next_exit()
        if not exit then return end
        if not self.deployer:alive(exit.node) then -- else a restart was quicker than this news
            self.exits[exit.node] = exit
            self:unfollow(exit.node)
        end
        if exit.asked then
            self:asked_end(exit)
        elseif not self.tearing_down then
            self:bad_end(exit, self.all_ready and "node_exited" or "exited", "ended by itself (%s) %s", exit.status,
                self.all_ready and "during the run" or "before it was ready")
            if self.session then self.session:crashed(exit) else self:stop() end
        end
    end
end

return Exits
