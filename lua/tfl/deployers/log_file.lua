--- The log of a node that is no process of this host, in the run's folder: what it prints is appended, within a bound.
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"

local M = {}

local SEGMENT_BYTES = 32 * 1024 * 1024 -- the newest one to two are kept

--- As engine/proc/capture.h does for processes: a file ends with a line, unless that is as long as a file may be.
---@param path string
---@return fun(text: string|nil): any, string|nil write gives nil and why when it cannot; nil: closes it
function M.writer(path)
    local file, bytes
    local function open()
        if not sys.stat(path) then sys.write_file(path, "", true) end -- what it says is for the owner of the run alone
        file = assert(io.open(path, "ab"))
        file:setvbuf "no"
        bytes = file:seek "end"
    end
    local function rotate()
        local gone = sys.stat(path .. ".1")
        file:close()
        os.rename(path, path .. ".1")
        open()
        return not gone or file:write(proc.LOG_GONE)
    end
    open()
    return function(text)
        if not text then return file:close() end
        local newline = bytes >= SEGMENT_BYTES and (text:find("\n", 1, true) or bytes >= 2 * SEGMENT_BYTES and 0)
        if newline then
            local fine, why = file:write(text:sub(1, newline))
            if fine then fine, why = rotate() end
            if not fine then return fine, why end
            text = text:sub(newline + 1)
        end
        bytes = bytes + #text
        return file:write(text)
    end
end

return M
