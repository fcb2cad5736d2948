-- scripts/run.sh and scripts/test.sh, on a small tree of their own. Package managers are shims that write down how they were called.
local support = require "spec.support"
local trees = require "spec.support.trees"
support.guard()

local quote = support.quote

local PROGRAM, tree, run = trees.PROGRAM, trees.make, trees.run

describe("scripts/run.sh", function()
    it("builds, passes the arguments on and keeps stdout for tfl", function()
        local dir = tree()
        local result = run(dir, { "a b", "--json", "it's", "" })
        assert.equal(7, result.code, result.text)
        assert.equal("[a b][--json][it's][]one\n", result.out, result.text)
        assert.truthy(result.err:find "configuring %(build/release%)", result.text)
    end)

    it("is quick and silent the second time, by a symbolic link too", function()
        local dir = tree()
        run(dir, {})
        os.execute(("ln -s %s %s"):format(quote(dir .. "/scripts/run.sh"), quote(support.path "link")))
        local result = run(dir, { program = support.path "link" })
        assert.equal(0, result.code, result.text)
        assert.equal("one\n", result.out)
        assert.equal("", result.err)
        assert.is_true(result.seconds < 20, result.text)
    end)

    it("builds again what changed, and after the tree was moved", function()
        local dir = tree()
        run(dir, {})
        support.write(dir .. "/tfl.c", (PROGRAM:gsub("VERSION", '"two"')))
        assert.equal("two\n", run(dir, {}).out)
        local moved = support.dir() .. "/moved"
        os.execute(("mv %s %s"):format(quote(dir), quote(moved)))
        local result = run(moved, {})
        assert.equal("two\n", result.out, result.text)
    end)

    it("shows the errors of the compiler and runs nothing", function()
        local dir = tree()
        run(dir, {})
        support.write(dir .. "/tfl.c", "int main(void) { return undeclared; }\n")
        local result = run(dir, {})
        assert.equal(3, result.code, result.text)
        assert.equal("", result.out)
        assert.truthy(result.err:find("undeclared", 1, true), result.text)
        support.write(dir .. "/CMakeLists.txt", "message(FATAL_ERROR broken-on-purpose)\n")
        os.execute("rm -r " .. quote(dir .. "/build"))
        result = run(dir, {})
        assert.equal(3, result.code, result.text)
        assert.truthy(result.err:find("broken-on-purpose", 1, true), result.text)
    end)
end)

describe("missing packages", function()
    -- A folder of shims for the front of PATH. opts: missing = one package, uid, known = false: apt-cache knows no names at first,
    -- fails = true: apt-get install fails once.
    local function shims(opts)
        local bin = support.dir() .. "/bin"
        local log = quote(support.path "calls")
        local function shim(name, text)
            support.write(bin .. "/" .. name, "#!/bin/sh\n" .. text .. "\n")
            os.execute("chmod +x " .. quote(bin .. "/" .. name))
        end
        local there = ("! [ -e %s ]"):format(quote(support.path "installed"))
        shim("dpkg-query", ([[shift 3; for p in "$@"; do [ "$p" = %s ] && %s || echo "installed $p"; done]]):format(opts.missing, there))
        shim("apt-cache", opts.known == false and ("[ -e %s ]"):format(quote(support.path "updated")) or "exit 0")
        shim("apt-get", ([[echo "apt-get $* ($DEBIAN_FRONTEND)" >>%s
case "$*" in *update*) : >%s ;; *) %s : >%s ;; esac]]):format(log, quote(support.path "updated"),
            opts.fails and "[ -e " .. quote(support.path "updated") .. " ] || exit 100;" or "", quote(support.path "installed")))
        shim("sudo", ('echo sudo >>%s; exec "$@"'):format(log))
        shim("id", "echo " .. (opts.uid or 0))
        return bin .. ":" .. os.getenv "PATH"
    end
    local function calls()
        return support.read(support.path "calls") or ""
    end

    it("are installed by root without a terminal, and the rest goes on", function()
        local dir = tree()
        local result = run(dir, { env = { PATH = shims { missing = "libev-dev" } } })
        assert.equal("one\n", result.out, result.text)
        assert.truthy(result.err:find("missing packages: libev-dev\n", 1, true), result.text)
        assert.equal("apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends libev-dev (noninteractive)\n", calls())
    end)

    it("are only named to others, with what to do", function()
        local dir = tree()
        local path = shims { missing = "libev-dev", uid = 1000 }
        local result = run(dir, { env = { PATH = path, CI = "" } })
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find("sudo apt-get install --no-install-recommends libev-dev", 1, true), result.text)
        assert.equal("", calls())
        result = run(dir, { "--yes", "x", env = { PATH = path, CI = "" } })
        assert.equal("[x]one\n", result.out, result.text)
        assert.truthy(calls():find "^sudo\napt%-get ", calls())
    end)

    it("are installed by sudo where CI=true", function()
        local result = run(tree(), { env = { PATH = shims { missing = "libev-dev", uid = 1000 }, CI = "true" } })
        assert.equal("one\n", result.out, result.text)
        assert.truthy(calls():find "^sudo\napt%-get ", calls())
    end)

    it("are asked about on a terminal", function()
        local dir = tree()
        local path = shims { missing = "cmake" }
        local result = run(dir, { tty = true, stdin = "n\n", env = { PATH = path, CI = "" } })
        assert.equal(2, result.code, result.text)
        assert.truthy(result.out:find("[Y/n]", 1, true), result.text)
        assert.equal("", calls())
        result = run(dir, { tty = true, stdin = "y\n", env = { PATH = path, CI = "" } })
        assert.equal(0, result.code, result.text)
        assert.truthy(calls():find "install", calls())
    end)

    it("need fresh lists where apt does not know them, or has old ones", function()
        local result = run(tree(), { env = { PATH = shims { missing = "cmake", known = false } } })
        assert.equal("one\n", result.out, result.text)
        assert.truthy(calls():find "update.*install", calls())
        os.execute(("cd %s && rm -f calls installed updated"):format(quote(support.dir())))
        result = run(support.dir() .. "/a tree", { env = { PATH = shims { missing = "cmake", fails = true } } })
        assert.equal("one\n", result.out, result.text)
        assert.truthy(calls():find "install.*update.*install", calls())
    end)

    it("are named where there is no apt", function()
        local dir, bin = tree(), support.dir() .. "/bin"
        support.sh(("mkdir %s && cd %s && ln -s /usr/bin/* . && rm -f dpkg-query apt-get ninja"):format(quote(bin), quote(bin)))
        local result = run(dir, { env = { PATH = bin } })
        assert.equal(2, result.code, result.text)
        assert.truthy(result.err:find("no apt. Install what Debian calls: ninja-build\n", 1, true), result.text)
    end)
end)

describe("scripts/test.sh", function()
    local function small(spec)
        local dir = tree()
        support.sh(("mkdir %s && cp -R %s/spec/support %s"):format(quote(dir .. "/spec"), quote(support.root), quote(dir .. "/spec")))
        support.write(dir .. "/spec/one_spec.lua", spec)
        return dir
    end
    local function test(dir, env, ...)
        return run(dir, { program = dir .. "/scripts/test.sh", env = env, ... })
    end

    it("counts what passed, failed and was skipped, and shows the failures", function()
        local dir = small [[
describe("one", function()
    it("passes", function() assert.equal(1, 1) end)
    it("fails", function() assert.equal("seen", "expected-here") end)
    pending "comes later"
end)]]
        local result = test(dir, { CI = "" }, "--only", "^spec/one")
        assert.equal(1, result.code, result.text)
        assert.equal("2 passed, 1 failed, 1 skipped", result.out:match "([^\n]*)\n$", result.text)
        assert.truthy(result.out:find("expected-here", 1, true), result.text)
    end)

    it("lets skipped tests pass, but not in CI", function()
        local dir = small 'describe("one", function() pending "comes later" it("passes", function() end) end)'
        local result = test(dir, { CI = "" }, "--only", "^spec/one")
        assert.equal("2 passed, 0 failed, 1 skipped", result.out:match "([^\n]*)\n$", result.text)
        assert.equal(0, result.code, result.text)
        assert.equal(1, test(dir, { CI = "true" }, "--only", "^spec/one").code)
    end)

    it("goes on after a group that failed, and takes a crash for a failure", function()
        local dir = small 'it("ends the program", function() os.exit(0) end)'
        support.write(dir .. "/tfl.c", "broken\n")
        local result = test(dir, { CI = "" }, "--only", "^spec/one")
        assert.equal("0 passed, 2 failed, 0 skipped", result.out:match "([^\n]*)\n$", result.text)
        assert.equal(1, result.code)
    end)

    it("runs files side by side, and ends them all when it is told to stop", function()
        local meets = [[it("meets the other", function()
            os.execute("touch %s; for i in $(seq 500); do [ -e %s ] && exit; sleep 0.02; done")
            assert(io.open "%s")
        end)]]
        local dir = small(meets:format("one", "two", "two"))
        support.write(dir .. "/spec/two_spec.lua", meets:format("two", "one", "one"))
        local result = test(dir, { CI = "" }, "--only", "^spec")
        assert.equal("3 passed, 0 failed, 0 skipped", result.out:match "([^\n]*)\n$", result.text)
        for _, name in ipairs { "one", "two" } do
            support.write(("%s/spec/%s_spec.lua"):format(dir, name),
                ([[it("waits", function() os.execute "touch at-%s; sleep 50" end)]]):format(name))
        end
        local handle = support.start { program = dir .. "/scripts/test.sh", "--only", "^spec", env = { CI = "" } }
        support.eventually(function() return support.read(dir .. "/at-one") and support.read(dir .. "/at-two") end, 60)
        handle:signal "TERM" -- and guard sees what goes on
        assert.equal(130, handle:wait(10).code)
    end)

    it("finds nothing left where nothing is", function()
        local dir = small 'it("passes", function() end)'
        local result = test(dir, { CI = "" }, "--only", "^spec/one|leftovers")
        assert.equal("3 passed, 0 failed, 0 skipped", result.out:match "([^\n]*)\n$", result.text)
    end)

    it("counts what is left behind as a failure", function()
        local dir = small([[it("leaves", function() os.execute("TFL_RUN_ID=x sleep 30 & echo $! >pid") end)]])
        local result = test(dir, { CI = "" }, "--only", "^spec/one|leftovers")
        os.execute("kill $(cat " .. quote(dir .. "/pid") .. ")")
        assert.equal(1, result.code, result.text)
        assert.equal("2 passed, 1 failed, 0 skipped", result.out:match "([^\n]*)\n$", result.text)
        assert.truthy(result.out:find "left behind: process %d+: sleep 30", result.text)
    end)

    -- A folder of scripts that make a cluster, and what they need here. All that is called goes to the file calls. up.sh starts a server
    -- that down.sh forgets; more: what up.sh does at last.
    local function cluster(dir, more)
        local log = quote(support.path "calls")
        local function program(path, text)
            support.write(path, "#!/bin/bash\n" .. text .. "\n")
            os.execute("chmod +x " .. quote(path))
        end
        program(dir .. "/made by/build.sh", ([[echo build >>%s
mkdir -p "$TFL_K8S_DIR/bin"
cat >"$TFL_K8S_DIR/bin/kubectl" <<'E'
#!/bin/bash
case "$*" in *readyz*) [ -e "$TFL_K8S_DIR/run/up" ] ;; *pods*) echo "of ${KUBECONFIG##*/}" ;; esac
E
chmod +x "$TFL_K8S_DIR/bin/kubectl"]]):format(log))
        program(dir .. "/made by/up.sh", ([[echo up >>%s
mkdir -p "$TFL_K8S_DIR/run/pid"; cd "$TFL_K8S_DIR/run"
bash -c 'exec -a "$0" sleep 300' "$TFL_K8S_DIR/run/server" >/dev/null 2>&1 &
echo $! >pid/server; echo $$ >pid/stale; echo config >kubeconfig
%s
touch up]]):format(log, more or ""))
        program(dir .. "/made by/down.sh", ("echo down >>%s"):format(log))
        program(support.dir() .. "/bin/ctr", ([[echo "ctr ${*:3:4}" >>%s]]):format(log))
        program(support.dir() .. "/bin/docker", "echo amd64")
        program(support.dir() .. "/bin/ip", "") -- of this machine another cluster may have some
        program(dir .. "/scripts/build/build_test_image.sh", "exit 0")
        return { CI = "true", PATH = support.dir() .. "/bin:" .. os.getenv "PATH", TFL_K8S_DIR = support.dir() .. "/k 8s",
            TFL_TEST_KUBECONFIG = "" }
    end
    local function calls()
        return ((support.read(support.path "calls") or ""):gsub("\n", " "))
    end
    local ON_CLUSTER = 'local NEEDS = "spec.support.k8s"\n' .. [[
it("is on a cluster", function()
    assert(NEEDS) assert.equal("of kubeconfig\n", io.popen('KUBECONFIG="$TFL_TEST_KUBECONFIG" kubectl get pods'):read "a") %s
end)]]

    it("makes a cluster for the specs that need one, and stops it whatever they did", function()
        for verdict, rest in pairs { ["4 passed, 0 failed, 0 skipped"] = "", ["3 passed, 1 failed, 0 skipped"] = 'error "broken"' } do
            os.remove(support.path "calls")
            os.execute("rm -rf " .. quote(support.dir() .. "/a tree"))
            local dir = small(ON_CLUSTER:format(rest))
            local result = test(dir, cluster(dir), "--only", "^spec/one", "--cluster", dir .. "/made by")
            assert.equal(verdict, result.out:match "([^\n]*)\n$", result.text)
            assert.equal("build down up ctr -n k8s.io images import down ", calls())
            support.assert_nothing_left()
        end
    end)

    it("counts a cluster that does not come up as a failure, with what was said last, and one that leaves something", function()
        local dir = small(ON_CLUSTER:format "")
        local env = cluster(dir, "echo broken-on-purpose; exit 4")
        local result = test(dir, env, "--only", "^spec/one", "--cluster", dir .. "/made by")
        assert.equal(1, result.code)
        assert.equal("2 passed, 1 failed, 1 skipped", result.out:match "([^\n]*)\n$", result.text)
        assert.matches("FAILED cluster .*broken%-on%-purpose.*up%.sh ended with exit code 4", result.out)
        assert.equal("build down up down ", calls())
        support.assert_nothing_left()
        local left = support.path "left"
        cluster(dir, ([[bash -c 'exec -a "$0" sleep 300' "$PWD/other" >/dev/null 2>&1 & echo $! >%s]]):format(quote(left)))
        result = test(dir, env, "--only", "^spec/one", "--cluster", dir .. "/made by")
        os.execute("kill $(cat " .. quote(left) .. ")")
        assert.equal(1, result.code)
        assert.matches("FAILED cluster%-end .*left behind:\n +%d+ [^\n]*/run/other 300\n", result.out)
    end)

    it("uses a cluster that is named or up as it is, and stops one it has started when it is told to stop", function()
        local dir = small(ON_CLUSTER:format 'if io.open "wait" then os.execute "touch at; sleep 50" end')
        local env = cluster(dir)
        env.TFL_TEST_KUBECONFIG, env.PATH = support.write("own/kubeconfig", "x"), support.dir() .. "/k 8s/bin:" .. env.PATH
        support.sh(("TFL_K8S_DIR=%s bash %s"):format(quote(env.TFL_K8S_DIR), quote(dir .. "/made by/build.sh")))
        os.remove(support.path "calls")
        local words = { "--only", "^spec/one", "--cluster", dir .. "/made by" }
        local result = test(dir, env, table.unpack(words))
        assert.equal(0, result.code, result.text)
        assert.equal("", calls())
        env.TFL_TEST_KUBECONFIG = ""
        support.write(dir .. "/wait", "")
        local handle = support.start { program = dir .. "/scripts/test.sh", env = env, table.unpack(words) }
        support.eventually(function() return support.read(dir .. "/at") end, 60)
        handle:signal "TERM"
        assert.equal(130, handle:wait(20).code)
        assert.equal("build down up ctr -n k8s.io images import down ", calls())
        support.assert_nothing_left()
        support.sh(("TFL_K8S_DIR=%s bash %s"):format(quote(env.TFL_K8S_DIR), quote(dir .. "/made by/up.sh")))
        os.remove(dir .. "/wait")
        os.remove(support.path "calls")
        result = test(dir, env, table.unpack(words))
        assert.equal(0, result.code, result.text)
        assert.equal("build ctr -n k8s.io images import ", calls())
        support.sh(("kill $(cat %s)"):format(quote(env.TFL_K8S_DIR .. "/run/pid/server")))
    end)

    it("counts cmocka tests one by one, and programs that crash", function()
        local file = support.write("ctest.txt", table.concat({
            "1: 1..3", "1: ok 1 - a", "1: not ok 2 - b", "1: # why", "1: ok 3 - c # SKIP",
            "1/3 Test #1: base.buf ...***Failed 0.01 sec",
            "2: 1..2", "2: ok 1 - d", "2/3 Test #2: loop.op ....***Exception: SegFault 0.1 sec",
            "3: 1..1", "3: ok 1 - e", "3/3 Test #3: sched.ready ...   Passed 0.01 sec",
        }, "\n") .. "\n")
        local count = quote(support.root .. "/scripts/test/count_tap.lua")
        local out, code = support.sh(("env -u TFL_COUNTS lua5.4 %s %s 8"):format(count, quote(file)))
        assert.equal(1, code)
        assert.equal("3 2 1", out:match "([^\n]*)\n*$", out)
        assert.truthy(out:find "# why" and out:find "SegFault", out)
    end)
end)
