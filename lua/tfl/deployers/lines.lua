--- The lines of a stream of text, as APIs send one thing after another.
local M = {}

---@param stream table of tfl.core.http
---@return fun(): string|nil next_line without its end; nil once the stream is over
function M.of(stream)
    local data, at = "", 1
    return function()
        while true do
            local stop = data:find("\n", at, true)
            if stop then
                local line = data:sub(at, stop - 1)
                at = stop + 1
                return line
            end
            local more = stream:read()
            if not more then return nil end
            data, at = data:sub(at) .. more, 1
        end
    end
end

return M
