--- What is seen of pods: their logs, as the API gives them, read again from a whole second on after each loss of the connection, and
--- whether they have ended. The answers are made up here, since no cluster loses a connection at a given line.
local in_run = require "spec.support.in_run"
local support = require "spec.support"

support.guard()

--- Reads a log by answers of lines, one after the other; gives what is in the file and where each answer was asked to begin.
local function follow(answers)
    local got, result = in_run([[
        local dir, answers = ...
        local watch = require "tfl.deployers.k8s.watch"
        local own, asked, doubts, silent = {up = true, uid = 1, pod = "p"}, {}, {}, {}
        local self = {
            say = error,
            cluster = {
                path = function(_, kind, name) return kind .. "/" .. name end,
                lines = function(_, _, query)
                    asked[#asked + 1] = query:match "sinceTime=(%S+)" or "the start"
                    local lines, at = answers[#asked], 0
                    own.ending = #asked == #answers
                    silent[#asked] = own.silent ~= nil
                    if type(lines) == "number" then error{status = lines} end
                    return function()
                        at = at + 1
                        if at > #lines then doubts[#asked] = own.doubt ~= nil end
                        return lines[at]
                    end, function() end
                end,
            },
        }
        watch.follow_log(self, own, dir .. "/log", 1)
        local file <close> = io.open(dir .. "/log")
        return {log = file:read "a", asked = asked, doubt = doubts, silent = silent}
    ]], support.dir(), answers)
    assert(got, result.text)
    return got
end

it("has each line once when the connection is lost, and those that the two outputs of a program stamped out of order", function()
    local got = follow {
        { "2020-01-01T10:00:01.5Z a", "2020-01-01T10:00:01.3Z b", "2020-01-01T10:00:01.31Z c", "2020-01-01T10:00:01.31Z c" },
        { "2020-01-01T10:00:01.5Z a" },
        { "2020-01-01T10:00:01.5Z a", "2020-01-01T10:00:01.3Z b", "2020-01-01T10:00:01.31Z c", "2020-01-01T10:00:01.31Z c",
            "2020-01-01T10:00:01.31Z c", "2020-01-01T10:00:02Z ", "2020-01-01T10:00:01.9Z late" },
        { "2020-01-01T10:00:02Z ", "2020-01-01T10:00:02.1Z end" },
    }
    assert.equal("a\nb\nc\nc\nc\n\nlate\nend\n", got.log)
    assert.same({ "the start", "2020-01-01T10:00:01Z", "2020-01-01T10:00:01Z", "2020-01-01T10:00:02Z" }, got.asked)
end)

it("doubts that a node runs while its log has ended, until the same log goes on", function()
    local a, b = "2020-01-01T10:00:01.5Z a", "2020-01-01T10:00:02.5Z b"
    assert.same({ false, false, true, true }, follow({ { a }, { a, b }, { "2020-01-01T10:00:04Z begins" }, {} }).doubt)
end)

it("takes a log as silent that ends at once whenever it is asked for, but not where the cluster cannot be reached", function()
    local a, b = "2020-01-01T10:00:01.5Z a", "2020-01-01T10:00:02.5Z b"
    assert.same({ false, true, true, true, false, true }, follow({ { a }, { a }, 400, 502, { a, b }, {} }).silent)
end)

it("takes a node as ended whose log has been silent for three seconds, up to now", function()
    local got = in_run [[
        local watch, task = require "tfl.deployers.k8s.watch", require "tfl.core.task"
        local function silent(from, till) return watch:is_silent{silent = {from = task.now() - from, till = task.now() - till}} end
        return {silent(2.9, 0), silent(3.1, 0.5), silent(60, 1.5), watch:is_silent{}}
    ]]
    assert.same({ false, true, false, false }, got)
end)

it("takes a node as ended on whose port nobody listens, though the cluster does not tell, once it has had the time", function()
    local server = support.start { program = "python3", "-c", [[
import http.server
class Api(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        pod, said = self.path.split("/")[1], b"error trying to reach service: dial tcp 10.1.2.3:80: connect: connection refused"
        asked[pod] = asked.get(pod, 0) + 1
        deaf = pod == "deaf" or pod == "late" and asked[pod] == 1
        self.send_response(502 if deaf or pod == "broken" else 404)
        self.end_headers()
        self.wfile.write(said if deaf else b"not found")
asked, server = {}, http.server.HTTPServer(("127.0.0.1", 0), Api)
print("port %d." % server.server_port, flush=True)
server.serve_forever()]] }
    local got, result = in_run([[
        local watch, task = require "tfl.deployers.k8s.watch", require "tfl.core.task"
        local wait, port = require "tfl.core.wait", ...
        local self, ended = setmetatable({own = {}, specs = {}, tasks = {}}, {__index = watch}), {}
        self.cluster = {pod_url = function(_, pod) return "http://127.0.0.1:" .. port .. "/" .. pod end}
        function self:state(name) return name == "paused" and name or "running" end
        function self:ended(own, _, why) ended[own.name], own.up = why, false end
        for _, name in ipairs{"deaf", "late", "broken", "fine", "paused", "plain", "told"} do
            self.own[name] = {name = name, pod = name, up = true, changed = wait.signal()}
            self.specs[name] = {dialect = name ~= "plain" and "reference" or nil, ports = {http = 80}}
        end
        self.own.paused.pod, self.own.plain.pod, self.own.told.pod = "deaf", "deaf", "deaf"
        task.spawn("cluster", function() wait.sleep(0.5) self.own.told.up = false self.own.told.changed:notify() end)
        self:wait_told()
        return ended
    ]], tonumber((server:wait_output "port (%d+)%.")))
    assert(got and got.deaf, result.text)
    assert.matches("nobody listens on its port", got.deaf)
    got.deaf = nil
    assert.same({}, got)
    server:signal "KILL"
end)

it("asks in the time zone that a machine of the cluster stamps lines with", function()
    local got = follow { { "2020-01-01T10:00:01.5+02:00 a" }, { "2020-01-01T10:00:01.5+02:00 a", "2020-01-01T10:00:01.6+02:00 b" } }
    assert.equal("a\nb\n", got.log)
    assert.same({ "the start", "2020-01-01T10:00:01%2B02:00" }, got.asked)
end)

it("bears a container that could not be made at first, and tells why when that goes on", function()
    local got, result = in_run [[
        local deployer, task, wait = require "tfl.deployers.k8s".class, require "tfl.core.task", require "tfl.core.wait"
        local tell
        local own = {name = "node-0", pod = "p", changed = wait.signal()}
        local self = setmetatable({
            settings = {deployment_seconds = 60}, by_pod = {p = own}, by_object = {}, tasks = {},
            core = {state = function() return "running" end},
            cluster = {follow = function(_, kind, _, each) if kind == "pods" then tell = each end wait.sleep(60) end},
        }, {__index = deployer})
        local function pod(state)
            tell("MODIFIED", {metadata = {name = "p", uid = "u"}, status = {containerStatuses = {{name = "node", state = state}}}})
        end
        local failing = {waiting = {reason = "CreateContainerConfigError", message = "failed to create subPath directory"}}
        self:begin_watch()
        while not tell do wait.sleep(0.01) end
        pod(failing)
        task.spawn("kubelet", function() wait.sleep(0.5) pod{running = {}} end)
        self:wait_running(own)
        own.running, own.failing = nil, nil
        pod(failing)
        own.failing.since = task.now() - 29.5
        pod(failing)
        local began = task.now()
        local ok, err = pcall(self.wait_running, self, own)
        for one in pairs(self.tasks) do one:cancel() end
        return {ok = ok, message = tostring(err), took = task.now() - began}
    ]]
    assert.is_false(got.ok, result.text)
    assert.matches("node-0: its pod cannot run: CreateContainerConfigError: failed to create subPath directory", got.message, 1, true)
    assert.is_true(got.took >= 0.4, got.took)
end)
