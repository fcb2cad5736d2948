--- What `tfl doctor` says of Kubernetes: the cluster that kubectl reaches, and whether a run could be made there.
local clusters = require "tfl.deployers.k8s.cluster"
local deployers = require "tfl.deployers"
local errors = require "tfl.errors"
local images = require "tfl.deployers.compose.images"
local objects = require "tfl.deployers.k8s.objects"
local settings = require "tfl.deployers.k8s.settings"

local M = {}

local SECONDS = 10 -- for one answer

local function fail(fmt, ...) error(errors.new("spawn", fmt, ...), 0) end

--- A name as a runtime tells it: with its registry and its tag.
local function full_name(name)
    local path = name:match "^[^/]*[.:][^/]*/" and name or name:find "/" and "docker.io/" .. name or "docker.io/library/" .. name
    return path:match ":[^/]*$" and path or path .. ":latest"
end

--- Which machines tell of an image. They tell of the fifty biggest that they have.
local function image_row(machines)
    local name, lack = images.name(), {}
    for _, machine in ipairs(machines) do
        local has = false
        for _, image in ipairs(machine.status.images or {}) do
            for _, said in ipairs(image.names or {}) do has = has or said == name or said == full_name(name) end
        end
        if not has then lack[#lack + 1] = machine.metadata.name end
    end
    if #lack == 0 then return name end
    fail("%s: not seen on %s; unless a registry has it: kind load docker-image, k3d image import, minikube image load, "
        .. "or docker save and ctr -n k8s.io images import", name, table.concat(lack, ", "))
end

---@return {name: string, ok: boolean, message: string}[]
function M.rows()
    local row = deployers.doctor_row
    local cluster, machines
    local rows = { row("kubectl", function()
        local found = clusters.new()
        if not found.named then fail "no context is chosen, so no cluster: set KUBECONFIG, or `kubectl config use-context NAME`" end
        cluster = found
        cluster.seconds = SECONDS
        return "context " .. cluster.context
    end) }
    if not cluster then return rows end
    rows[2] = row("cluster", function()
        machines = cluster:read { "get", "nodes" }.items
        local version = machines[1] and machines[1].status.nodeInfo.kubeletVersion or "?"
        return ("%d node%s, %s"):format(#machines, #machines == 1 and "" or "s", version)
    end)
    if not machines and not rows[2].message:find "orbidden" then return rows end -- it would not answer the next question either
    rows[3] = row("rights", function()
        local namespace = settings.read().namespace
        return cluster:need_rights(namespace) and "may make and delete StatefulSets in " .. namespace or "may make and delete namespaces"
    end)
    rows[4] = row("disks", function()
        local class = cluster:storage_class()
        return class and "volumes of the StorageClass " .. class
            or ("no default StorageClass: folders in %s of %s"):format(objects.HOST_FOLDER, table.concat(cluster:machines(), ", "))
    end)
    rows[5] = machines and row("image", function() return image_row(machines) end)
    return rows
end

return M
