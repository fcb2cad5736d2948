-- tfl.core.proc inside the built tfl: programs, the ledger and the clean-up as Lua sees them.
local in_run = require "spec.support.in_run"
local support = require "spec.support"
support.guard()

describe("tfl.exec", function()
    it("gives output, exit code and signal of a program", function()
        local got = in_run([[
            local a = tfl.exec{"sh", "-c", "cat; echo err >&2; exit 3", stdin = "in", timeout = "5s"}
            local b = tfl.exec{"sh", "-c", "kill -TERM $$"}
            local c = tfl.exec{"sh", "-c", 'echo "$A $TFL_RUN_ID"; pwd', cwd = "/", env = {A = 7}}
            return {a, b, c, tfl.exec{"expr", 1, "+", 2}.stdout}
        ]])
        assert.same({ ok = false, code = 3, status = "exit code 3", stdout = "in", stderr = "err\n" }, got[1])
        assert.equal("SIGTERM", got[2].signal)
        assert.equal("killed by SIGTERM", got[2].status)
        assert.truthy(got[3].stdout:match "^7 inside%-%S+\n/\n$", got[3].stdout)
        assert.is_true(got[3].ok)
        assert.equal("3\n", got[4])
    end)

    it("raises what stops a program, naming it", function()
        local got = in_run([[
            local out = {}
            for i, spec in ipairs{{"/no/such/program"}, {"sleep", "60", timeout = 0.2}, {"yes", timeout = 20}, {}, {"echo", {}}} do
                local ok, err = tfl.try(tfl.exec, spec)
                out[i] = {ok = ok, code = type(err) == "table" and err.code, message = type(err) == "table" and err.message or err}
            end
            return out
        ]])
        for i, want in ipairs { { "spawn", "/no/such/program" }, { "timeout", "`sleep`.*0.2s" }, { "too_large", "`yes`" } } do
            assert.is_false(got[i].ok)
            assert.equal(want[1], got[i].code)
            assert.truthy(got[i].message:find(want[2]), got[i].message)
        end
        assert.truthy(got[4].message:find "no program", got[4].message)
        assert.truthy(got[5].message:find "argument 2", got[5].message)
    end)
end)

describe("the ledger", function()
    it("is undone at the end of the run, newest first", function()
        local _, result = in_run([[
            local proc = require "tfl.core.proc"
            local folder = ...
            local log = folder .. "/order"
            for i = 1, 3 do
                proc.ledger_add{undo = "argv", argv = {"sh", "-c", "echo " .. i .. " >> " .. log}}
            end
            local gone = proc.ledger_add{undo = "argv", argv = {"sh", "-c", "echo never >> " .. log}}
            proc.ledger_done(gone)
            proc.ledger_add{undo = "folder", path = folder .. "/made"}
            tfl.exec{"mkdir", "-p", folder .. "/made/deep"}
        ]], support.dir())
        assert.equal("3\n2\n1\n", support.read(support.path "order"), result.text)
        assert.is_nil(support.read(support.path "made/deep"))
        assert.equal(0, select(2, support.sh("test ! -e " .. support.quote(support.path "made"))))
    end)

    it("says what could not be undone, and tfl clean tries again", function()
        local _, result = in_run([[
            require("tfl.core.proc").ledger_add{undo = "argv", argv = {"sh", "-c", "echo broken >&2; test -e " .. ...}}
        ]], support.path "flag")
        assert.truthy(result.text:find("broken", 1, true), result.text)
        local failed = support.run { "clean" }
        assert.equal(3, failed.code, failed.text)
        assert.truthy(failed.out:find("broken", 1, true), failed.text)
        support.write("flag", "")
        local cleaned = support.run { "clean" }
        assert.equal(0, cleaned.code, cleaned.text)
        assert.truthy(cleaned.out:find "^inside%-", cleaned.text)
        assert.truthy(support.run({ "clean" }).out:find "nothing to clean")
    end)
end)
