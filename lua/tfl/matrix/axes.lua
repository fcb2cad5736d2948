--- What a matrix is made of: lists of values, ranges of seeds, shards, and the cells that come of them, always in the same order.
local M = {}

--- More cells than this are nobody's intention.
M.CELLS_MAX = 10000

local MAX_SEED = math.maxinteger

--- A list as the command line has it: commas part the values, `\,` is a comma in a value.
---@param text string
---@param what string the flag, for messages
---@return string[]|nil values, string|nil message
function M.values(text, what)
    local values, seen = {}, {}
    for part in (text:gsub("\\,", "\0") .. ","):gmatch "([^,]*)," do
        local value = part:gsub("%z", ",")
        if value == "" then
            return nil, ("%s: value %d is empty; commas part the values, \\, is a comma in a value"):format(what, #values + 1)
        elseif not utf8.len(value) or value:find "%c" then
            return nil, ("%s: value %d is no text of UTF-8 without control characters"):format(what, #values + 1)
        elseif seen[value] then
            return nil, ("%s: %s is there twice"):format(what, value)
        end
        values[#values + 1], seen[value] = value, true
    end
    return values
end

local function seed(text)
    local n = text:match "^%d+$" and math.tointeger(tonumber(text))
    return n and n <= MAX_SEED and n or nil
end

--- Seeds: "1..20", "3,7,9", or both: "1..3,7".
---@param text string
---@return {from: integer, to: integer}[]|nil ranges, string|nil message
function M.seeds(text)
    local ranges = {}
    for part in (text .. ","):gmatch "([^,]*)," do
        local a, b = part:match "^(.-)%.%.(.*)$"
        local from, to = seed(a or part), seed(b or part)
        if not from or not to then
            return nil, ("--seeds %s: %s is neither a whole number nor a range; write 1..20 or 3,7,9"):format(text,
                part == "" and "an empty part" or part)
        elseif from > to then
            return nil, ("--seeds %s: the range %s is empty; write %d..%d"):format(text, part, to, from)
        end
        for _, other in ipairs(ranges) do
            if from <= other.to and other.from <= to then
                return nil, ("--seeds %s: seed %d is there twice"):format(text, math.max(from, other.from))
            end
        end
        ranges[#ranges + 1] = { from = from, to = to }
    end
    return ranges
end

--- A shard: "2/4" is the second of four.
---@param text string
---@return {index: integer, of: integer}|nil shard, string|nil message
function M.shard(text)
    local a, b = text:match "^(%d+)/(%d+)$"
    local index, of = math.tointeger(tonumber(a)), math.tointeger(tonumber(b))
    if not index or not of or index < 1 or index > of then
        return nil, ("--shard %s: I/N was expected, as 2/4, with I from 1 to N"):format(text)
    end
    return { index = index, of = of }
end

--- Is that a part of the shard? Cells are dealt out in turn, so that all shards take about as long.
---@param shard {index: integer, of: integer}|nil nil: all is
---@param i integer number of the cell in the whole matrix
---@return boolean
function M.in_shard(shard, i)
    return not shard or (i - 1) % shard.of == shard.index - 1
end

--- How many cells there are; a float when integers do not reach.
---@param spec table {files, deployers, axes = {{name, values}…}, seeds}
---@return number
function M.count(spec)
    local seeds, groups = 0.0, #spec.files * #spec.deployers
    for _, range in ipairs(spec.seeds) do seeds = seeds + (range.to - range.from + 1.0) end
    for _, axis in ipairs(spec.axes) do groups = groups * #axis.values end
    local n = groups * seeds
    return math.tointeger(n) or n
end

---@class tfl.MatrixGroup cells that differ in nothing but the seed
---@field file string
---@field deployer string
---@field params string[][] {name, value} each, in the order of the flags

--- The groups: files, within them deployers, within them the values; the last axis turns first.
---@param spec table as M.count
---@return tfl.MatrixGroup[]
function M.groups(spec)
    local groups = {}
    local function turn(file, deployer, params, depth)
        local axis = spec.axes[depth]
        if not axis then
            groups[#groups + 1] = { file = file, deployer = deployer, params = params }
            return
        end
        for _, value in ipairs(axis.values) do
            local more = table.move(params, 1, #params, 1, {})
            more[#more + 1] = { axis.name, value }
            turn(file, deployer, more, depth + 1)
        end
    end
    for _, file in ipairs(spec.files) do
        for _, deployer in ipairs(spec.deployers) do turn(file, deployer, {}, 1) end
    end
    return groups
end

--- The seeds one by one.
---@param ranges {from: integer, to: integer}[]
---@return integer[]
function M.each_seed(ranges)
    local seeds = {}
    for _, range in ipairs(ranges) do
        for n = range.from, range.to do seeds[#seeds + 1] = n end
    end
    return seeds
end

return M
