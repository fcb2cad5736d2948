--- The log of a node that is no process of this host, in the run's folder: what it prints is appended, within a bound.
local sys = require "tfl.core.sys"

local M = {}

local SEGMENT_BYTES = 32 * 1024 * 1024 -- the newest one to two are kept

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
    open()
    return function(text)
        if not text then return file:close() end
        if bytes >= SEGMENT_BYTES then
            file:close()
            os.rename(path, path .. ".1")
            open()
        end
        bytes = bytes + #text
        return file:write(text)
    end
end

return M
