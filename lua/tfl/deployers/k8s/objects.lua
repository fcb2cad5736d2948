--- The objects that a run has on Kubernetes, as plain tables: pure functions, so that what is installed can be read and compared.
local M = {}

local OBJECT = { __jsontype = "object" }
local DISK = "1Gi" -- asked for each node, where a StorageClass makes volumes
local GRACE = 10 -- seconds between SIGTERM and SIGKILL, when the cluster ends a pod

--- Where disks of nodes lie on the cluster's own nodes, when no StorageClass makes volumes: a folder that all may write to.
M.HOST_FOLDER = "/var/tmp"
M.SWEEPER = "tfl-sweeper"
M.PLAN = "tfl-plan"
--- The relays in the links between nodes, and the port where they are told of faults.
M.RELAY, M.RELAY_PORT = "tfl-relay", 8080

--- What the objects of one run share.
---@class tfl.K8sRun
---@field namespace string
---@field run string a label's value
---@field prefix string of the names of all objects
---@field labels table<string, string>
---@field image string of nodes whose kind names none
---@field pull_policy string
---@field claims boolean volumes are made by a StorageClass
---@field node_ports boolean
---@field machines string[] host names of the cluster's nodes among which those of the run are dealt out; none: the cluster decides

--- One node.
---@class tfl.K8sNode
---@field object string name of its StatefulSet and Service
---@field name string
---@field image string
---@field argv string[]
---@field env table<string, string>
---@field files table<string, {content: string, mode: integer}>
---@field files_name string name of the ConfigMap and the Secret with them
---@field index integer
---@field disk string folder on its volume; another one is another disk
---@field ports table<string, integer>
---@field api string|nil name of the port of its API
---@field ready_path string|nil
---@field stop_signal string

local function sorted(t)
    local keys = {}
    for key in pairs(t) do keys[#keys + 1] = key end
    table.sort(keys)
    return keys
end

--- A word as its program is to get it: the cluster makes `$` of `$$`, and puts variables in for `$(NAME)`.
local function literal(word) return (word:gsub("%$", "$$")) end

local function literals(words)
    local made = {}
    for i, word in ipairs(words) do made[i] = literal(word) end
    return made
end

--- The words that a node of tfl's was told, by the command of its container.
---@param command string[]
---@return string[]
function M.told(command)
    local words = {}
    for i, word in ipairs(command) do words[i] = word:gsub("%$%$", "$") end
    return words
end

local function labelled(run, name, more)
    local labels = {}
    for key, value in pairs(run.labels) do labels[key] = value end
    for key, value in pairs(more or {}) do labels[key] = value end
    return { name = name, namespace = run.namespace, labels = labels }
end

--- The name of an object that each run has.
---@param run tfl.K8sRun
---@param name string
---@return string
function M.named(run, name) return run.prefix .. name end

--- Of a label that may hold anything a node is called.
local function node_label(node) return { ["tfl.object"] = node.object } end

---@param run tfl.K8sRun
function M.namespace(run)
    return { apiVersion = "v1", kind = "Namespace", metadata = { name = run.namespace, labels = run.labels } }
end

--- Its files: those that only their owner may read are a Secret.
local function files(run, node)
    local open, closed = setmetatable({}, OBJECT), setmetatable({}, OBJECT)
    local mounts = {}
    for i, path in ipairs(sorted(node.files)) do
        local file = node.files[path]
        local secret = file.mode & tonumber("077", 8) == 0
        local key = "f" .. i
        if secret then closed[key] = file.content else open[key] = file.content end
        mounts[i] = { name = secret and "secret" or "config", mountPath = "/node/" .. path, subPath = key, readOnly = true }
    end
    return {
        { apiVersion = "v1", kind = "ConfigMap", metadata = labelled(run, node.files_name, node_label(node)), data = open },
        { apiVersion = "v1", kind = "Secret", metadata = labelled(run, node.files_name, node_label(node)), type = "Opaque",
            stringData = closed },
    }, mounts
end

--- How nodes find each other. Peers use either protocol, so both reach each port.
---@param run tfl.K8sRun
---@param node tfl.K8sNode of which it needs object and ports
function M.service(run, node)
    local ports = {}
    for _, name in ipairs(sorted(node.ports)) do
        for _, protocol in ipairs { "TCP", "UDP" } do
            ports[#ports + 1] = { name = ("p%d-%s"):format(node.ports[name], protocol:lower()), port = node.ports[name],
                targetPort = node.ports[name], protocol = protocol }
        end
    end
    return {
        apiVersion = "v1", kind = "Service", metadata = labelled(run, node.object, node_label(node)),
        spec = { type = run.node_ports and "NodePort" or "ClusterIP", publishNotReadyAddresses = true, ports = ports,
            selector = { ["tfl.run"] = run.run, ["tfl.object"] = node.object } },
    }
end

--- Rights of a pod. A volume that a StorageClass made is its own; a folder of the cluster's node belongs to root, whose
--- other powers are taken away.
local function pod_security(run)
    local user = run.claims and 10001 or 0
    return { runAsUser = user, runAsGroup = user, runAsNonRoot = run.claims or nil, fsGroup = run.claims and user or nil,
        seccompProfile = { type = "RuntimeDefault" } }
end

local function security()
    return { allowPrivilegeEscalation = false, privileged = false, readOnlyRootFilesystem = true, capabilities = { drop = { "ALL" } } }
end

--- What nodes and the programs beside them have in common: files, disk, rights, and the machine where the disk is.
local function pod(run, node, about)
    local _, mounts = files(run, node)
    local env, volumes, machine = {}, {}, run.machines[node.index % math.max(1, #run.machines) + 1]
    for i, name in ipairs(sorted(node.env)) do env[i] = { name = name, value = literal(node.env[name]) } end
    table.insert(mounts, 1, { name = "disk", mountPath = "/node", subPath = node.disk })
    volumes[1] = { name = "config", configMap = { name = node.files_name, defaultMode = tonumber("555", 8) } }
    volumes[2] = { name = "secret", secret = { secretName = node.files_name, defaultMode = tonumber("444", 8) } }
    if not run.claims then volumes[3] = { name = "disk", hostPath = { path = M.HOST_FOLDER, type = "Directory" } } end
    local container = {
        image = node.image, imagePullPolicy = run.pull_policy, workingDir = "/node", env = env, volumeMounts = mounts,
        securityContext = security(), resources = { requests = { cpu = "50m", memory = "64Mi" }, limits = { cpu = "2", memory = "2Gi" } },
    }
    for key, value in pairs(about) do container[key] = value end
    return {
        terminationGracePeriodSeconds = GRACE, shareProcessNamespace = true, automountServiceAccountToken = false,
        enableServiceLinks = false, securityContext = pod_security(run), volumes = volumes, containers = { container },
        nodeSelector = machine and { ["kubernetes.io/hostname"] = machine } or nil,
    }
end

local function claim(run)
    return { metadata = { name = "disk", labels = run.labels },
        spec = { accessModes = { "ReadWriteOnce" }, resources = { requests = { storage = DISK } } } }
end

--- Ready is what tfl asks, too. There is no liveness probe: a node that hangs is for the scenario to judge, not for the cluster to end.
local function readiness(node)
    local port = node.api and node.ports[node.api]
    return port and { periodSeconds = 1, timeoutSeconds = 5, httpGet = node.ready_path and { path = node.ready_path, port = port } or nil,
        tcpSocket = not node.ready_path and { port = port } or nil } or nil
end

---@param run tfl.K8sRun
---@param node tfl.K8sNode
---@return table[] objects all that makes the node run, but its Service
function M.node(run, node)
    local objects = files(run, node)
    local meta = labelled(run, node.object, node_label(node))
    objects[3] = {
        apiVersion = "apps/v1", kind = "StatefulSet", metadata = meta,
        spec = {
            serviceName = node.object, replicas = 1, podManagementPolicy = "Parallel", updateStrategy = { type = "OnDelete" },
            selector = { matchLabels = { ["tfl.run"] = run.run, ["tfl.object"] = node.object } },
            volumeClaimTemplates = run.claims and { claim(run) } or nil,
            template = {
                metadata = { labels = meta.labels, annotations = { ["tfl.node"] = node.name } },
                spec = pod(run, node, {
                    name = "node", command = literals(node.argv), readinessProbe = readiness(node),
                    lifecycle = node.stop_signal ~= "TERM" and { preStop = { exec = { command = M.signal(run, node, node.stop_signal) } } }
                        or nil,
                }),
            },
        },
    }
    return objects
end

--- A pod that waits, with all that the node has, for programs to be run beside it.
---@return table
function M.beside(run, node)
    local waits = node.image == run.image and { "/usr/local/bin/tfl-node", "--sweep", "/nothing" } or { "/bin/sh", "-c", "sleep 3600" }
    local spec = pod(run, node, { name = "beside", command = waits })
    spec.restartPolicy = "Never"
    if run.claims then
        table.insert(spec.volumes, { name = "disk", persistentVolumeClaim = { claimName = ("disk-%s-0"):format(node.object) } })
    end
    local meta = labelled(run, nil, { ["tfl.beside"] = node.object })
    meta.generateName = node.object .. "-beside-"
    return { apiVersion = "v1", kind = "Pod", metadata = meta, spec = spec }
end

--- The command that sends a signal to a node from within its pod. An image of others has a shell for it, tfl's own needs none.
---@return string[]
function M.signal(run, node, name)
    if node.image == run.image then return { "/usr/local/bin/tfl-node", "--signal", name } end
    return { "/bin/sh", "-c", "kill -" .. name .. " -1" }
end

--- Where folders of the cluster's nodes are the disks: a pod on each that removes them when the namespace goes.
---@param run tfl.K8sRun
function M.sweeper(run)
    local own = { ["tfl.run"] = run.run, ["tfl.object"] = M.SWEEPER }
    local meta = labelled(run, M.named(run, M.SWEEPER), own)
    return {
        apiVersion = "apps/v1", kind = "DaemonSet", metadata = meta,
        spec = {
            selector = { matchLabels = own },
            template = {
                metadata = { labels = meta.labels },
                spec = {
                    terminationGracePeriodSeconds = 40, automountServiceAccountToken = false, enableServiceLinks = false,
                    securityContext = pod_security(run),
                    tolerations = { { operator = "Exists" } },
                    volumes = { { name = "disks", hostPath = { path = M.HOST_FOLDER, type = "Directory" } } },
                    containers = { {
                        name = "sweeper", image = run.image, imagePullPolicy = run.pull_policy,
                        command = { "/usr/local/bin/tfl-node", "--sweep", "/disks/" .. M.disks(run) },
                        env = { { name = "TFL_POD", value = "1" } }, securityContext = security(),
                        volumeMounts = { { name = "disks", mountPath = "/disks" } },
                        resources = { requests = { cpu = "10m", memory = "16Mi" }, limits = { cpu = "1", memory = "128Mi" } },
                    } },
                },
            },
        },
    }
end

--- The relays of all links: one pod, which nothing makes again, as its links would be gone with it.
---@param run tfl.K8sRun
---@param seed integer
function M.relay(run, seed)
    return {
        apiVersion = "v1", kind = "Pod", metadata = labelled(run, M.named(run, M.RELAY), { ["tfl.object"] = M.RELAY }),
        spec = {
            restartPolicy = "Never", terminationGracePeriodSeconds = 1, shareProcessNamespace = true, automountServiceAccountToken = false,
            enableServiceLinks = false, securityContext = pod_security { claims = true },
            containers = { {
                name = "relay", image = run.image, imagePullPolicy = run.pull_policy,
                command = { "/usr/local/bin/tfl-relay", "--host", "$(TFL_POD_IP)", "--port", tostring(M.RELAY_PORT), "--seed",
                    ("%d"):format(seed) },
                env = {
                    { name = "TFL_POD", value = "1" }, { name = "TFL_LOG", value = "info" },
                    { name = "TFL_POD_IP", valueFrom = { fieldRef = { fieldPath = "status.podIP" } } },
                },
                securityContext = security(),
                -- more of a busy machine than each node has: it is in all links
                resources = { requests = { cpu = "200m", memory = "64Mi" }, limits = { cpu = "2", memory = "1Gi" } },
            } },
        },
    }
end

--- The plan of a run and its image, for whoever attaches to its nodes later.
---@param run tfl.K8sRun
---@param text string plan.json
function M.plan(run, text)
    return { apiVersion = "v1", kind = "ConfigMap", metadata = labelled(run, M.named(run, M.PLAN), { ["tfl.object"] = M.PLAN }),
        data = { ["plan.json"] = text, image = run.image } }
end

--- The folder of all disks of a run.
function M.disks(run) return run.claims and "disks" or "tfl-" .. run.run end

--- The objects as one.
function M.list(items) return { apiVersion = "v1", kind = "List", items = items } end

return M
