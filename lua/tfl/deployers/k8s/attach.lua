--- `-d k8s --attach SELECTOR`: pods of the namespace K8S_RUNNER_NAMESPACE that a selector of labels finds are driven, and left as they
--- are. Of a run of tfl that was left there (K8S_RUNNER_PRESERVE) everything is known: its plan lies beside its nodes. Of nodes that
--- others have installed, tfl knows what they say themselves; the rest the scenario must say.
local attach = require "tfl.deployers.attach"
local clusters = require "tfl.deployers.k8s.cluster"
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local objects = require "tfl.deployers.k8s.objects"
local proc = require "tfl.core.proc"
local settings = require "tfl.deployers.k8s.settings"
local sys = require "tfl.core.sys"

local M = {}

--- Nodes that run in a cluster.
---@class tfl.K8sStack
---@field project string what --attach was given
---@field namespace string
---@field selector string of its pods
---@field cluster table
---@field others boolean they were not made by tfl
---@field api string|nil port of the API, its name or number
---@field nodes table<string, table> by node: object, pod, container, image, command, files, replicas, restarts, uid, ports
---@field started integer nodes that were there from the start
---@field why table<string, string> why verbs cannot be had there
---@field seed integer|nil this and what follows: of a run of tfl
---@field run_id string|nil
---@field run string|nil the label of its objects
---@field image string|nil of nodes whose kind names none
---@field genesis_time_ms integer|nil
---@field topology table|nil as plan.json has it

local FIXED = "nodes that are attached to are those that there are"
local NO_LINKS = "relays stand between nodes from the start or not at all"
local UNKNOWN_GENESIS = "the genesis of a chain that tfl has not made is not known to it"

local function refuse(named, fmt, ...) errors.usage("--attach %s: %s", named, fmt:format(...)) end

--- The part of a list of objects that is of one kind.
local function of_kind(items, kind)
    local list = {}
    for _, item in ipairs(items) do
        if item.kind == kind then list[#list + 1] = item end
    end
    return list
end

--- "a, b and 3 more"
local function some(names)
    table.sort(names)
    local more = #names - 8
    return table.concat(names, ", ", 1, math.min(8, #names)) .. (more > 0 and (" and %d more"):format(more) or "")
end

--- What pods of a namespace can be found by, for somebody whose selector finds none.
local function labels_there(cluster, namespace)
    local ok, all = pcall(cluster.read, cluster, { "get", "pods", "-n", namespace })
    local names, seen = {}, {}
    for _, pod in ipairs(ok and all.items or {}) do
        for key, value in pairs(pod.metadata.labels or {}) do
            local label = key .. "=" .. value
            if not seen[label] and not key:find "hash" and not key:find "pod%-name" and key ~= "tfl.object" then
                names[#names + 1], seen[label] = label, true
            end
        end
    end
    return #names > 0 and "its pods have " .. some(names) or "it has no pods"
end

--- Namespaces where the selector finds pods, as a hint.
local function elsewhere(cluster, selector)
    local ok, all = pcall(cluster.read, cluster, { "get", "pods", "--all-namespaces", "-l", selector })
    local names, seen = {}, {}
    for _, pod in ipairs(ok and all.items or {}) do
        local name = pod.metadata.namespace
        if not seen[name] then names[#names + 1], seen[name] = name, true end
    end
    return #names > 0 and "; there are such pods in " .. some(names) or ""
end

-- ---- of a run of tfl

--- The files that a StatefulSet of tfl gives its node, by path.
local function files_of(set, configs)
    local pod, files = set.spec.template.spec, {}
    local config
    for _, volume in ipairs(pod.volumes) do config = volume.configMap and configs[volume.configMap.name] or config end
    for _, mount in ipairs(pod.containers[1].volumeMounts) do
        local text = config and mount.name == "config" and (config.data or {})[mount.subPath]
        if text then files[mount.mountPath:gsub("^/node/", "")] = text end
    end
    return files
end

local function read_plan(named, configs)
    local found
    for _, config in pairs(configs) do
        if (config.metadata.labels or {})["tfl.object"] == objects.PLAN then found = config end
    end
    local plan = found and json.decode((found.data or {})["plan.json"] or "")
    if type(plan) ~= "table" or type(plan.topology) ~= "table" then
        refuse(named, "tfl made it, and its plan (the ConfigMap %s) is not there, so nobody can tell what its chain is", objects.PLAN)
    elseif sys.stat(("%s/ledgers/%s.jsonl"):format(proc.state_dir(), plan.run_id)) then
        refuse(named, "the run that made it is not over")
    end
    return plan, found.data.image
end

local function of_tfl(stack, run)
    local kinds = "statefulsets,configmaps,services,pods"
    local items = stack.cluster:read { "get", kinds, "-n", stack.namespace, "-l", "tfl.run=" .. run }.items
    local configs, pods = {}, {}
    for _, config in ipairs(of_kind(items, "ConfigMap")) do configs[config.metadata.name] = config end
    for _, pod in ipairs(of_kind(items, "Pod")) do pods[pod.metadata.name] = pod end
    local plan, image = read_plan(stack.project, configs)
    stack.lock = attach.lock(run)
    if not stack.lock then refuse(stack.project, "another tfl drives it") end
    stack.run, stack.run_id, stack.seed, stack.topology, stack.started = run, plan.run_id, plan.seed, plan.topology, 0
    stack.image, stack.genesis_time_ms, stack.selector = image, plan.genesis_time_ms, "tfl.run=" .. run
    stack.defaults = function() return { security_param = plan.topology.security_param } end
    for _, node in ipairs(plan.topology.nodes) do stack.started = stack.started + (node.late and 0 or 1) end
    for _, set in ipairs(of_kind(items, "StatefulSet")) do
        local template = set.spec.template
        local name, container = (template.metadata.annotations or {})["tfl.node"], template.spec.containers[1]
        local pod = pods[set.metadata.name .. "-0"]
        if name then
            stack.nodes[name] = {
                object = set.metadata.name, pod = set.metadata.name .. "-0", container = container.name, image = container.image,
                command = objects.told(container.command), files = files_of(set, configs), replicas = set.spec.replicas, seen = pod,
            }
        end
    end
    for _, service in ipairs(of_kind(items, "Service")) do
        for _, node in pairs(stack.nodes) do
            if node.object == service.metadata.name and service.spec.type == "NodePort" then
                node.node_ports = {}
                for _, port in ipairs(service.spec.ports) do
                    if port.protocol == "TCP" then node.node_ports[port.port] = port.nodePort end
                end
            end
        end
    end
    return stack
end

-- ---- of others

--- The container of a pod that is the node: the only one, the one that the pod says, or the one with a port that the API can have.
local function container_of(stack, pod)
    local all, names = pod.spec.containers, {}
    if #all == 1 then return all[1] end
    local said = (pod.metadata.annotations or {})["kubectl.kubernetes.io/default-container"]
    for i, one in ipairs(all) do
        names[i] = one.name
        if one.name == said or one.name == "node" then return one end
        for _, port in ipairs(one.ports or {}) do
            if stack.api and (port.name == stack.api or tostring(port.containerPort) == stack.api) then return one end
        end
    end
    refuse(stack.project, "the pod %s has several containers (%s), and nothing says which is the node: give the port of its API, --attach "
        .. "%s:PORT", pod.metadata.name, some(names), stack.selector)
end

--- Why a pod does not run, or nil.
local function not_running(pod, container)
    for _, status in ipairs(pod.status.containerStatuses or {}) do
        local state = status.name == container.name and status.state or {}
        local why = state.waiting or state.terminated
        if state.running then return nil end
        if why then return (why.reason or "?") .. (why.message and ": " .. why.message or "") end
    end
    local said = pod.status.message or pod.status.reason
    for _, condition in ipairs(pod.status.conditions or {}) do
        if condition.status == "False" and condition.message then said = said or condition.message end
    end
    return pod.status.phase .. (said and ": " .. said or "")
end

--- "node-2" before "node-10"
local function before(a, b)
    local function key(text) return (text:gsub("%d+", function(n) return ("%012d"):format(tonumber(n) or 0) end)) end
    return key(a.metadata.name) < key(b.metadata.name)
end

local function of_others(stack, pods)
    table.sort(pods, before)
    local owners = {}
    for i, pod in ipairs(pods) do
        local container = container_of(stack, pod)
        local why = not_running(pod, container)
        if why then
            error(errors.new("not_ready", "--attach %s: the pod %s is not ready: %s", stack.project, pod.metadata.name, why), 0)
        end
        local owner = (pod.metadata.ownerReferences or {})[1]
        owners[i] = owner and owner.kind or "none"
        stack.why.restart = stack.why.restart or owners[i] ~= "StatefulSet" and (("the pod %s is not of a StatefulSet (%s), so its next "
            .. "one would have another name"):format(pod.metadata.name, owners[i])) or nil
        stack.nodes["node-" .. i - 1] = { object = pod.metadata.name, pod = pod.metadata.name, container = container.name,
            ports = container.ports or {}, seen = pod, command = { container.name } }
    end
    stack.others, stack.started = true, #pods
    local said = "only what made the nodes can do that; tfl can restart them (their pods are deleted, and made again)"
    for _, verb in ipairs { "start", "stop", "kill", "pause", "resume" } do stack.why[verb] = said end
    stack.why.genesis, stack.why.wallets = UNKNOWN_GENESIS, UNKNOWN_GENESIS .. ", and so nobody's notes are"
    return stack
end

--- Looks for the nodes. Waits. Raises usage, not_ready, and what kubectl says.
---@param named string "SELECTOR" or "SELECTOR:PORT"
---@return tfl.K8sStack
function M.find(named)
    local selector, api = named:match "^([^:]+):([%w-]+)$"
    selector = selector or named
    local namespace, cluster = settings.read().namespace, clusters.new()
    if not namespace then
        refuse(named, "K8S_RUNNER_NAMESPACE must say in which namespace%s", elsewhere(cluster, selector))
    end
    local ok, found = pcall(cluster.read, cluster, { "get", "pods,statefulsets", "-n", namespace, "-l", selector })
    if not ok then
        if found.message:find "unable to parse" or found.message:find "label selector" then
            refuse(named, "this is no selector of labels (app=logos-node): %s", found.message)
        end
        error(found, 0)
    end
    local stack = { project = named, namespace = namespace, selector = selector, cluster = cluster, api = api, nodes = {},
        why = { start_node = FIXED, link = NO_LINKS, partition = NO_LINKS, isolate = NO_LINKS },
        new = function(options) return require("tfl.deployers.k8s.joined").new(options) end }
    local pods, runs, names = {}, {}, {}
    for _, item in ipairs(found.items) do
        local run = (item.metadata.labels or {})["tfl.run"]
        if run and not runs[run] then runs[run], names[#names + 1] = true, "tfl.run=" .. run end
        if item.kind == "Pod" and not run and not item.metadata.deletionTimestamp and item.status.phase ~= "Succeeded" then
            pods[#pods + 1] = item
        end
    end
    if #names + math.min(1, #pods) > 1 then
        refuse(named, "it finds pods of several clusters in %s: %s%s", namespace, some(names), #pods > 0 and ", and others" or "")
    elseif #names == 1 then
        return of_tfl(stack, names[1]:match "=(.*)$")
    elseif #pods == 0 then
        local there = pcall(cluster.kubectl, cluster, { "get", "namespace", namespace }) or #labels_there(cluster, namespace) > 20
        refuse(named, "no pod of the namespace %s has these labels%s%s", namespace,
            there and "; " .. labels_there(cluster, namespace) or ", and there is no such namespace", elsewhere(cluster, selector))
    end
    return of_others(stack, pods)
end

return M
