-- scripts/lint/layering.lua: it passes on this tree, and fails with file and line on what it forbids.
local support = require "spec.support"
support.guard()

local function copy()
    local dir = support.dir() .. "/tree"
    assert.equal(0, select(2, support.sh(("mkdir %s && cp -R %s/engine %s/bindings %s/CMakeLists.txt %s"):format(
        dir, support.quote(support.root), support.quote(support.root), support.quote(support.root), dir))))
    return dir
end

local function check(dir)
    return support.sh(("lua5.4 %s %s"):format(support.quote(support.root .. "/scripts/lint/layering.lua"), support.quote(dir)))
end

-- Puts text at the end of a file of the copy; returns what the check says and the line the text begins at.
local function planted(file, text)
    local dir = copy()
    local before = support.read(dir .. "/" .. file) or ""
    local _, lines = before:gsub("\n", "")
    support.write(dir .. "/" .. file, before .. text)
    local out, code = check(dir)
    assert.equal(1, code, out)
    return out, lines + 1
end

describe("the layering check", function()
    it("passes on this tree", function()
        local out, code = check(support.root)
        assert.equal(0, code, out)
        assert.truthy(out:match "^%d%d+ files, 0 problems\n$", out)
    end)

    local FORBIDDEN = {
        { "engine/base/buf.c", '#include "loop/loop.h"', "base may not use loop" },
        { "engine/loop/loop.c", '#include "net/sock.h"', "loop may not use net" },
        { "engine/chain/hash.c", '#include "loop/loop.h"', "chain may not use loop" },
        { "engine/proc/spawn.c", '#include "net/sock.h"', "proc may not use net" },
        { "engine/topology/graph.c", '#include "client/x.h"', "topology may not use client" },
        { "engine/client/x.c", '#include "feed/x.h"', "client may not use feed" },
        { "engine/feed/x.c", '#include "load/x.h"', "feed may not use load" },
        { "engine/deploy/x.c", '#include "feed/x.h"', "deploy may not use feed" },
        { "engine/deploy/x.c", '#include "record/record.h"', "deploy may not use record" },
        { "engine/node/x.c", '#include "client/x.h"', "node may not use client" },
        { "engine/node/x.c", '#include "deploy/x.h"', "node may not use deploy" },
        { "engine/node/x.c", '#include "net/http_client.h"', "node may not include" },
        { "engine/client/x.c", '#include "node/node_core.h"', "client may not use node" },
        { "bindings/x.c", '#include "node/node_core.h"', "bindings may not use node" },
        { "engine/feed/x.c", "#include <lua.h>", "<lua.h> may be included only in bindings/" },
        { "engine/proc/x.c", "#  include <ev.h>", "<ev.h> may be included only in engine/loop/" },
        { "engine/net/sock.c", "#include <curl/curl.h>", "may be included only in engine/net/http_client*" },
        { "engine/node/x.c", "#include <microhttpd.h>", "may be included only in engine/net/http_server*" },
        { "engine/base/buf.c", '#include "buf.h"', 'as "room/name.h"' },
        { "engine/feed/x.c", '#include "base/nothing.h"', "no such file" },
        { "engine/feed/x.c", '#include "loop/loop_impl.h"', "belongs to its own room" },
        { "engine/newroom/x.c", "int x;", "no room newroom" },
        { "engine/feed/x.c", "void f(void) { sleep(1); }", "sleep() blocks the loop" },
        { "engine/feed/x.c", "long f(void) { return time (0); }", "reads the time outside engine/loop" },
    }
    for _, case in ipairs(FORBIDDEN) do
        it("refuses in " .. case[1] .. ": " .. case[2], function()
            local out, line = planted(case[1], case[2] .. "\n")
            local found = out:find(("%s:%d: "):format(case[1], case[1]:find "newroom" and 1 or line), 1, true)
            assert.truthy(found, out)
            assert.truthy(out:sub(found):match("[^\n]*"):find(case[3], 1, true), out)
        end)
    end

    it("refuses a room that CMake links against the table", function()
        local out, line = planted("CMakeLists.txt", "tfl_room(chain tfl_base tfl_loop)\n")
        assert.truthy(out:find(("CMakeLists.txt:%d: tfl_room(chain"):format(line), 1, true), out)
    end)

    it("reads neither comments nor strings, nor members of that name", function()
        local dir = copy()
        support.write(dir .. "/engine/feed/x.c", '/* sleep(1);\n#not an include */ // system("x")\n'
            .. 'static const char *s = "sleep(1) \\" system(2)";\nint f(struct x *x) { return x->time(3) + x->op.sleep(4); }\n')
        local out, code = check(dir)
        assert.equal(0, code, out)
    end)

    it("fails where there is nothing to check", function()
        local _, code = check(support.dir())
        assert.equal(1, code)
    end)
end)
