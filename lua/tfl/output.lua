--- Files and folders that the command line names: whoever wrote a path that cannot be written has to mend it (usage, exit 2). A full disk
--- is no fault of the path and stays what it is.
local errors = require "tfl.errors"
local sys = require "tfl.core.sys"

local M = {}

--- Why a file cannot be written, and what to do.
local function refuse(path, err)
    if path == "" then errors.usage "a file is to be written that has no name; name one, or leave the flag out" end
    local stat, folder = sys.stat(path), path:match "^(.*)/[^/]*$"
    if stat and stat.type == "folder" then errors.usage("%s cannot be written: it is a folder; name a file in it", path) end
    if folder and folder ~= "" and not sys.stat(folder) then
        errors.usage("%s cannot be written: there is no folder %s; make it (mkdir -p), or name another file", path, folder)
    end
    errors.usage("%s; name a file that can be written", err.message)
end

--- Writes a file that was asked for. Raises usage, disk_full.
---@param path string
---@param content string
function M.write(path, content)
    local ok, err = pcall(sys.write_file, path, content)
    if ok then return end
    if type(err) == "table" and err.code == "io" then refuse(path, err) end
    error(err, 0)
end

--- Gives open(options), which makes a folder: that of --out when there is one. Raises what open raises; usage when it is about that one.
---@param out string|nil
---@param open fun(options: table): any
---@param options table
function M.take(out, open, options)
    local ok, result = pcall(open, options)
    if ok then return result end
    if out and type(result) == "table" and result.code == "io" then
        errors.usage("--out %s: %s; name a folder that can be made and written", out == "" and '""' or out, result.message)
    end
    error(result, 0)
end

return M
