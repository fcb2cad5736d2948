-- scripts/build/build_test_image.sh against a real engine, and its errors.
local bundles = require "spec.support.bundles"
local docker = require "spec.support.docker"
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()
local bundle = bundles.shared "small"

local quote = support.quote
local script = support.root .. "/scripts/build/build_test_image.sh"

--- Runs the script for an image of that name.
local function build(image, spec)
    local command = { program = script, timeout = 240, env = { LOGOS_BLOCKCHAIN_TESTNET_IMAGE = image } }
    for key, value in pairs(spec or {}) do
        if key ~= "env" then command[key] = value end
    end
    for name, value in pairs(spec and spec.env or {}) do command.env[name] = value end
    return support.run(command)
end

local function refused(result, code, message)
    assert.equal(code, result.code, result.text)
    assert.truthy(result.err:find(message, 1, true), result.text)
    assert.equal("", result.out)
end

docker.describe("build_test_image.sh", function()
    local image, base

    before_each(function()
        local unique = support.dir():match "[^.]*$":lower()
        image, base = "tfl-spec-" .. unique .. ":1", "tfl-spec-base-" .. unique .. ":1"
    end)
    after_each(function()
        for _, name in ipairs { image, base } do support.sh("docker image rm -f " .. name) end
        support.eventually(function() -- somebody else's build may be under way
            return docker.run "image ls -q --filter dangling=true --filter label=tfl.inputs" == ""
        end, 60, "no image without a name")
    end)

    local function id_of(name) return docker.run("image inspect -f '{{.Id}}' " .. name) end
    --- What the node of an image says, in a container without any rights.
    local function said(name)
        return docker.run("run --rm --read-only --network none --cap-drop ALL --security-opt no-new-privileges "
            .. "-e ASAN_OPTIONS=detect_leaks=0 " .. name .. " --version")
    end

    it("makes an image from scratch that runs the node", function()
        local real = support.path "real.tar.gz"
        assert.equal(0, bundles.build({ "--platform", "linux", "--output", real }).code)
        assert.equal(0, build(image, { "--bundle", real }).code)
        assert.equal((support.sh(quote(nodes.tfl_node()) .. " --version"):gsub("\n", "")), said(image))
    end)

    it("leaves an image when nothing has changed, and builds anew when forced", function()
        local result = build(image, { "--bundle", bundle() })
        assert.equal(0, result.code, result.text)
        assert.equal(image .. "\n", result.out)
        assert.truthy(said(image):find "^tfl%-node %d")
        local id = id_of(image)
        result = build(image, { env = { LOGOS_BLOCKCHAIN_BINARIES_TAR = bundle() } })
        assert.truthy(result.code == 0 and result.err:find("up to date", 1, true), result.text)
        assert.equal(id, id_of(image))
        result = build(image, { "--bundle", bundle(), env = { LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD = "1" } })
        assert.equal(0, result.code, result.text)
        assert.not_equal(id, id_of(image))
        docker.run("image inspect " .. id, 1)
    end)

    it("uses what is there when it is not to build, and says when there is nothing", function()
        local skip = { env = { LOGOS_BLOCKCHAIN_SKIP_IMAGE_BUILD = "1" } }
        refused(build(image, skip), 2, "there is no image " .. image .. " here")
        support.sh(("tar -c -C / etc/hostname | docker import - %s"):format(image))
        local id = id_of(image)
        assert.equal(image .. "\n", build(image, skip).out)
        assert.equal(id, id_of(image))
        skip.env.LOGOS_BLOCKCHAIN_FORCE_IMAGE_BUILD = "1"
        refused(build(image, skip), 2, "both set")
    end)

    it("puts circuits at /opt/circuits, and builds anew when they change", function()
        support.write("a folder/pol/key", "one")
        local circuits = support.path "a folder"
        local ran = { "--bundle", bundle(), "--circuits", circuits }
        assert.equal(0, build(image, ran).code)
        local function key()
            local container = docker.run("create " .. image)
            local text = docker.run(("cp %s:/opt/circuits/pol/key - | tar -xO"):format(container))
            docker.run("rm " .. container)
            return text
        end
        assert.equal("one", key())
        support.write("a folder/pol/key", "two")
        assert.equal(0, build(image, ran).code)
        assert.equal("two", key())
        refused(build(image, { "--bundle", bundle(), "--circuits", support.path "state" }), 2, "there is no file in that")
    end)

    it("lays the bundle over a base image that is here, and pulls none", function()
        refused(build(image, { "--bundle", bundle(), "--base", base }), 2, base .. ": there is no such image here, and none is pulled")
        local out, code = support.sh("cd / && tar -c -h bin/sh usr/bin/readlink "
            .. "$(ldd /bin/sh /usr/bin/readlink | grep -o '/[^ :]* (' | tr -d ' (' | sort -u) | docker import - " .. base)
        assert.equal(0, code, out)
        assert.equal(0, build(image, { "--bundle", bundle(), "--base", base }).code)
        assert.truthy(said(image):find "^tfl%-node %d")
        assert.equal("own shell", (docker.run(("run --rm --network none --entrypoint /bin/sh %s -c 'echo own shell'"):format(image))))
    end)

    it("leaves nothing of a build that failed half-way", function()
        local real = support.sh "command -v docker":match "%S+"
        local shim = support.write("bin/docker", ([[#!/bin/sh
[ "$1" = build ] || exec %s "$@"
cd %s && tar -x Dockerfile && tar -c Dockerfile | %s "$@"]]):format(real, quote(support.dir()), real)) -- without root/
        support.sh("chmod +x " .. quote(shim))
        local path = support.path "bin" .. ":" .. os.getenv "PATH"
        local result = build(image, { "--bundle", bundle(), env = { PATH = path } })
        refused(result, 3, image .. " could not be built (the output of docker build is above)")
        docker.run("image inspect " .. image, 1)
    end)

    it("names bundles that cannot become an image", function()
        local host = support.path "host.tar.gz"
        assert.equal(0, bundles.build { "--platform", "host", "--output", host }.code)
        local text = support.read(bundle())
        for file, message in pairs {
            ["/nothing.tar.gz"] = "there is no such bundle",
            [host] = "it is for host, without libraries",
            [support.write("half.tar.gz", text:sub(1, #text // 2))] =
                "it cannot be unpacked, so it is truncated or no bundle (gzip: stdin: unexpected end of file)",
            [bundles.changed(bundle(), "sed -i s/^arch=.*/arch=vax/ VERSION")] = "it is for vax, and the Docker engine is for ",
        } do
            refused(build(image, { "--bundle", file }), 2, file .. ": " .. message)
        end
    end)
end)

describe("build_test_image.sh without a usable engine", function()
    --- A docker that says something and fails, when its arguments begin with `what`.
    local function shim(what, text)
        local path = support.write("bin/docker", ([[#!/bin/sh
case "$*" in
%s*) cat >/dev/null; echo %s >&2; exit 1 ;;
version*) echo "${ARCH}" ;;
info*) echo /var/lib/docker ;;
*) exit 1 ;;
esac
]]):format(what, quote(text)))
        support.sh("chmod +x " .. quote(path))
        return { PATH = support.path "bin" .. ":" .. os.getenv "PATH", ARCH = support.sh "uname -m":match "%S+" }
    end

    it("says that there is no docker", function()
        support.sh(("mkdir %s && ln -s /bin/* %s && rm -f %s/docker"):format(quote(support.path "bin"), quote(support.path "bin"),
            quote(support.path "bin")))
        refused(build("x:1", { "--bundle", bundle(), env = { PATH = support.path "bin" } }), 3, "There is no docker here")
    end)

    it("says that no engine runs, and how to start one", function()
        refused(build("x:1", { "--bundle", bundle(), env = shim("version",
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?") }), 3,
            "No Docker engine answers at unix:///var/run/docker.sock. Start it: sudo systemctl start docker")
    end)

    it("says that this user may not use it", function()
        refused(build("x:1", { "--bundle", bundle(), env = shim("version", "Got permission denied while trying to connect to the "
            .. "Docker daemon socket at unix:///var/run/docker.sock: dial unix: connect: permission denied") }), 3, "may not use Docker")
    end)

    it("says that no space is left, and where", function()
        refused(build("x:1", { "--bundle", bundle(), env = shim("build",
            "Error processing tar file(exit status 1): write /lib/libc.so.6: no space left on device") }), 3,
            "no space is left where Docker keeps its images: /var/lib/docker")
    end)
end)
