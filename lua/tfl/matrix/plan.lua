--- From the command line to the cells of a matrix: every combination is checked as `tfl check` does before anything starts.
local axes = require "tfl.matrix.axes"
local cells = require "tfl.matrix.cell"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local keys = require "tfl.core.keys"
local means = require "tfl.matrix.means"
local summary = require "tfl.summary"
local sys = require "tfl.core.sys"

local M = {}

local NAME_LENGTH = 80

local function listed(text, what)
    local values, message = axes.values(text, what)
    if not values then errors.usage("%s", message) end
    return values
end

--- The lists of the command line.
---@param args table
---@return table spec {files, deployers, axes, seeds}
local function spec_of(args)
    local spec, seen = { files = args.files, deployers = listed(args.deployer or "local", "-d"), axes = {} }, {}
    if #spec.files == 0 then errors.usage "tfl matrix: no scenario file (tfl help matrix tells more)" end
    for _, file in ipairs(spec.files) do
        if seen[file] then errors.usage("%s is there twice", file) end
        seen[file] = true
    end
    local named = {}
    local function axis(name, text, flag)
        if named[name] then errors.usage("-p %s is there twice; write its values in one list, as %s=1,3", name, name) end
        named[name] = true
        spec.axes[#spec.axes + 1] = { name = name, values = listed(text, flag) }
    end
    if args.nodes then axis("nodes", args.nodes, "-n") end
    if args.time then axis("duration", args.time, "-t") end
    for _, pair in ipairs(args.param) do axis(pair[1], pair[2], "-p " .. pair[1]) end
    spec.seeds = args.seeds or { { from = 1, to = 1 } }
    local n = axes.count(spec)
    if n > axes.CELLS_MAX then
        errors.usage("these are %.0f cells, at most %d are run: shorten the lists or --seeds (--shard parts the cells, it makes no more of "
            .. "them)", n, axes.CELLS_MAX)
    end
    return spec
end

local function hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

--- Checks a group with its first seed; fills in what is known of it from its plan.
local function check(group, seed, args, plans_of, many)
    local ok, plans = pcall(plans_of, {
        files = { group.file }, deployer = group.deployer, param = group.params, seed = seed, keep = args.keep,
    })
    local given = {}
    for i, pair in ipairs(group.params) do given[i] = pair[1] .. "=" .. pair[2] end
    given = table.concat(given, " ")
    if not ok then
        local err = plans
        if type(err) == "table" and many then
            err.message = ("%s%s: %s"):format(group.file, given ~= "" and " with " .. given or "", errors.text(err))
            err.where = nil
        end
        error(err, 0)
    end
    if #plans > 1 then
        errors.usage("%s describes %d scenarios; a cell of a matrix is one run, so put each into a file of its own", group.file, #plans)
    end
    local plan = plans[1]
    group.name, group.nodes, group.deployer = plan.name, #plan.nodes, plan.deployer
    group.wall_seconds = not plan.hand and plan.wall_seconds or nil -- a script ends when it ends
    group.given = given
    group.source = hex(keys.hash("tfl-matrix", assert(sys.read_file(group.file)))):sub(1, 32)
    return plan
end

--- Names for people and for folders; no two groups have the same.
local function name_groups(groups, deployers)
    local labels, folders, files = {}, {}, {}
    for _, group in ipairs(groups) do
        files[group.name] = files[group.name] or group.file
        if files[group.name] ~= group.file then files[group.name] = true end
    end
    for _, group in ipairs(groups) do
        local parts = { files[group.name] == true and group.file or group.name }
        if group.given ~= "" then parts[#parts + 1] = group.given end
        if #deployers > 1 or group.deployer ~= "local" then parts[#parts + 1] = group.deployer end
        group.label = table.concat(parts, " ")
        if labels[group.label] then errors.usage("%s is there twice", group.label) end
        labels[group.label] = true
        local folder = sys.redact(group.label):gsub("[^%w%.=_+-]", "-"):gsub("^%.", "-"):sub(1, NAME_LENGTH)
        local own, i = folder, 1
        while folders[own] do
            i = i + 1
            own = folder .. "-" .. i
        end
        folders[own], group.folder = true, own
    end
end

--- The groups and the cells, of this shard only. `go_on` is asked between checks.
---@param args table
---@param plans_of fun(args: table): table[] as `tfl check` makes them
---@param go_on fun(): boolean
---@return tfl.MatrixCell[]|nil cells nil: told to stop
---@return integer nodes of the largest
function M.cells(args, plans_of, go_on)
    local spec = spec_of(args)
    local groups, seeds, list, nodes, i = axes.groups(spec), axes.each_seed(spec.seeds), {}, 1, 0
    local agains = {}
    for _, group in ipairs(groups) do
        if not go_on() then return nil, nodes end
        local plan = check(group, seeds[1], args, plans_of, #groups > 1)
        nodes = math.max(nodes, group.nodes)
        agains[group] = {}
        for _, seed in ipairs(seeds) do
            plan.seed = seed
            agains[group][seed] = summary.again(plan)
        end
    end
    name_groups(groups, spec.deployers)
    for _, group in ipairs(groups) do
        for _, seed in ipairs(seeds) do
            i = i + 1
            if axes.in_shard(args.shard, i) then
                list[#list + 1] = cells.new {
                    group = group, seed = seed, dir = ("%s/seed-%d"):format(group.folder, seed), again = agains[group][seed],
                    inconclusive_as = args.inconclusive,
                }
            end
        end
    end
    return list, nodes
end

--- How many at once, and why that many.
---@return integer jobs, string reason
function M.jobs(args, n_cells, nodes)
    if args.jobs then return args.jobs, "as asked for" end
    local jobs, reason = means.jobs(nodes)
    return math.max(1, math.min(jobs, n_cells)), reason
end

--- matrix.json of an earlier matrix in that folder, or nil.
---@param dir string
---@return table|nil
function M.earlier(dir)
    local content = sys.read_file(dir .. "/matrix.json")
    local old = content and json.decode(content)
    return type(old) == "table" and type(old.cells) == "table" and type(old.argv) == "table" and old or nil
end

--- Takes over what an earlier matrix in the folder has run of the same plan: the same command, the same scenario file, a verdict
--- about the chain. What is left will be run, so that its summary is of no use any more.
---@param dir string absolute
---@param list tfl.MatrixCell[]
---@return integer kept
---@return integer other results that are of another plan: they are made again
function M.take_over(dir, list)
    local old, by_dir, kept, other = M.earlier(dir), {}, 0, 0
    for _, one in ipairs(old and old.cells or {}) do by_dir[one.dir or ""] = one end
    for _, cell in ipairs(list) do
        cell.path = dir .. "/" .. cell.dir
        local one = by_dir[cell.dir]
        local same = one and one.again == sys.redact(cell.again) and one.source == cell.group.source
        local found = same and cell:summary()
        local judged = found and found.verdict ~= "infra" and found.verdict ~= "interrupted"
        if judged and (one.state ~= "done" or one.verdict == found.verdict) then
            cell:take(found)
            cell.kept, kept = true, kept + 1
        else
            if one and one.state == "done" and not same then other = other + 1 end
            os.remove(cell.path .. "/summary.json")
        end
    end
    return kept, other
end

return M
