--- `-d compose` on a real Docker engine.
local bundles = require "spec.support.bundles"
local docker = require "spec.support.docker"
local in_run = require "spec.support.in_run"
local support = require "spec.support"

support.guard()
local bundle = bundles.shared "linux"

local LIVENESS = { "scenarios/liveness.lua", "-d", "compose", "-n", "3", "--seed", "7" }

--- All that has a label of the run's kind and belongs to this test.
local function left()
    local filter = " --filter " .. support.quote("label=tfl.state=" .. support.dir() .. "/state/tfl")
    return docker.run("ps -aq" .. filter) .. docker.run("network ls -q" .. filter) .. docker.run("volume ls -q" .. filter)
end

local function containers(format)
    return docker.run(("ps -a --filter %s --format %s"):format(support.quote("label=tfl.state=" .. support.dir() .. "/state/tfl"),
        support.quote(format)))
end

docker.describe("-d compose", function()
    local image = docker.image(bundle)

    --- What run and start take, with the image of these specs and short slots.
    local function compose(spec)
        local env = { LOGOS_BLOCKCHAIN_TESTNET_IMAGE = image(), CONSENSUS_SLOT_TIME = "200ms", LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD = "1" }
        for name, value in pairs(spec.env or {}) do env[name] = value end
        spec.env = env
        return spec
    end
    local function liveness(...)
        local spec = { table.unpack(LIVENESS) }
        for _, word in ipairs { ... } do spec[#spec + 1] = word end
        return compose(spec)
    end
    --- A scenario whose one workload does this to `ctx`.
    local function script(code, shape)
        return support.write("script.lua", 'tfl.script("by_hand", {nodes = 3, topology = function(t) t:' .. (shape or "full")
            .. '() end}, function(ctx)\n'
            .. code .. "\nend)")
    end

    it("passes as on the host, in containers without rights, and takes away all it made", function()
        local run = support.start(liveness("-t", "12s", "--keep", "--json"))
        run:wait_output("liveness: run", 60)
        local names = {}
        for name in containers('{{.Label "tfl.node"}}'):gmatch "%S+" do names[#names + 1] = name end
        table.sort(names)
        assert.same({ "node-0", "node-1", "node-2" }, names)
        local format = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.SecurityOpt}} {{.HostConfig.Memory}} "
            .. "{{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.Privileged}} "
            .. "{{range .NetworkSettings.Ports}}{{(index . 0).HostIp}}{{end}}"
        for id in containers("{{.ID}}"):gmatch "%S+" do
            assert.equal("true [ALL] [no-new-privileges:true] 1073741824 1073741824 512 false 127.0.0.1",
                docker.run(("inspect -f %s %s"):format(support.quote(format), id)))
        end
        local result = run:wait(120)
        assert.equal(0, result.code, result.text)
        assert.equal("compose", result.summary.deployer)
        assert.equal("", left())
        for i = 0, 2 do
            assert.truthy(support.read(("%s/logs/logos-blockchain-node-%d.log"):format(support.run_folder(), i)):find "listens for peers")
        end
    end)

    it("leaves nothing when tfl is killed, neither in its run nor while the containers come up", function()
        for _, moment in ipairs { "liveness: run", "liveness: deploy" } do
            local run = support.start(liveness("-t", "60s"))
            run:wait_output(moment, 60)
            if moment:find "deploy" then support.eventually(function() return left() ~= "" end, 30, "anything made") end
            assert.not_equal("", left())
            run:signal "KILL"
            run:wait()
            support.eventually(function() return left() == "" end, 10, function() return "nothing left; there is:\n" .. left() end)
        end
    end)

    it("gives up on containers that are not ready in time", function()
        local spec = liveness("-t", "12s")
        spec.env.COMPOSE_RUNNER_HTTP_TIMEOUT_SECS = "0.001"
        local result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("not_ready", result.text, 1, true)
        assert.matches("within 0.001s", result.text, 1, true)
        assert.equal("", left())
    end)

    it("cuts links and heals them", function()
        local result = support.run(compose { timeout = 120, "-d", "compose", script [[
            ctx:wait_for_height(2)
            local cut = ctx:isolate(2)
            local function peers(i) return ctx:node(i):client():network_info().n_peers end
            ctx:eventually(function() return peers(2) == 0 and peers(0) == 1 and peers(1) == 1 end)
            local counts = cut:heal()
            assert(counts.withheld > 0)
            ctx:eventually(function() return peers(2) == 2 end)
        ]] })
        assert.equal(0, result.code, result.text)
        assert.equal("", left())
    end)

    it("fails the run when a container ends unasked, with the end of its log", function()
        local run = support.start(liveness("-t", "60s", "--json"))
        run:wait_output("liveness: run", 60)
        docker.run("kill " .. containers("{{.Names}}"):match "%S*node%-1%S*")
        local result = run:wait(60)
        assert.equal(1, result.code, result.text)
        assert.equal("node_exited", result.summary.error.code)
        assert.matches("node-1 ended by itself (killed by SIGKILL) during the run; its log ends:", result.summary.error.message, 1, true)
        assert.matches("INFO", result.summary.error.message, 1, true)
        assert.equal("", left())
    end)

    it("does all verbs to nodes, starts others later, and copies data", function()
        local result = support.run(compose { timeout = 120, "-d", "compose", script [[
            local node = ctx:node(1)
            local function up() return node:client():consensus_info().height end
            ctx:wait_for_height(2)
            node:stop()
            node:start() node:wait_ready{within = "20s"}
            node:pause()
            assert(not tfl.try(function() return node:client():consensus_info({timeout = "300ms"}) end))
            node:resume() up()
            node:pause() node:kill()
            local copy = ctx:node(1):snapshot("copy")
            node:restart{wipe = true} node:wait_ready{within = "20s"}
            node:restart{args = {"--test", "drop_every=1000"}} node:wait_ready{within = "20s"}
            local late = ctx:start_node("late", {peers = {0, 1}, snapshot = copy})
            late:wait_ready{within = "20s"}
            assert(late:client():network_info().n_peers >= 2)
            assert(#ctx:descriptors() == 4)
            local command = ctx:descriptors()[2].command
            command[#command + 1] = "--version"
            assert(tfl.exec(command).stdout:find "tfl%-node")
            local ok, err = tfl.try(function() node:start() end)
            assert(not ok and err.code == "wrong_state", tostring(err))
        ]] })
        assert.equal(0, result.code, result.text)
        assert.equal("", left())
    end)

    it("ends as infra, and does not hang, when the engine goes away in mid-run", function()
        local socket = support.path "engine.sock"
        local function engine()
            local between = support.start {
                program = "python3", support.root .. "/spec/support/pipe.py", socket, "/var/run/docker.sock",
            }
            support.eventually(function() return os.rename(socket, socket) end)
            return between
        end
        local between = engine()
        local spec = liveness("-t", "60s", "--json")
        spec.env.DOCKER_HOST = "unix://" .. socket
        local run = support.start(spec)
        run:wait_output("liveness: run", 60)
        between:signal "KILL"
        local result = run:wait(60)
        assert.equal(3, result.code, result.text)
        assert.matches("the Docker engine at unix://" .. socket .. " went away during the run", result.summary.error.message, 1, true)
        assert.not_equal("", left()) -- nobody could take it away
        local clean = support.run { "clean", env = { DOCKER_HOST = "unix://" .. socket } }
        assert.equal(3, clean.code, clean.text)
        clean = support.run { "clean" } -- it is at another address now
        assert.equal(0, clean.code, clean.text)
        assert.equal("", left())
    end)

    it("makes a missing image, with a word, and never pulls one", function()
        local spec = liveness("-t", "12s")
        spec.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE, spec.env.LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD = image() .. "-made", nil
        spec.env.LOGOS_BLOCKCHAIN_BINARIES_TAR, spec.timeout = bundle(), 240 -- others may be making one
        local made = support.run(spec)
        support.sh("docker image rm -f " .. image() .. "-made")
        assert.equal(0, made.code, made.text)
        assert.matches("compose: there is no image " .. image() .. "-made here: making it", made.err, 1, true)
        assert.falsy(made.err:find("anew", 1, true), made.err)
        spec = liveness("-t", "12s")
        spec.env.LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD, spec.env.LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD = "false", "yes"
        spec.env.LOGOS_BLOCKCHAIN_BINARIES_TAR = support.write("bad.tar.gz", "no")
        made = support.run(spec)
        assert.equal(3, made.code, made.text)
        assert.matches("compose: making the image " .. image() .. " anew", made.err, 1, true)
        assert.matches("bad.tar.gz: it cannot be unpacked", made.text, 1, true)
        spec = liveness("-t", "12s")
        spec.env.LOGOS_BLOCKCHAIN_TESTNET_IMAGE = "tfl-spec-none:1"
        local result = support.run(spec)
        assert.equal(3, result.code, result.text)
        local message = "there is no image tfl-spec-none:1 here, and LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD forbids to make it"
        assert.matches(message, result.text, 1, true)
    end)

    it("removes an image that was made anew while containers used it, with the last of them", function()
        local name = image() .. "-old"
        local function make(file)
            support.sh(("tar -c -C / %s | docker import -c 'LABEL tfl.inputs=spec' - %s"):format(file, name))
            return docker.run("image inspect -f '{{.Id}}' " .. name)
        end
        local id = make "etc/hostname"
        docker.run(("create --label tfl.run=spec-anew %s x"):format(name))
        assert.not_equal(id, make "etc/passwd")
        docker.run("image rm " .. name)
        docker.run("image inspect " .. id)
        assert.equal(0, support.run({ "clean", "--containers", "spec-anew" }).code)
        docker.run("image inspect " .. id, 1)
    end)

    it("says so when somebody has taken the port of a node that was down", function()
        local go = support.path "go"
        local run = support.start(compose { "-d", "compose", script(([[
            local node = ctx:node(1)
            node:stop()
            print("port " .. node:client():base_url():match ":(%%d+)$")
            ctx:eventually(function() return io.open(%q) end)
            local ok, err = tfl.try(function() node:start() end)
            print("start " .. tostring(ok) .. " " .. tostring(err))
            ctx:node(0):client():consensus_info()
        ]]):format(go)) })
        local port = run:wait_output("port (%d+)", 60)
        support.start { program = "python3", "-c", ([[
import socket, time
s = socket.create_server(("127.0.0.1", %s))
print("held", flush=True)
time.sleep(600)]]):format(port) }:wait_output "held"
        support.write("go", "")
        local result = run:wait(60)
        assert.equal(0, result.code, result.text)
        assert.matches("start false Docker: POST /containers/", result.text, 1, true)
        assert.matches("address already in use", result.text, 1, true)
        assert.equal("", left())
    end)

    it("shows what the compose tool says when it fails", function()
        local spec = liveness("-t", "12s")
        spec.env.COMPOSE_RUNNER_HOST = "203.0.113.7" -- no address of this host
        local result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("up ended with exit code 1; its output ends:", result.text, 1, true)
        assert.matches("COMPOSE_RUNNER_HOST=203.0.113.7 is no address of this host", result.text, 1, true)
        assert.matches("cannot assign requested address", result.text, 1, true)
        assert.equal("", left())
    end)

    it("drives a stack that is up, and leaves it up", function()
        local spec = liveness("-t", "12s")
        spec.env.COMPOSE_RUNNER_PRESERVE = "1"
        local result = support.run(spec)
        local project = result.err:match "%-%-attach (%S+)"
        assert.truthy(project, result.text)
        local ids = containers "{{.ID}}"
        -- not the middle of the star: without it the others would part for good, if it took long to come back
        docker.run("kill " .. containers("{{.Names}}"):match "%S*node%-2%S*")
        result = support.run(compose { "-d", "compose", "--attach", project, "-t", "50s", script([[
            local height = ctx:node(0):client():consensus_info().height
            assert(height > 10, "it is the chain that was there")
            ctx:node(1):kill()
            ctx:node(2):restart() ctx:node(2):wait_ready{within = "20s"}
            ctx:node(1):start() ctx:node(1):wait_ready{within = "20s"}
            ctx:wait_for_height(height + 3)
            local ok, err = tfl.try(function() ctx:start_node("more", {peers = {0}}) end)
            assert(not ok and tostring(err):find "has the nodes it has", tostring(err))
        ]], "network_star") })
        assert.equal(0, result.code, result.text)
        assert.matches("node-2 was exited (137), started again", result.err, 1, true)
        assert.equal(ids, containers "{{.ID}}")
        result = support.run(compose { "-d", "compose", "--attach", project, "-t", "12s", script "ctx:node(0)" })
        assert.equal(2, result.code, result.text)
        assert.matches("there node-2 dials nodes {0}, in this scenario {0, 1}", result.text, 1, true)
        result = support.run(compose { "scenarios/transactions.lua", "-d", "compose", "--attach", project, "-t", "12s" })
        assert.equal(2, result.code, result.text)
        assert.matches("node-0 has another deployment.yaml", result.text, 1, true)
        assert.equal(2, support.run(compose { "scenarios/liveness.lua", "-d", "compose", "--attach", project, "-n", "4" }).code)
        local file = support.write("long.lua", 'tfl.script("long", {nodes = 3}, function(ctx) ctx:log "drives" ctx:sleep "60s" end)')
        local run = support.start(compose { "-d", "compose", "--attach", project, file, "-t", "50s" })
        run:wait_output("drives", 60)
        result = support.run { "clean" }
        assert.equal(0, result.code, result.text)
        assert.matches("nothing to clean", result.out)
        result = support.run(compose { "-d", "compose", "--attach", project, file })
        assert.equal(2, result.code, result.text)
        assert.matches("another tfl drives it", result.text, 1, true)
        run:signal "KILL"
        run:wait()
        assert.equal(ids, containers "{{.ID}}")
        local folder = support.quote(support.dir() .. "/state/tfl/attached")
        support.eventually(function() return support.sh("ls " .. folder .. " 2>/dev/null") == "" end, 10, "the lock's file to be gone")
        assert.equal(0, support.run({ "clean" }).code)
        assert.equal("", left())
    end)

    for _, name in ipairs { "COMPOSE_RUNNER_PRESERVE", "TESTNET_RUNNER_PRESERVE" } do
        it("leaves the stack when asked to by " .. name .. ", until it is cleaned", function()
            local spec = liveness("-t", "12s")
            spec.env[name], spec.env.TESTNET_PRINT_ENDPOINTS = "1", "1"
            spec.env.LOGOS_BLOCKCHAIN_CFGSYNC_PORT = "4400"
            local result = support.run(spec)
            assert.equal(0, result.code, result.text)
            assert.matches("LOGOS_BLOCKCHAIN_CFGSYNC_PORT is set and means nothing here", result.err, 1, true)
            local line = "TESTNET_ENDPOINTS prometheus=%- grafana=%- node%-0=http://127%.0%.0%.1:(%d+) node%-1=%S+ node%-2=%S+\n"
            local url = result.out:match(line)
            assert.truthy(url, result.text)
            assert.truthy(support.http(tonumber(url), "/cryptarchia/info"))
            assert.truthy(result.err:find "the stack stays: %-d compose %-%-attach %S+ drives it, `tfl clean` removes it", result.text)
            local clean = support.run { "clean" }
            assert.matches(": 4 containers, networks and volumes removed", clean.out, 1, true)
            assert.equal("", left())
        end)
    end
end)

describe("-d compose without an engine", function()
    it("says what to do", function()
        local spec = { table.unpack(LIVENESS) }
        spec.env = { DOCKER_HOST = "unix:///nowhere/docker.sock" }
        local result = support.run(spec)
        assert.equal(3, result.code, result.text)
        assert.matches("the Docker engine at unix:///nowhere/docker.sock cannot be reached", result.text, 1, true)
    end)

    it("says what is wrong in cfgsync.yaml", function()
        local function read(text)
            local path = support.write("cfgsync.yaml", text)
            return in_run([[ return require("tfl.deployers.compose.settings").cluster(...) ]], path)
        end
        local said = read "security_param: 12\nactive_slot_coeff: 0.25\ntracing_settings: {logger: !File {directory: /node/logs}}\n"
        assert.same({ 12, 0.25, "INFO", "!File", "/node/logs" },
            { said.security_param, said.active_slot_coeff, said.level, said.logger.tag, said.logger.value.directory })
        for text, message in pairs {
            ["security_param: none"] = 'security_param: a whole number from 1 was expected, got "none"',
            ["active_slot_coeff: 2"] = "active_slot_coeff: a number above 0, at most 1 was expected, got 2",
            ["port: 4400"] = "there is no setting port; there are: security_param active_slot_coeff tracing_settings",
            ["tracing_settings: {level: LOUD}"] = "tracing_settings.level: ERROR, WARN, INFO, DEBUG or TRACE was expected",
            ["tracing_settings: {logger: !File {directory: /var/log}}"] = "logger: !Stdout, or !File {directory: /node/…} was expected",
            ["a: [1"] = "cfgsync.yaml: ",
        } do
            said = read(text)
            assert.equal("bad_config", said.code, text)
            assert.matches(message, said.error, 1, true)
        end
    end)

    it("attaches only where there can be a stack", function()
        local result = support.run { "scenarios/liveness.lua", "--attach", "x" }
        assert.equal(2, result.code, result.text)
        assert.matches("--attach x: that is for -d compose and -d k8s", result.text, 1, true)
    end)

    it("refuses settings that make no sense", function()
        for name, value in pairs { COMPOSE_RUNNER_HOST = "nowhere", COMPOSE_RUNNER_HTTP_TIMEOUT_SECS = "99999999999999999999",
            LOGOS_BLOCKCHAIN_TESTNET_IMAGE = "UPPER:x y", COMPOSE_RUNNER_HOST_GATEWAY = "1.2.3", DOCKER_HOST = "ssh://host" } do
            local spec = { table.unpack(LIVENESS) }
            spec.env = { [name] = value }
            local result = support.run(spec)
            assert.equal(2, result.code, result.text)
            assert.matches(name .. "=" .. value, result.text, 1, true)
        end
    end)
end)
