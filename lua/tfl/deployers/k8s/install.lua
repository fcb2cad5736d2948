--- Has the objects of a run installed, as they are made here: by helm, with the chart of assets/helm that carries them, when there is a
--- helm; else by kubectl apply. What was installed is in the run's folder.
local errors = require "tfl.errors"
local json = require "tfl.core.json"
local objects = require "tfl.deployers.k8s.objects"
local proc = require "tfl.core.proc"
local stack = require "tfl.deployers.compose.stack"
local sys = require "tfl.core.sys"

local Install = {}
Install.__index = Install

local M = {}

local SECONDS = 60
local SHOWN = 1200

--- What a run makes in a namespace that is not its own.
local KINDS = "statefulsets,daemonsets,pods,services,configmaps,secrets,persistentvolumeclaims"

local function has_helm()
    local ok, result = pcall(proc.exec, { "helm", "version", "--short", timeout = 20 })
    return ok and result.ok
end

---@param options {cluster: table, namespace: string, release: string, dir: string, tell: fun(text: string)}
function M.new(options)
    proc.exec { "mkdir", "-p", options.dir }
    return setmetatable({ options = options, helm = has_helm(), count = 0, all = {}, places = {} }, Install)
end

--- The commands that take away all that will be installed: the namespace, or in one of others what has the label, and what helm
--- keeps there of a release.
---@param namespace string
---@param release string
---@param shared boolean
---@param label string
---@return string[][] words of kubectl
function M.undos(namespace, release, shared, label)
    local list = { { "delete", "namespace", namespace } }
    if shared then
        list = { { "delete", KINDS, "-n", namespace, "-l", label },
            { "delete", "secrets", "-n", namespace, "-l", "owner=helm,name=" .. release } }
    end
    for _, words in ipairs(list) do table.move({ "--wait=false", "--ignore-not-found" }, 1, 2, #words + 1, words) end
    return list
end

--- A command of helm that speaks to the same cluster as kubectl does.
local function helm_words(self, words)
    local out, cluster = { "helm" }, self.options.cluster
    if cluster.kubeconfig then out = { "env", "KUBECONFIG=" .. cluster.kubeconfig, "helm" } end
    table.move(words, 1, #words, #out + 1, out)
    table.move({ "--namespace", self.options.namespace }, 1, 2, #out + 1, out)
    if cluster.named then table.move({ "--kube-context", cluster.context }, 1, 2, #out + 1, out) end
    return out
end

local function kubectl(self, items, ...)
    local path = ("%s/objects-%d.json"):format(self.options.dir, self.count)
    sys.write_file(path, json.encode(objects.list(items)), true)
    local words = { ... }
    table.move({ "--field-manager=tfl", "--validate=false", "-f", path }, 1, 4, #words + 1, words)
    words.timeout = SECONDS + 2 * #items
    return self.options.cluster:kubectl(words)
end

--- A release is all of its objects, so those of before go along; nodes that are down stay down.
local function helm(self, items, replicas)
    for _, item in ipairs(items) do
        local key = item.kind .. "/" .. item.metadata.name
        self.places[key] = self.places[key] or #self.all + 1
        self.all[self.places[key]] = item
    end
    for _, item in ipairs(self.all) do
        if item.kind == "StatefulSet" then item.spec.replicas = replicas(item.metadata.name) end
    end
    local path = ("%s/values-%d.json"):format(self.options.dir, self.count)
    sys.write_file(path, json.encode { objects = self.all }, true)
    local argv = helm_words(self, { "upgrade", "--install", self.options.release, stack.assets() .. "/helm", "-f", path })
    argv.timeout = SECONDS + 2 * #self.all
    local result = proc.exec(argv)
    if result.ok then return result.stdout .. result.stderr end
    error(errors.new("spawn", "helm upgrade --install %s: %s", self.options.release, (result.stderr .. result.stdout):sub(-SHOWN)), 0)
end

--- Installs objects that are not there yet: what others have of these names stays as it is, and is an error.
---@param items table[]
---@param replicas fun(object: string): integer see apply
function Install:create(items, replicas)
    if #items == 0 then return end
    self.count = self.count + 1
    local rest = {}
    for _, item in ipairs(items) do
        if not self.helm or item.kind ~= "Namespace" then rest[#rest + 1] = item else kubectl(self, { item }, "create") end
    end
    self.options.tell(self.helm and helm(self, rest, replicas) or kubectl(self, rest, "create"))
end

--- Installs objects, or has those that are there be as they are given, all by one call.
---@param items table[]
---@param replicas fun(object: string): integer how many pods a StatefulSet is to have now
function Install:apply(items, replicas)
    if #items == 0 then return end
    self.count = self.count + 1
    self.options.tell(self.helm and helm(self, items, replicas) or kubectl(self, items, "apply", "--server-side", "--force-conflicts"))
end

return M
