--- Takes away what a run has in Docker: all containers, networks and volumes with its label. The one way to do so, for the end of a
--- run, its guardian and `tfl clean` alike (`docker-compose down` would be a second one, which needs the file and knows only what is
--- in it).
local attach = require "tfl.deployers.attach"
local engines = require "tfl.deployers.compose.engine"
local errors = require "tfl.errors"
local proc = require "tfl.core.proc"
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

local M = {}

local SECONDS = 60
local AGAIN_SECONDS = 0.3

--- Calls fn for all rows at once; gives the first error.
local function each(rows, fn)
    local tasks, first = {}, nil
    for i, row in ipairs(rows) do tasks[i] = task.spawn("purge", fn, row) end
    for _, one in ipairs(tasks) do
        one:wait()
        local ok, err = one:result()
        if ok == false then first = first or err end
    end
    return first
end

--- One round; gives how much was there, and the first error. The images of containers go into `images`.
local function round(engine, label, images)
    local containers = engine:containers(label)
    for _, row in ipairs(containers) do images[row.ImageID or ""] = true end
    local err = each(containers, function(row) engine:remove(row.Id) end)
    local networks = engine:networks(label) -- can go once their containers have
    err = each(networks, function(row) engine:remove_network(row.Id) end) or err
    local volumes = engine:volumes(label)
    err = each(volumes, function(row) engine:remove_volume(row.Name) end) or err
    return #containers + #networks + #volumes, err
end

--- Removes all that has the label. What the engine was making when its asker died comes a moment later, so it is gone only when two
--- rounds have found nothing. Waits. Raises what the engine says, timeout.
---@param engine tfl.DockerEngine
---@param label string "tfl.run=…"
---@return integer how much there was
function M.run(engine, label)
    local deadline, quiet, found, last, images = task.now() + SECONDS, 0, 0, nil, {}
    engine:version() -- one that hangs is told soon
    while true do
        local n, err = round(engine, label, images)
        found, quiet, last = math.max(found, n), n == 0 and quiet + 1 or 0, err or last
        if quiet == 2 then break end
        if task.now() > deadline then
            if last then error(last, 0) end
            error(errors.new("timeout", "Docker: %d things with the label %s are still there after %ds", n, label, SECONDS), 0)
        end
        wait.sleep(n > 0 and 0.02 or AGAIN_SECONDS)
    end
    images[""] = nil
    for id in pairs(images) do engine:forget(id) end -- one that was made anew meanwhile could not go while these used it
    return found
end

--- The same for what a ledger tells of: its engine may be spoken to at another address by now. Raises as run does.
---@param host? string where the engine was
---@param run_id string
function M.undone(host, run_id)
    local label, engine = "tfl.run=" .. run_id, engines.new(host)
    local ok, err = pcall(M.run, engine, label)
    if ok then return end
    local here = engines.new()
    if type(err) == "table" and here.host ~= engine.host then
        local found, n = pcall(M.run, here, label)
        if found and n > 0 then return end
        err.message = ("%s; at %s there is nothing of %s: set DOCKER_HOST to where its engine is now"):format(err.message, here.host,
            run_id)
    end
    error(err, 0)
end

--- The ids of runs that have something in Docker and belong to this user's state folder.
local function runs(engine)
    local ids, label = {}, "tfl.state=" .. proc.state_dir()
    for _, list in ipairs { engine:containers(label), engine:networks(label), engine:volumes(label) } do
        for _, row in ipairs(list) do ids[row.Labels["tfl.run"] or ""] = true end
    end
    ids[""] = nil
    return ids
end

--- Removes what dead runs have left, whatever became of their ledgers: those whose ledger is there live, or were just cleaned in vain.
--- What a run drives that is attached to it stays.
---@return string[] lines one for each run
---@return integer failed
function M.dead()
    local lines, failed = {}, 0
    local ok, engine = pcall(engines.new)
    if not ok or engine.socket and not sys.stat(engine.socket) then return lines, 0 end
    local found, ids = pcall(runs, engine)
    if not found then return { "Docker: " .. ids.message }, 1 end
    for id in pairs(ids) do
        local lock = not sys.stat(("%s/ledgers/%s.jsonl"):format(proc.state_dir(), id)) and attach.lock(id)
        if lock then
            local done, n = pcall(M.run, engine, "tfl.run=" .. id)
            lines[#lines + 1] = id .. ": " .. (done and n .. " containers, networks and volumes removed" or n.message)
            failed = failed + (done and 0 or 1)
            lock:close()
        end
    end
    return lines, failed
end

--- The undo request for what a run makes: tfl itself, as `tfl clean --containers`.
---@param engine tfl.DockerEngine
---@param run_id string
---@return table request of the ledger
function M.undo(engine, run_id)
    return { undo = "argv", within = SECONDS, argv = { sys.exe(), "clean", "--containers", run_id, "--docker", engine.host } }
end

return M
