--- `tfl report`: one self-contained HTML file of a run, made from the files of its folder alone.
local page = require "tfl.report.page"
local sys = require "tfl.core.sys"

local M = {}

--- The file that a report is written to when nobody says where.
---@param dir string
function M.default_path(dir) return dir .. "/report.html" end

--- Writes the report of a run's folder and gives its path. Raises usage when the folder is none of a run's, io when it cannot be written.
---@param dir string
---@param out string|nil
---@return string path
function M.write(dir, out)
    dir = #dir > 1 and dir:gsub("/+$", "") or dir
    local path = out or M.default_path(dir)
    sys.write_file(path, page.of(dir))
    return path
end

return M
