--- `tfl report`: one self-contained HTML file of a run or a matrix, made from the files of its folder alone.
local matrix = require "tfl.report.matrix"
local output = require "tfl.output"
local page = require "tfl.report.page"

local M = {}

--- The file that a report is written to when nobody says where.
---@param dir string
function M.default_path(dir) return dir .. "/report.html" end

--- Writes the report of a folder and gives its path. Raises usage when the folder is neither a run's nor a matrix's, or the file cannot
--- be written.
---@param dir string
---@param out string|nil
---@return string path
function M.write(dir, out)
    dir = #dir > 1 and dir:gsub("/+$", "") or dir
    local path = out or M.default_path(dir)
    output.write(path, matrix.is(dir) and matrix.of(dir) or page.of(dir))
    return path
end

return M
