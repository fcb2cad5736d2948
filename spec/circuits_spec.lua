-- scripts/setup/setup-logos-blockchain-circuits.sh against a server on loopback.
local lfs = require "lfs"
local support = require "spec.support"
support.guard()

local quote = support.quote
local script = support.root .. "/scripts/setup/setup-logos-blockchain-circuits.sh"
local archive, port, server

--- Puts a release on the server: an archive with one file of that text and one of 300 kB that does not compress.
local function release(version, text)
    local name = ("logos-blockchain-circuits-%s-linux-%s"):format(version, support.sh "uname -m":match "%S+")
    local at = support.path("www/" .. version)
    local out, code = support.sh(([[mkdir -p %s/NAME && cd %s && printf %s >NAME/VERSION && head -c 300000 /dev/urandom >NAME/key
tar -czf NAME.tar.gz NAME && sha256sum NAME.tar.gz >NAME.tar.gz.sha256 && rm -r NAME]])
        :gsub("NAME", name):format(quote(at), quote(at), quote(text)))
    assert(code == 0, out)
    archive = at .. "/" .. name .. ".tar.gz"
end

local function mode(word) support.write("www/mode", word) end
local function requests()
    local text = support.read(support.path "www/requests") or ""
    os.remove(support.path "www/requests")
    return text
end

local function setup(version, env)
    env = env or {}
    env.LOGOS_BLOCKCHAIN_CIRCUITS_URL = env.LOGOS_BLOCKCHAIN_CIRCUITS_URL or "http://127.0.0.1:" .. port
    return support.run { version, support.path "into/circuits", program = script, env = env }
end

--- All that lies where the circuits go: its names, sorted.
local function beside()
    local names = {}
    for name in lfs.dir(support.path "into") do names[#names + 1] = not name:find "^%.%.?$" and name or nil end
    table.sort(names)
    return table.concat(names, " ")
end

local function version_there() return support.read(support.path "into/circuits/VERSION") end

local function fails(result, code, ...)
    assert.equal(code, result.code, result.text)
    for _, text in ipairs { ... } do assert.truthy(result.err:find(text, 1, true), result.text) end
    assert.equal("", result.out)
end

before_each(function()
    mode "well"
    release("v0.3.1", "first")
    server = support.start { support.root .. "/spec/support/range_server.py", support.path "www", program = "/usr/bin/python3" }
    port = server:wait_output "port (%d+)"
    support.sh("mkdir -p " .. quote(support.path "into"))
end)
after_each(function() server:signal("KILL") end)

it("fetches a version once, and replaces it by another", function()
    local result = setup "v0.3.1"
    assert.equal(0, result.code, result.text)
    assert.equal(support.path "into/circuits" .. "\n", result.out)
    assert.equal("first", version_there())
    assert.equal("circuits", beside())
    requests()
    result = setup "v0.3.1"
    assert.truthy(result.code == 0 and result.err:find("is there already", 1, true), result.text)
    assert.equal("", requests())
    release("v0.4.2", "second")
    assert.equal(0, setup("v0.4.2").code)
    assert.equal("second", version_there())
    assert.equal("circuits", beside())
end)

it("goes on with what it has after a break", function()
    mode "cut"
    fails(setup "v0.3.1", 3, "could not be fetched", "Run this again to go on")
    local part = "circuits." .. archive:match "[^/]*$" .. ".part"
    assert.equal(part, beside())
    local size = lfs.attributes(support.path("into/" .. part), "size")
    assert.truthy(size > 0 and size < lfs.attributes(archive, "size"))
    requests()
    mode "well"
    local result = setup "v0.3.1"
    assert.equal(0, result.code, result.text)
    assert.truthy(requests():find(("tar.gz bytes=%d-\n"):format(size), 1, true))
    assert.equal("first", version_there())
    assert.equal("circuits", beside())
end)

it("begins again where the server cannot go on", function()
    for _, kind in ipairs { "whole", "too long" } do
        local part = support.path("into/circuits." .. archive:match "[^/]*$" .. ".part")
        support.write(part, (support.read(archive) .. "and more"):sub(1, kind == "whole" and 5000 or -1))
        mode(kind)
        local result = setup "v0.3.1"
        assert.equal(0, result.code, result.text)
        assert.equal("circuits", beside())
        support.sh("rm -r " .. quote(support.path "into/circuits"))
    end
end)

it("refuses what is not what it should be, and leaves the old ones", function()
    assert.equal(0, setup("v0.3.1").code)
    release("v0.4.2", "second")
    local whole = support.read(archive)
    support.write(archive, whole .. "x")
    fails(setup "v0.4.2", 3, "has the checksum ", " was expected", "is as it was")
    assert.equal("first", version_there())
    assert.equal("circuits", beside())
    fails(setup("v0.4.2", { LOGOS_BLOCKCHAIN_CIRCUITS_SHA256 = "12" }), 3, "is to be 64 hex digits, and is: 12")
    support.write(archive, whole:sub(1, #whole // 2))
    fails(setup("v0.4.2", { LOGOS_BLOCKCHAIN_CIRCUITS_SHA256 = "none" }), 3, "cannot be unpacked (gzip: stdin: unexpected end of file)")
    support.write(archive, whole)
    os.remove(archive .. ".sha256")
    fails(setup "v0.4.2", 3, "there is no checksum", "404", 'LOGOS_BLOCKCHAIN_CIRCUITS_SHA256 gives it; "none"')
    assert.equal("first", version_there())
    assert.equal("circuits", beside())
    local sum = support.sh("sha256sum <" .. quote(archive)):match "%x+"
    assert.equal(0, setup("v0.4.2", { LOGOS_BLOCKCHAIN_CIRCUITS_SHA256 = sum }).code)
    assert.equal("second", version_there())
end)

it("takes no folder that it did not make", function()
    support.write("into/circuits/mine", "precious")
    fails(setup "v0.3.1", 2, "was not made by this script")
    assert.equal("precious", support.read(support.path "into/circuits/mine"))
    fails(setup "-h", 2, "usage: ")
    fails(setup "../v1", 2, "VERSION ../v1: ")
end)

it("says that nobody answers", function()
    fails(setup("v0.3.1", { LOGOS_BLOCKCHAIN_CIRCUITS_URL = "http://127.0.0.1:1" }), 3, "there is no checksum", "Failed to connect")
    fails(setup("v0.3.1", { LOGOS_BLOCKCHAIN_CIRCUITS_URL = "http://127.0.0.1:1", LOGOS_BLOCKCHAIN_CIRCUITS_SHA256 = "none" }), 3,
        "could not be fetched: curl: (7)", "says another place")
    assert.equal("", beside())
end)

it("puts right what one that was killed has left", function()
    assert.equal(0, setup("v0.3.1").code)
    support.sh(("cd %s && mv circuits circuits.old-77 && mkdir circuits.new-abcdef"):format(quote(support.path "into")))
    local result = setup "v0.3.1"
    assert.truthy(result.code == 0 and result.err:find("is there already", 1, true), result.text)
    assert.equal("circuits", beside())
end)
