--- What nodes in containers are told of logs and metrics, and that the address they are given is one they reach.
local bundles = require "spec.support.bundles"
local docker = require "spec.support.docker"
local nodes = require "spec.support.nodes"
local support = require "spec.support"

support.guard()
local bundle = bundles.shared "linux"

--- Listens on all addresses of this host, and prints what it is told.
local LISTENER = [[
import socket
s = socket.create_server(("", 0))
print("port", s.getsockname()[1], flush=True)
while True:
    with s.accept()[0] as c:
        c.settimeout(5)
        print("told", c.makefile().readline(), end="", flush=True)
]]

--- A node that pushes a line to where its file says. It has bash and nothing else.
local PUSHER = [[
local k = tfl.kind("pusher", {image = %q, ports = {"http"}, ready = {log = "pushed"}, stop_signal = "TERM",
  files = function(n) return {otlp = n.otlp.endpoint, more = n.otlp.protocol .. " " .. n.level .. " " .. n.log_filter} end,
  command = {"/bin/bash", "-c", [=[trap 'exit 0' TERM; exec 4<> <(:)
    url=$(</node/otlp); where=${url#*//}; where=${where#*@}; where=${where%%%%/*}
    exec 3<>/dev/tcp/${where%%:*}/${where##*:} && echo "$TFL_NODE $(</node/more)" >&3 && echo pushed
    while :; do read -t 1 -u 4; done]=]}})
]]

docker.describe("nodes in containers", function()
    local image = docker.image(bundle)
    local bash = "tfl-spec-bash:1"

    setup(function()
        local out, code = support.sh("cd / && tar -c -h bin/bash $(ldd /bin/bash | grep -o '/[^ :]* (' | tr -d ' (' | sort -u) "
            .. "| docker import - " .. bash)
        assert(code == 0, out)
    end)
    teardown(function() support.sh("docker image rm -f " .. bash) end)

    for name, path in pairs { LOGOS_BLOCKCHAIN_OTLP_ENDPOINT = "", LOGOS_BLOCKCHAIN_OTLP_METRICS_ENDPOINT = "/v1/metrics",
        LOGOS_BLOCKCHAIN_METRICS_OTLP_INGEST_URL = "/" } do
        it("push metrics to this host, when " .. name .. " says localhost", function()
            local listener = support.start { "-c", LISTENER, program = "/usr/bin/python3" }
            local port = listener:wait_output "port (%d+)"
            local file = nodes.scenario([[:topology_with(function(t) t:nodes(2):kind(k):slot_duration "200ms" end):with_run_duration "1s"
                :expect_no_log "nobody says this"]], PUSHER:format(bash))
            local url = ("http://me:s3cr3t@localhost:%s%s"):format(port, path)
            local result = nodes.run(file, { "-d", "compose", "--keep", env = { [name] = url,
                LOGOS_BLOCKCHAIN_TESTNET_IMAGE = image(), LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD = "1", LOGOS_BLOCKCHAIN_LOG_LEVEL = "warn",
                LOGOS_BLOCKCHAIN_LOG_FILTER = "x=trace" } })
            assert.equal(0, result.code, result.text)
            local protocol = path == "" and "Grpc" or "Http"
            for i = 0, 1 do
                listener:wait_output(("told node%%-%d %s WARN x=trace\n"):format(i, protocol))
                assert.equal(("http://me:s3cr3t@host.docker.internal:%s%s"):format(port, path == "/" and "" or path),
                    support.read(("%s/nodes/node-%d/otlp"):format(result.summary.dir, i)))
            end
            assert.equal("", (support.sh(("grep -rl s3cr3t %s | grep -v '/otlp$'"):format(support.quote(result.summary.dir)))))
            listener:signal "KILL"
        end)
    end

    it("log as the environment says, and their logs go where it says", function()
        local to = support.path "logs"
        local function run(env)
            env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE, env.LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD = image(), "1"
            env.CONSENSUS_SLOT_TIME, env.LOGOS_BLOCKCHAIN_LOG_DIR = "200ms", to
            local result = support.run { "scenarios/liveness.lua", "-d", "compose", "-n", "2", "-t", "12s", "--keep", "--json", env = env }
            assert.equal(0, result.code, result.text)
            local name = result.summary.dir:match "[^/]+$"
            local log = support.read(("%s/%s/logos-blockchain-node-1.log"):format(to, name))
            assert.equal(support.read(result.summary.dir .. "/logs/logos-blockchain-node-1.log"), log)
            return support.read(result.summary.dir .. "/nodes/node-1/user.yaml"):match "level: (%w+)", log
        end
        local level, log = run { LOGOS_BLOCKCHAIN_TESTS_TRACING = "true" }
        assert.equal("DEBUG", level)
        assert.truthy(log:find " DEBUG ", log)
        level, log = run { LOGOS_BLOCKCHAIN_TESTS_TRACING = "true", LOGOS_BLOCKCHAIN_LOG_LEVEL = "error" }
        assert.equal("ERROR", level)
        assert.is_nil(log:find " INFO ", log)
    end)
end)
