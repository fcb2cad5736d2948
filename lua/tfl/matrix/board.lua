--- What a person sees while a matrix runs, on stderr: a table that is drawn anew on a terminal, a line for each cell that has ended
--- elsewhere, nothing with --quiet.
local duration = require "tfl.duration"
local render = require "tfl.matrix.render"
local results = require "tfl.matrix.results"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local text = require "tfl.text"
local wait = require "tfl.core.wait"

local Board = {}
Board.__index = Board

local M = {}

--- How often the table is drawn.
local TICK_SECONDS = 0.5

---@param m table the matrix
---@param quiet boolean
---@return table board with :ended(cell), :close()
function M.new(m, quiet)
    local live = not quiet and sys.isatty(2) and os.getenv "TERM" ~= "dumb"
    local board = setmetatable({
        m = m, quiet = quiet, live = live, lines = 0, colour = live and not os.getenv "NO_COLOR", n = 0,
        rows = results.rows(m.cells, "group"),
    }, Board)
    for _, cell in ipairs(m.cells) do board.n = board.n + (cell.state == "done" and 1 or 0) end
    if live then
        board.ticker = task.spawn("board", function()
            while true do
                board:draw()
                wait.sleep(TICK_SECONDS)
            end
        end)
    end
    return board
end

function Board:erase()
    if self.lines > 0 then sys.write(2, ("\27[%dA\r\27[J"):format(self.lines)) end
    self.lines = 0
end

--- Rows that matter most now: those with a cell that runs, then those that wait, then those that are over.
local function urgent(rows, most)
    if #rows <= most then return rows end
    local by_rank = { {}, {}, {} }
    for _, row in ipairs(rows) do
        local rank = 3
        for _, cell in ipairs(row.cells) do
            rank = math.min(rank, cell.state == "running" and 1 or cell.state == "waiting" and 2 or 3)
        end
        table.insert(by_rank[rank], row)
    end
    local shown = {}
    for _, list in ipairs(by_rank) do
        for _, row in ipairs(list) do
            if #shown < most then shown[#shown + 1] = row end
        end
    end
    return shown
end

function Board:draw()
    local columns, height = sys.columns()
    local shown, out = urgent(self.rows, math.max(1, height - 3)), {}
    local names, width = render.names(shown, math.max(20, columns // 2))
    for i, row in ipairs(shown) do
        out[i] = ("  %s  %s"):format(names[i], render.marks(row, columns - width - 5, self.colour))
    end
    if #shown < #self.rows then out[#out + 1] = ("  … %d rows more"):format(#self.rows - #shown) end
    local left = self.m:seconds_left()
    out[#out + 1] = ("  %d of %d · %s%s%s"):format(self.n, #self.m.cells, duration.show(self.m:seconds()),
        left and " · about " .. duration.show(left // 1) .. " left" or "", self.m.stopped and " · ending" or "")
    self:erase()
    sys.write(2, table.concat(out, "\27[K\n") .. "\27[K\n")
    self.lines = #out
end

--- A cell has come to an end: what is no pass stays on the terminal.
---@param cell tfl.MatrixCell
function Board:ended(cell)
    self.n = self.n + 1
    if self.quiet or cell.state ~= "done" or self.live and cell.verdict == "pass" then return end
    self:print(("[%d/%d] %s"):format(self.n, #self.m.cells, render.line(cell)))
end

function Board:print(line)
    self:erase()
    sys.write(2, (self.live and text.fit(line, (sys.columns())) or line) .. "\n")
end

--- A line of the matrix itself.
---@param line string
function Board:say(line)
    if not self.quiet then self:print(line) end
end

function Board:close()
    if self.ticker then self.ticker:cancel() end
    self:erase()
end

return M
