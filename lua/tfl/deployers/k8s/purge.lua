--- What dead runs have left in the cluster that kubectl reaches, and whose it is. Everything a run makes there has the label of its
--- owner: this machine and this user's state folder, where the ledger tells whether the run lives. Of runs of other owners nobody here
--- can tell that, so they are named, and left alone.
local attach = require "tfl.deployers.attach"
local clusters = require "tfl.deployers.k8s.cluster"
local installs = require "tfl.deployers.k8s.install"
local proc = require "tfl.core.proc"
local settings = require "tfl.deployers.k8s.settings"
local sys = require "tfl.core.sys"

local M = {}

local SECONDS = 20 -- for one answer
local SHOWN = 20 -- runs of others that are named

--- The value of the label.
---@return string
function M.owner()
    local host = (sys.read_file "/proc/sys/kernel/hostname" or "?"):gsub("%s+$", "")
    local text, hash = table.concat({ host, sys.read_file "/etc/machine-id" or "", proc.state_dir() }, "\0"), 0xcbf29ce484222325
    for i = 1, #text do hash = (hash ~ text:byte(i)) * 0x100000001b3 end -- FNV-1a
    return settings.label(("%s-%016x"):format(host, hash))
end

--- Runs that live here, or whose ledger could not be carried out, by their label.
local function with_ledgers()
    local runs = {}
    for _, name in ipairs(sys.list(proc.state_dir() .. "/ledgers") or {}) do
        local id = name:match "^(.*)%.jsonl$"
        if id then runs[settings.run_label(id)] = true end
    end
    return runs
end

local FIELDS = "{.kind} {.metadata.namespace}/{.metadata.name} {.metadata.labels.tfl\\.run} {.metadata.labels.tfl\\.owner} "
    .. "{.metadata.deletionTimestamp}"

--- What there is of runs: by run, {namespace, own = the namespace is the run's, owner}. Raises what kubectl says.
local function runs_of(cluster)
    local said = cluster:kubectl { "get", "namespaces,services,statefulsets", "--all-namespaces", "-l", "app.kubernetes.io/managed-by=tfl",
        "-o", "jsonpath={range .items[*]}" .. FIELDS .. '{"\\n"}{end}' }
    local runs, names, going = {}, {}, {}
    for line in said:gmatch "[^\n]+" do
        local kind, namespace, name, run, owner, deleted = line:match "^(%S+) ([^/]*)/(%S+) (%S*) (%S*) ?(%S*)$"
        if kind == "Namespace" then namespace = name end
        if kind == "Namespace" and deleted ~= "" then going[namespace] = true end
        if run and run ~= "" and deleted == "" then
            if not runs[run] then runs[run], names[#names + 1] = { namespace = namespace, owner = owner }, run end
            runs[run].own = runs[run].own or kind == "Namespace"
        end
    end
    table.sort(names)
    return runs, names, going
end

--- Has all of one run deleted. Raises what kubectl says.
local function remove(cluster, run, about)
    for _, words in ipairs(installs.undos(about.namespace, settings.label("tfl-" .. run, 53), not about.own, "tfl.run=" .. run)) do
        cluster:kubectl(words)
    end
end

--- Removes what dead runs of this user have left there, whatever became of their ledgers; what a run drives that is attached to it stays.
---@return string[] lines
---@return integer failed
function M.dead()
    local found, cluster = pcall(clusters.new)
    if not found or not cluster.named then return {}, 0 end
    cluster.seconds = SECONDS
    local ok, runs, names, going = pcall(runs_of, cluster)
    if not ok then -- that says nothing of whether there is anything
        return { ("Kubernetes (context %s) was not looked at: %s"):format(cluster.context, runs.message) }, 0
    end
    local lines, failed, others, owner, alive = {}, 0, {}, M.owner(), with_ledgers()
    for _, run in ipairs(names) do
        local about = runs[run]
        local mine = about.owner == owner
        local lock = mine and not alive[run] and not going[about.namespace] and attach.lock(run)
        if lock then
            local done, err = pcall(remove, cluster, run, about)
            lines[#lines + 1] = done and ("%s: deleted in Kubernetes: %s"):format(run,
                about.own and "the namespace " .. about.namespace or "its objects in " .. about.namespace)
                or ("%s: %s"):format(run, err.message)
            failed = failed + (done and 0 or 1)
            lock:close()
        elseif not mine and not going[about.namespace] then
            others[#others + 1] = ("%s (%s)"):format(about.namespace, about.owner ~= "" and about.owner or "?")
        end
    end
    if #others > 0 then
        local more = #others - SHOWN
        lines[#lines + 1] = ("Kubernetes (context %s): left alone, for whether they live only their owners can tell: %s%s; `kubectl delete "
            .. "namespace NAME` removes one"):format(cluster.context, table.concat(others, ", ", 1, math.min(SHOWN, #others)),
            more > 0 and (" and %d more"):format(more) or "")
    end
    return lines, failed
end

return M
