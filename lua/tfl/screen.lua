--- What a person sees while a run goes on: one live line on a terminal, plain lines elsewhere, nothing with --quiet.
--- All of it goes to stderr; stdout has the summary.
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local text = require "tfl.text"
local wait = require "tfl.core.wait"

local Screen = {}
Screen.__index = Screen

local M = {}
local current -- the screen that draws now

---@param options {quiet: boolean}
---@return table screen with :phase(run, name), :line(text), :close()
function M.new(options)
    local live = not options.quiet and sys.isatty(2) and os.getenv "TERM" ~= "dumb"
    current = setmetatable({ quiet = options.quiet, live = live, drawn = false }, Screen)
    return current
end

--- `print` of scripts: a line of its own on stdout, whatever is drawn.
function M.print(...)
    local words = table.pack(...)
    for i = 1, words.n do words[i] = tostring(words[i]) end
    if current then current:erase() end
    sys.write(1, table.concat(words, "\t") .. "\n")
end

function Screen:erase()
    if self.drawn then sys.write(2, "\r\27[K") end
    self.drawn = false
end

local function range(low, high)
    return low == high and tostring(low) or string.format("%d–%d", low, high)
end

--- "run 12.3/30.0s  slot 61  height 30–31  final 19  forks 2"
local function status(run, name)
    local plan = run.plan
    local parts = { string.format("%s  %s %.1f", plan.name, name, run:now()) }
    if run.s1 and name == "run" then
        local total = plan.window_slots * plan.slot_seconds
        parts[1] = string.format("%s  %s %.1f/%.1fs", plan.name, name, total - run:remaining(), total)
    end
    if run.feed and run.s0 then
        local figures = run:figures(run.s0, math.max(run.s0, run:current_slot()))
        local low, high
        for _, node in ipairs(figures.nodes) do
            low, high = math.min(low or node.height, node.height), math.max(high or node.height, node.height)
        end
        if low then
            parts[#parts + 1] = string.format("slot %d  height %s  final %d  forks %d", run:current_slot(), range(low, high),
                figures.final_height, figures.forks)
        end
    end
    parts[#parts + 1] = plan.load and plan.load:status()
    return table.concat(parts, "  ")
end

function Screen:draw(run, name)
    local line = sys.redact(status(run, name))
    local columns = sys.columns() - 1
    if utf8.len(line) and utf8.len(line) > columns then line = line:sub(1, utf8.offset(line, columns + 1) - 1) end
    sys.write(2, "\r" .. line .. "\27[K")
    self.drawn = true
end

function Screen:phase(run, name)
    if self.quiet then return end
    if not self.live then
        if name ~= "done" then sys.write(2, string.format("%6.1fs %s: %s\n", run:now(), text.clean(run.plan.name), name)) end
        return
    end
    if self.ticker then self.ticker:cancel() end
    if name == "done" then return self:erase() end
    self:draw(run, name)
    self.ticker = task.spawn("screen", function()
        while true do
            wait.sleep(0.2)
            self:draw(run, name)
        end
    end)
end

function Screen:line(line)
    if self.quiet then return end
    self:erase()
    line = text.clean(line)
    sys.write(2, (self.live and text.fit(line, (sys.columns())) or line) .. "\n")
end

function Screen:close()
    if self.ticker then self.ticker:cancel() end
    self:erase()
end

return M
