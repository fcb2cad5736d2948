--- Links with faults between pods. The relays are those of local nodes, in a pod beside the nodes (tfl-relay, engine/relay): each node
--- dials the address of that pod at the port of its edge, and the relay dials the Service of the other. It is told of edges and faults over
--- HTTP, through the API server. A fault is in force, or over, once the relay has said so; what is asked twice is done once. The pod is
--- never replaced: its links would be gone with it, so its end is the end of the run. Methods of the k8s deployer.
local base = require "tfl.deployers.local"
local errors = require "tfl.errors"
local objects = require "tfl.deployers.k8s.objects"
local task = require "tfl.core.task"
local wait = require "tfl.core.wait"

--- The links as the deployer has them; its methods are those of tfl.core.links, but that they wait.
local Links = {}
Links.__index = Links

local FIRST_PORT, LAST_PORT = 20000, 65535 -- all of its own: the pod has an address for itself
local LOOK_SECONDS = 1 -- between two looks
local WATCH_SECONDS = 3 -- the cluster tells within this of the end of the pod, and why
local LOST_SECONDS = 60 -- without an answer; as long as a cluster may be away
local EDGES = 2000 -- told at once

local function new(deployer)
    local links = setmetatable({
        deployer = deployer, edges = {}, next_port = FIRST_PORT, last_id = 0, stalls = 0, idle = wait.signal(),
    }, Links)
    local name = objects.named(deployer.run, objects.RELAY)
    links.pod = {
        name = name, object = name, pod = name, container = "relay", changed = wait.signal(),
        lost = function(why) links:gone(why) end,
    }
    return links
end

--- Its links are gone: nobody knows what the nodes have heard of each other since.
function Links:gone(why)
    self.why = self.why or errors.new("exited", "%s, the relays in the links between the nodes: %s", self.pod.name, why)
    self.deployer:lost(self.why)
    self.why.told = true
end

--- Asks the relay. An API server, or relay, that is away is asked again for a while; then the run is over, for nobody knows what is in
--- force. That is no mistake of the script that asked.
local function ask(self, method, path, options)
    if self.why then error(self.why, 0) end
    local cluster = self.deployer.cluster
    local ok, answer = pcall(cluster.ask, cluster, method,
        ("%s:%d/proxy%s"):format(cluster:path("pods", self.pod.pod), objects.RELAY_PORT, path), options)
    if ok then return answer end
    local looks = options and options.patience == 0
    local deadline = task.now() + (looks and 0 or WATCH_SECONDS)
    while not self.why and task.now() < deadline do self.pod.changed:wait(deadline - task.now()) end
    local err = self.why or answer
    if err ~= self.why then err.message = ("%s: %s"):format(self.pod.name, err.message) end
    if not looks then
        self.deployer:lost(err)
        err.told = true
    end
    error(err, 0)
end

--- Waits until the relay runs and answers; then looks after it.
function Links:begin()
    local deployer, pod = self.deployer, self.pod
    local ok, err = pcall(deployer.wait_running, deployer, pod)
    if not ok then
        if type(err) == "table" and (err.message:find "no such file" or err.message:find "file not found") then
            err.message = ("%s; the image %s must have tfl-relay in /usr/local/bin: scripts/build/build_test_image.sh makes one that has")
                :format(err.message, deployer.run.image)
        end
        error(err, 0)
    end
    pod.up = true
    if pod.ip:find(":", 1, true) then
        error(errors.new("unsupported", "link faults: pods of this cluster have IPv6 addresses (%s)", pod.ip), 0)
    end
    ask(self, "GET", "/health")
    local refused = ("dial tcp %s:%d: connect: connection refused"):format(pod.ip, objects.RELAY_PORT)
    deployer.relay_host = pod.ip
    deployer:spawn("relay", function()
        local since = task.now()
        while true do
            wait.sleep(LOOK_SECONDS)
            local fine, why = pcall(self.look, self, 0)
            if fine then since = task.now() end
            if not fine and why.message:find(refused, 1, true) then -- the cluster may take its time to say why
                return self:gone(("its program ended, nothing listens at %s:%d any more"):format(pod.ip, objects.RELAY_PORT))
            elseif task.now() - since > LOST_SECONDS then
                return self:gone(("no answer for %ds (%s)"):format(LOST_SECONDS, why.message))
            end
        end
    end)
    deployer:spawn("relay-log", deployer.follow_log, deployer, pod, ("%s/logs/%s.log"):format(deployer.dir, objects.RELAY), pod.uid)
end

--- Asks whether it is there, and tells of what it stood still.
---@param patience? number
function Links:look(patience)
    for _, stall in ipairs(ask(self, "GET", "/health", { patience = patience }).stalls) do
        if stall.id > self.stalls then
            self.stalls = stall.id
            self.deployer.stalled(stall.seconds, stall.ago)
        end
    end
end

function Links:port()
    if self.next_port > LAST_PORT then errors.usage("link faults: more than %d links between pods", LAST_PORT - FIRST_PORT + 1) end
    self.next_port = self.next_port + 1
    return self.next_port - 1
end

--- It will be there when the relay is told, before its dialler starts (flush).
---@param edge {from: string, to: string, listen: integer, host: string, target: integer}
function Links:edge(edge)
    table.insert(self.edges, { from = edge.from, to = edge.to, listen = edge.listen, host = edge.host, port = edge.target })
end

--- Waits until the relay has all edges so far.
function Links:flush()
    while self.telling do self.idle:wait() end
    if #self.edges == 0 then return end
    self.telling = true
    local _ <close> = setmetatable({}, { __close = function()
        self.telling = false
        self.idle:notify()
    end })
    while #self.edges > 0 do
        local some = table.move(self.edges, 1, math.min(EDGES, #self.edges), 1, {})
        ask(self, "PUT", "/edges", { body = { edges = some } })
        self.edges = table.move(self.edges, #some + 1, #self.edges, 1, {})
    end
end

local function set_of(set) return { names = set.except or set, except = set.except ~= nil } end

function Links:fault(spec)
    local body = { rules = {} }
    for _, name in ipairs { "cut", "latency", "jitter", "rate", "loss" } do body[name] = spec[name] end
    for i, rule in ipairs(spec.rules) do body.rules[i] = { from = set_of(rule.from), to = set_of(rule.to) } end
    self.last_id = self.last_id + 1
    local id = self.last_id
    ask(self, "PUT", "/faults/" .. id, { body = body })
    return id
end

local function counted(method)
    return function(self, id)
        local counts = ask(self, method, "/faults/" .. id)
        counts.in_force = nil
        return counts
    end
end
Links.heal, Links.counts = counted "DELETE", counted "GET"

function Links:process() end -- of one port for all who dial, which there is none here
function Links:close() end -- it goes with all else of the run

-- ---- the deployer's

local Methods = {}

function Methods:make_links(plan)
    self.links = new(self)
    table.insert(self.first, objects.relay(self.run, plan.seed))
    local pod = self.links.pod
    self.by_object[pod.object], self.by_pod[pod.pod] = pod, pod
end

function Methods:relay_port() return self.links:port() end
function Methods:target_host(node) return self.own[node.name].address end
function Methods:link_look() self.links:look() end

function Methods:peer_address(from, index)
    local address = base.class.peer_address(self, from, index)
    if self.links then self.links:flush() end
    return address
end

return Methods
