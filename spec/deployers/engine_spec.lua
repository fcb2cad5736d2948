--- The client of the Docker Engine API, against a server that says what an engine may say: no Docker is needed.
local dkjson = require "dkjson"
local in_run = require "spec.support.in_run"
local support = require "spec.support"

support.guard()

local OK = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"

--- An engine at a socket of the test's own, which gives these answers. Gives its DOCKER_HOST.
local function engine(answers)
    local socket, file = support.path "engine.sock", support.write("answers.json", dkjson.encode(answers))
    os.remove(socket)
    local server = support.start { program = "python3", support.root .. "/spec/support/unix_http.py", socket, file }
    support.eventually(function() return os.rename(socket, socket) end)
    return "unix://" .. socket, server
end

local function run(code, host) return in_run('local engine = require("tfl.deployers.compose.engine").new(...) ' .. code, host) end

--- A frame of the log stream, and bytes cut into pieces of n.
local function frame(kind, text) return (">BxxxI4"):pack(kind, #text) .. text end
local function pieces(text, n)
    local list = { OK }
    for i = 1, #text, n do list[#list + 1] = text:sub(i, i + n - 1) end
    return list
end

describe("the Docker Engine API client", function()
    it("asks over a unix socket, and tells the engine's own words of what it refuses", function()
        local host = engine {
            ["GET /version"] = { OK .. '{"ApiVersion":"1.41","Version":"20.10.24"}' },
            ["POST /containers/c1/start"] = { 'HTTP/1.1 500 Error\r\nConnection: close\r\n\r\n{"message":"port is already allocated"}' },
            ["POST /containers/c2/start"] = { "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n" },
            ["POST /containers/c3/start"] = {
                'HTTP/1.1 500 Error\r\nConnection: close\r\n\r\n{"message":"write /x: no space left on device"}',
            },
            ["GET /images/a/b:1/json"] = { OK .. '{"Id":"sha256:1"}' },
            ["DELETE /containers/c1?force=true&v=true"] = { "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n{}" },
        }
        local said = run([[
            local out = { version = engine:version().ApiVersion, image = engine:image("a/b:1").Id, none = engine:image("a/b:2") == nil }
            for i = 1, 3 do
                local ok, err = pcall(engine.start, engine, "c" .. i)
                out[i .. ""] = ok or err.code .. ": " .. err.message
            end
            engine:remove("c1")
            return out
        ]], host)
        assert.same({
            version = "1.41", image = "sha256:1", none = true, ["2"] = true,
            ["1"] = "http_status: Docker: POST /containers/c1/start: port is already allocated (HTTP 500)",
            ["3"] = "disk_full: Docker: POST /containers/c3/start: write /x: no space left on device (HTTP 500)",
        }, said)
    end)

    it("takes apart log frames wherever they were cut", function()
        local text = frame(1, "one\n") .. frame(2, "") .. frame(2, "two\nthree\n") .. frame(1, ("x"):rep(300) .. "\n")
        for _, n in ipairs { 1, 7, 9, #text } do
            local host, server = engine { ["GET /containers/c/logs?follow=true&stderr=true&stdout=true"] = pieces(text, n) }
            local said = run([[
                local out = {}
                for text, which in engine:logs("c") do out[#out + 1] = which .. "=" .. text end
                return out
            ]], host)
            assert.same({ "stdout=one\n", "stderr=", "stderr=two\nthree\n", "stdout=" .. ("x"):rep(300) .. "\n" }, said)
            server:signal "KILL"
        end
    end)

    it("reads events as they come, and ends when the engine does or when it is closed", function()
        local host = engine {
            ["GET /events"] = pieces('{"Action":"start"}\n{"Action":"die","Actor":{"Attributes":{"exitCode":"3"}}}\n', 11),
            ["GET /events?filters=%7B%22label%22%3A%5B%22tfl.run%3Dopen%22%5D"] = { OK, '{"Action":"start"}\n', dkjson.null },
        }
        local said = run([[
            local out = {}
            for event in engine:events("tfl.run=x") do out[#out + 1] = event.Action end
            local next_event, close = engine:events("tfl.run=open")
            out[#out + 1] = next_event().Action
            close()
            out[#out + 1] = next_event() == nil
            return out
        ]], host)
        assert.same({ "start", "die", "start", true }, said)
    end)

    it("does not wait for ever for an engine that says nothing", function()
        local host = engine { ["GET /version"] = { dkjson.null } }
        local said = run([[
            local ok, err = pcall(engine.ask, engine, "GET", "/version", { timeout = 0.2 })
            return { err.code, err.message }
        ]], host)
        assert.equal("timeout", said[1])
        assert.matches("/engine.sock/version within 200ms", said[2], 1, true)
    end)

    it("is asked but one question by tfl doctor when it says nothing", function()
        local result = support.run { "doctor", env = { DOCKER_HOST = engine { ["GET /"] = { dkjson.null } } } }
        assert.matches("✗ engine .*/engine%.sock/version within 5s", result.out)
        assert.falsy(result.out:find("image", 1, true), result.out)
    end)

    it("tells why there is no engine to speak to, and what to do", function()
        local said = run("engine:version()", "unix:///nowhere/docker.sock")
        assert.equal("connect", said.code)
        assert.matches("the Docker engine at unix:///nowhere/docker.sock cannot be reached", said.error, 1, true)
        assert.matches("apt-get install docker.io", said.error, 1, true)
        local dead = support.path "dead.sock"
        support.sh(("python3 -c 'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' %s"):format(support.quote(dead)))
        said = run("engine:version()", "unix://" .. dead)
        assert.matches("connection refused); is it running", said.error, 1, true)
        for _, host in ipairs { "ssh://somewhere", "unix://relative", "tcp://127.0.0.1:1/x", "nonsense" } do
            said = run("", host)
            assert.equal("usage", said.code)
            assert.matches("DOCKER_HOST=" .. host .. ": unix:///PATH or tcp://IP:PORT was expected", said.error, 1, true)
        end
    end)
end)
