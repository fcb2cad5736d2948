-- scripts/build/build-bundle.sh with the programs beside the tfl under test, and nodes that run from what it makes.
local bundles = require "spec.support.bundles"
local lfs = require "lfs"
local nodes = require "spec.support.nodes"
local support = require "spec.support"
support.guard()
local bundle, small = bundles.shared(), bundles.shared "small"

local quote = support.quote

describe("build-bundle.sh", function()
    it("gives the same bytes for the same programs, and says where they are", function()
        local result = bundles.build { "--platform", "linux", "--output", support.path "again.tar.gz" }
        assert.equal(0, result.code, result.text)
        assert.equal(support.path "again.tar.gz" .. "\n", result.out)
        assert.equal("", (support.sh(("cmp %s %s"):format(quote(bundle()), quote(support.path "again.tar.gz")))))
        assert.equal("", (support.sh(("find %s -name 'again.tar.gz.*'"):format(quote(support.dir())))))
    end)

    it("holds all that its programs need, with checksums", function()
        local folder = bundles.unpack(bundle())
        assert.truthy(support.read(folder .. "/VERSION"):find "^version=[%d.]+\nplatform=linux\narch=%S+\n$")
        local out, code = support.sh(("cd %s && sha256sum --quiet -c SHA256SUMS && find . -type f | wc -l"):format(quote(folder)))
        assert.equal(0, code, out)
        local _, lines = support.read(folder .. "/SHA256SUMS"):gsub("\n", "")
        assert.equal(lines + 1, tonumber(out))
        local mapped = support.sh(("d=%s; $d/lib/ld*.so.* --library-path $d/lib --list $d/bin/tfl-node"):format(quote(folder)))
        assert.truthy(mapped:find("libc.so.6 => " .. folder .. "/lib/libc.so.6", 1, true), mapped)
        for path in mapped:gmatch "=> (%S+)" do assert.equal(folder .. "/lib/", path:match "^.*/", mapped) end
        for _, program in ipairs { "tfl-node", "run_nomos_node.sh" } do
            assert.truthy(support.sh(("cd / && %s --version"):format(quote(folder .. "/" .. program))):find "^tfl%-node %d")
        end
        assert.truthy(support.sh(("cd / && %s --version"):format(quote(folder .. "/tfl-relay"))):find "^tfl%-relay %d")
        assert.equal("", (support.sh(("find %s/lib -name 'libcurl*' -o -name 'liblua*'"):format(quote(folder)))))
    end)

    it("leaves the libraries of this system out for this host", function()
        local result = bundles.build { "--platform", "host", "--output", support.path "host.tar.gz" }
        assert.equal(0, result.code, result.text)
        local folder = bundles.unpack(support.path "host.tar.gz")
        assert.is_nil(lfs.attributes(folder .. "/lib"))
        assert.truthy(support.sh(quote(folder .. "/tfl-node") .. " --version"):find "^tfl%-node %d")
    end)

    it("takes the real node along, also one that is linked statically", function()
        local dir = support.dir()
        local _, compiled = support.sh(("cd %s && echo 'int main(int n, char **v) { return n + v[1][0]; }' >x.c && cc -o tfl-node x.c "
            .. "&& cc -static -o static x.c"):format(quote(dir)))
        assert.equal(0, compiled)
        for _, program in ipairs { dir .. "/tfl-node", dir .. "/static" } do
            local result = bundles.build {
                "--platform", "linux", "--output", dir .. "/both.tar.gz", from = dir, env = { LOGOS_BLOCKCHAIN_NODE_BIN = program },
            }
            assert.equal(0, result.code, result.text)
            support.sh("rm -rf " .. quote(dir .. "/unpacked"))
            local _, code = support.sh(quote(bundles.unpack(dir .. "/both.tar.gz") .. "/logos-blockchain-node") .. " A")
            assert.equal(67, code)
        end
    end)

    it("names programs that it cannot take, and leaves the bundle that was there", function()
        local dir, output = support.dir(), support.write("old.tar.gz", "old")
        local script = support.write("script", "#!/bin/sh\n")
        local machine = support.write("machine", (support.read(nodes.tfl_node()):gsub("^(" .. ("."):rep(18) .. ").", "%1\4", 1)))
        support.sh(("cd %s && chmod +x script machine && echo 'int f(void){return 0;}' >f.c && cc -shared -o libgone.so f.c && "
            .. "echo 'int f(void);int main(void){return f();}' >m.c && cc -o lacks m.c -L. -lgone && rm libgone.so"):format(quote(dir)))
        for program, message in pairs {
            ["/nothing"] = "/nothing is no program that can be read and run",
            [script] = script .. " is no ELF program, so its libraries are not known",
            [machine] = machine .. " is for another architecture than this machine's",
            [dir .. "/lacks"] = "needs libraries that are not on this system: libgone.so\n",
        } do
            local result = bundles.build {
                "--platform", "linux", "--output", output, env = { LOGOS_BLOCKCHAIN_NODE_BIN = program },
            }
            assert.equal(2, result.code, result.text)
            assert.truthy(result.err:find("logos-blockchain-node: ", 1, true) and result.err:find(message, 1, true), result.text)
        end
        local result = bundles.build { "--platform", "linux", "--output", output, from = dir }
        assert.truthy(result.code == 2 and result.err:find("tfl-node: " .. dir .. "/tfl-node is no program", 1, true), result.text)
        assert.equal(2, bundles.build { "--platform", "mac", "--output", output }.code)
        assert.equal("old", support.read(output))
    end)
end)

describe("tfl with LOGOS_BLOCKCHAIN_BINARIES_TAR", function()
    -- tells the command line of a process that lives in the folder of node-0
    local QUICK = [[
        tfl.script("quick", {nodes = 2, topology = function(t) t:slot_duration "100ms" end}, function(ctx)
            ctx:node(0):client():consensus_info()
            local found = tfl.exec{"sh", "-c", 'for p in /proc/[0-9]*; do case "$(readlink $p/cwd)" in FOLDER/*/node-0) '
                .. 'tr "\\0" " " <$p/cmdline ;; esac; done'}
            ctx:log("program %s", found.stdout)
        end)]]
    local function quick() return support.write("quick.lua", (QUICK:gsub("FOLDER", support.dir()))) end

    local function run(file, env)
        env = env or {}
        env.LOGOS_BLOCKCHAIN_BINARIES_TAR = file
        return support.run { quick(), env = env }
    end
    --- What is in the folder of unpacked bundles.
    local function unpacked()
        local folder, names = support.dir() .. "/state/tfl/bundles", {}
        if lfs.attributes(folder) then
            for name in lfs.dir(folder) do names[#names + 1] = not name:find "^%.%.?$" and folder .. "/" .. name or nil end
        end
        return names
    end

    it("runs the node of the bundle with the bundle's libraries, and unpacks it once", function()
        local result = run(bundle())
        assert.equal(0, result.code, result.text)
        local folders = unpacked()
        assert.equal(1, #folders)
        assert.equal(support.sh("sha256sum <" .. quote(bundle())):match "%x+", folders[1]:match "[^/]*$")
        local shown = "program " .. folders[1] .. "/lib/ld"
        assert.truthy(result.text:find(shown, 1, true), result.text)
        assert.truthy(result.out:find("LOGOS_BLOCKCHAIN_BINARIES_TAR=", 1, true), "the line that runs it again names it")
        local before = lfs.attributes(folders[1] .. "/VERSION", "change")
        result = run(bundle())
        assert.truthy(result.code == 0 and result.text:find(shown, 1, true), result.text)
        assert.same(folders, unpacked())
        assert.equal(before, lfs.attributes(folders[1] .. "/VERSION", "change"))
    end)

    it("lets TFL_NODE_BIN win", function()
        local result = run(bundle(), { TFL_NODE_BIN = nodes.tfl_node() })
        assert.equal(0, result.code, result.text)
        assert.truthy(result.text:find("program " .. nodes.tfl_node(), 1, true), result.text)
        assert.same({}, unpacked())
    end)

    it("unpacks once when two start at the same time", function()
        local file, handles = quick(), {}
        for i = 1, 2 do handles[i] = support.start { file, env = { LOGOS_BLOCKCHAIN_BINARIES_TAR = bundle() } } end
        for i = 1, 2 do
            local result = handles[i]:wait(30)
            assert.equal(0, result.code, result.text)
        end
        assert.equal(1, #unpacked())
    end)

    it("names a file that it cannot use, keeps nothing of it, and says so before a run where it can", function()
        local text = support.read(small())
        local tampered = bundles.changed(small(), "echo >>run_nomos_node.sh")
        local foreign = support.path "foreign.tar.gz"
        support.sh(("mv %s %s"):format(quote(tampered), quote(support.path "tampered.tar.gz")))
        support.sh(("mv %s %s"):format(quote(bundles.changed(small(), "sed -i s/^arch=.*/arch=vax/ VERSION")), quote(foreign)))
        for _, case in ipairs {
            { "/nothing.tar.gz", "there is no such file; scripts/build/build-bundle.sh" },
            { support.dir(), "it is no file" },
            { support.write("half.tar.gz", text:sub(1, #text // 2)), "it is truncated or no bundle (gzip: stdin: unexpected end of file)" },
            { support.write("text.tar.gz", "hello"), "it is truncated or no bundle (gzip: stdin: not in gzip format)" },
            { support.path "tampered.tar.gz", "its files are not those it was made of (run_nomos_node.sh: FAILED)" },
            { foreign, "it is for vax, and this machine is " },
        } do
            local result = run(case[1])
            assert.equal(2, result.code, result.text)
            assert.truthy(result.text:find("LOGOS_BLOCKCHAIN_BINARIES_TAR=" .. case[1] .. ": ", 1, true), result.text)
            assert.truthy(result.text:find(case[2], 1, true), result.text)
            assert.same({}, unpacked())
        end
        local doctor = support.run { "doctor", env = { LOGOS_BLOCKCHAIN_BINARIES_TAR = support.path "half.tar.gz" } }
        assert.truthy(doctor.code ~= 0 and doctor.out:find("it is truncated or no bundle", 1, true), doctor.text)
        local check = support.run { "check", "scenarios/liveness.lua", env = { LOGOS_BLOCKCHAIN_BINARIES_TAR = "/nothing.tar.gz" } }
        assert.truthy(check.code == 2 and check.err:find("no such file", 1, true), check.text)
    end)

    it("does not run what was changed after it was unpacked", function()
        assert.equal(0, run(bundle()).code)
        local folder = unpacked()[1]
        support.write(folder .. "/bin/tfl-node", "#!/bin/sh\n")
        local result = run(bundle())
        assert.equal(3, result.code, result.text)
        assert.truthy(result.text:find(folder .. ": what was unpacked from", 1, true)
            and result.text:find("(bin/tfl-node: FAILED); remove that folder", 1, true), result.text)
        support.sh("rm -r " .. quote(folder))
        result = support.run { "doctor", env = { LOGOS_BLOCKCHAIN_BINARIES_TAR = bundle() } }
        assert.truthy(result.code == 0 and result.out:find(folder .. "/tfl-node\n", 1, true), result.text)
    end)

    it("leaves nothing half unpacked when it is killed", function()
        local tar = support.write("bin/tar", "#!/bin/sh\n: >" .. quote(support.path "begun") .. "\nexec sleep 60\n")
        support.sh("chmod +x " .. quote(tar))
        local handle = support.start {
            quick(),
            env = { LOGOS_BLOCKCHAIN_BINARIES_TAR = small(), PATH = support.path "bin" .. ":" .. os.getenv "PATH" },
        }
        support.eventually(function() return support.read(support.path "begun") end, 20)
        assert.equal(1, #unpacked())
        handle:signal "KILL"
        handle:wait(30)
        support.eventually(function() return #unpacked() == 0 end, 20, "an empty folder of bundles")
    end)

    it("says that the disk is full", function()
        local mount = support.dir() .. "/state"
        local _, mounted = support.sh(("mount -t tmpfs -o size=4m tmpfs %s"):format(quote(mount)))
        assert.equal(0, mounted, "this test mounts a small tmpfs, which needs root")
        local ok, err = pcall(function()
            local result = run(bundle())
            assert.equal(3, result.code, result.text)
            assert.truthy(result.text:find("no space is left to unpack " .. bundle(), 1, true), result.text)
            assert.same({}, unpacked())
        end)
        support.sh("umount " .. quote(mount))
        assert(ok, err)
    end)
end)
