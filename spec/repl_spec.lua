-- tfl repl: a cluster that runs while a person types, at a real terminal; and lines of a pipe.
local nodes = require "spec.support.nodes"
local support = require "spec.support"
local terminal = require "spec.support.terminal"
support.guard()

--- A session at its first prompt.
local function session(spec)
    spec = spec or {}
    table.insert(spec, 1, "repl")
    spec[#spec + 1] = "--seed"
    spec[#spec + 1] = "5"
    local t = terminal.start(spec)
    t:wait("\ntfl>%s*$", 40)
    if not spec.news then t:line ":events off" end
    return t
end

--- Ends a session, which must leave the terminal as it was.
local function quit(t, modes)
    t:keys ":quit\r"
    local code = t:finish()
    if modes then assert.equal(modes, support.read(t.folder .. "/modes")) end
    return code
end

local function lines_of(spec, lines)
    spec = spec or {}
    table.insert(spec, 1, "repl")
    spec.stdin = table.concat(lines, "\n") .. "\n"
    local result = support.run(spec)
    result.err = result.err:gsub("[^\n]*host: tfl stood still[^\n]*\n", "") -- told at any time
    return result
end

describe("tfl repl on a terminal", function()
    it("greets with the nodes and five commands, and gives the terminal back", function()
        local t = terminal.start { "repl" }
        local before = t:modes()
        t:wait("\ntfl>%s*$", 40)
        for i = 0, 2 do t:wait(("node%%-%d +running +%%d+ +%%d+"):format(i)) end
        local _, commands = t:screen():gsub("\n  [:n][%w%(][^\n]-   +%l", "")
        assert.equal(5, commands, t:screen())
        assert.not_equal(before, t:modes())
        assert.equal(0, quit(t, before))
        t:wait "all is cleaned up"
    end)

    it("shows values, keeps globals, and goes on after errors", function()
        local t = session { "-n", "2" }
        assert.equal("\n7", t:line "x = 7; return x")
        assert.equal("\n8", t:line "x + 1")
        assert.equal("\n16", t:line "_ * 2")
        assert.truthy(t:line("node(0):client():consensus_info()"):find "height +%d+\n")
        assert.truthy(t:line("descriptors()"):find "name +argv.-\n +node%-0 .-\n +node%-1 ")
        assert.truthy(t:line("nod(0)"):find "nil value %(global 'nod'%)")
        assert.truthy(t:line("node(7)"):find "there is no such node; they are 0 to 1")
        assert.truthy(t:line("x = = 1"):find "unexpected symbol")
        assert.truthy(t:line("fail 'no good'"):find "no good")
        assert.truthy(t:line("error{}"):find "table")
        assert.truthy(t:line(":nods"):find "no such command.*nodes")
        assert.truthy(t:line("while true do end", 40):find "ran for 5 seconds without waiting")
        assert.matches("\n7$", t:line "x") -- after a word on how long the loop stood still
        assert.equal(0, quit(t))
    end)

    it("goes on with what is not finished, and gives it up on Ctrl-C", function()
        local t = session { "-n", "1" }
        t:keys "for i = 1, 2 do\r"
        t:wait "\n...>%s*$"
        t:keys "print(i * 11)\r"
        t:wait "\n...>.-\n...>%s*$"
        assert.equal("\n11\n22", t:line "end")
        t:keys "f(\r"
        t:wait "f%(\n...>%s*$"
        t:keys "\3"
        t:wait "%^C\ntfl>%s*$"
        assert.equal("\n3", t:line "1 + 2")
        t:keys "1 +\r" -- an expression, too
        t:wait "1 %+\n...>%s*$"
        assert.equal("\n42", t:line "41")
        t:keys "for i = 1, 2 do\r"
        t:wait "do\n...>%s*$"
        t:keys "\4" -- ends the chunk, not the session
        t:wait "given up; Ctrl%-D at an empty prompt ends the session\ntfl>%s*$"
        assert.equal("\n4", t:line "2 + 2")
        t:keys "'no end'..\3"
        t:wait "'no end'%.%.%^C\ntfl>%s*$"
        assert.equal("\nfür 日本 → ✓", t:line "'für 日本 → ✓'")
        assert.equal(0, quit(t))
    end)

    it("tells that it waits, and stops on Ctrl-C", function()
        local t = session { "-n", "2" }
        t:keys "sleep '1h'\r"
        t:wait "… %d+%.%ds  slot %d+, height %d+  Ctrl%-C stops it$"
        t:keys "\3"
        t:wait "sleep '1h'\n%^C\ntfl>%s*$"
        t:keys "sleep '6s'\r"
        t:wait "Ctrl%-C stops it$"
        t:keys "'typed' .. ' ahead'\r"
        t:wait "\ntyped ahead\ntfl>%s*$"
        t:keys "while true do pcall(sleep, '10ms') end\r"
        t:wait "Ctrl%-C stops it$"
        t:keys "\3"
        t:wait "10ms'%) end\n%^C\ntfl>%s*$"
        t:keys ":watch node(0):client():consensus_info().height\r"
        t:wait("%d+%.%ds %d+\n.*%d+%.%ds %d+\n")
        t:keys "\3"
        t:wait "%^C\ntfl>%s*$"
        assert.equal("\n2", t:line "1 + 1")
        t:keys "\4"
        assert.equal(0, t:finish())
    end)

    it("completes names, methods, nodes and commands, and remembers lines over sessions", function()
        local t = session { "-n", "2" }
        t:keys "node(0):cl\t"
        t:wait "tfl> node%(0%):client$"
        t:keys "():cons\t"
        t:wait "tfl> node%(0%):client%(%):consensus_info$"
        assert.truthy(t:line("().height"):find "^\n%d+$")
        t:keys ":no\t"
        t:wait "tfl> :nodes$"
        t:keys "\r"
        t:wait "url\n.*tfl>%s*$"
        t:keys ":log no\t"
        t:wait "tfl> :log node%-$"
        t:keys "\t"
        t:wait "node%-0 +node%-1\ntfl> :log node%-$"
        t:keys "\3"
        t:wait "%^C\ntfl>%s*$"
        t:keys "wait_for_h\t"
        t:wait "tfl> wait_for_height$"
        t:keys "\3"
        t:wait "%^C\ntfl>%s*$"
        t:keys "node(0):\t"
        t:wait "kill.*wait_ready\ntfl> node%(0%):$"
        t:keys "\3"
        t:wait "%^C\ntfl>%s*$"
        assert.equal("\n40", t:line "40 -- remember me")
        assert.equal(0, quit(t))
        local again = session { "-n", "1" }
        again:keys "\27[A\27[A\27[A"
        again:wait "tfl> 40 %-%- remember me$"
        again:keys "\r"
        again:wait "remember me\n40\ntfl>%s*$"
        again:keys "\18ber m" -- Ctrl-R
        again:wait "40 %-%- remember me"
        again:keys "\r"
        again:wait "remember me\n40\ntfl>.*remember me\n40\ntfl>%s*$"
        assert.equal(0, quit(again))
    end)

    it("prints news above the line that is typed, and survives a crash and a new size", function()
        local t = session { "-n", "3", news = true }
        local long = "x = '" .. ("0123456789"):rep(12) .. "ä"
        t:keys(long)
        t:wait "6789ä$"
        local guardian = support.sh(("pgrep -P %d -f -- --guardian"):format(t.pid)):match "%d+"
        assert.truthy(support.sh("kill -KILL " .. guardian))
        t:wait "warn +proc: the guardian of run %S+ died; starting another[^\n]*\n"
        t:wait("tfl> x = '0123.-6789ä$")
        local pid = t:screen():match "node%-1 +running +(%d+)"
        support.sh("kill -ABRT " .. pid)
        t:wait "CRASH   node%-1 ended by itself %("
        t:wait("tfl> x = '0123.-6789ä$")
        t:resize(24, 60)
        t:wait("\n" .. ("%d"):rep(10) .. "ä$") -- drawn anew: 131 characters in rows of 60
        t:keys "'\r"
        t:wait "ä'\n.*tfl>%s*$"
        assert.truthy((t:line "#x - 2" .. "\n"):find "\n120\n")
        assert.truthy(t:line(":nodes"):find "node%-1 +exited")
        assert.truthy(t:line("node(1):start()"))
        assert.truthy(t:line("node(1):wait_ready()", 40))
        assert.truthy(t:line(":nodes"):find "node%-1 +running")
        assert.truthy(t:line(":events all"))
        t:keys "typed"
        t:wait("final   height %d+[^\n]*\n.*tfl> typed$", 60)
        t:keys "\3"
        t:wait "typed%^C\n.*tfl>%s*$" -- news may come at once
        assert.equal(1, quit(t), "a node that ended by itself fails the run")
        t:wait "node_exited\n?.*node%-1 ended by itself"
    end)

    it("has faults, blocks, a tree, load, logs and pages", function()
        local t = session { "-n", "3" }
        local said = t:line ":faults"
        assert.truthy(said:find "nothing was done" or said:find "stall#", said)
        assert.truthy(t:line("cut = partition({0}, {1, 2})"))
        t:line "wait_for_slot(20)"
        assert.truthy(t:line(":faults"):find "partition#%d+ +{0}|{1,2} +repl +%d+ +in force")
        assert.truthy(t:line("cut:heal()"):find "withheld +%d+")
        assert.truthy(t:line(":load 50 1s"):find "50 transactions a second for 1s")
        support.eventually(function() return t:line(":load"):find "50/s +1s +50 +50 +0 +50" end, 30, "50 transactions on the chain")
        assert.truthy(t:line(":blocks 3"):find "height +slot +id +txs")
        assert.truthy(t:line(":tree 5"):find "slot %d+.*← node")
        assert.truthy(t:line(":log node-1 2"):find "slot %d+")
        assert.truthy(t:line("for i = 1, 100 do print(i) end"))
        t:keys "l = {}; for i = 1, 100 do l[i] = {n = i, square = i * i} end; return l\r"
        t:wait "… %d+ more lines; :more goes on\ntfl>%s*$"
        t:keys ":more\r"
        t:wait "… %d+ more lines; :more goes on\ntfl>%s*$"
        assert.equal(0, quit(t))
    end)

    it("leaves nothing after SIGTERM, SIGHUP and kill -9, and gives the terminal back", function()
        for _, signal in ipairs { "TERM", "HUP" } do
            local t = terminal.start { "repl", "-n", "2" }
            local before = t:modes()
            t:wait("\ntfl>%s*$", 40)
            t:keys "half a li"
            t:wait "half a li$"
            t:signal(signal)
            assert.equal(130, t:finish())
            assert.equal(before, support.read(t.folder .. "/modes"), signal)
        end
        local file = nodes.liveness(2, 4000)
        for signal, code in pairs { TERM = 130, SEGV = 139, ABRT = 134, KILL = 137 } do
            local t = terminal.start { "repl", "-n", "2", env = { ASAN_OPTIONS = "handle_segv=0:handle_abort=0" } }
            local before = t:modes()
            t:wait("\ntfl>%s*$", 40)
            t:keys(":run " .. file .. "\r")
            t:wait "Ctrl%-C stops it$"
            support.eventually(function() -- its nodes run, too
                return select(2, support.sh(("grep -q window %s/state/tfl/runs/spec-*/events.jsonl"):format(support.dir()))) == 0
            end, 30, "the scenario of :run in its window")
            support.sh(("rm -rf %s/state/tfl/runs/spec-*/events.jsonl"):format(support.dir()))
            t:signal(signal)
            assert.equal(code, t:finish())
            support.assert_nothing_left()
            assert.equal(before, support.read(t.folder .. "/modes"), signal)
        end
    end)

    it("opens on the cluster of a run that failed, and takes it down afterwards", function()
        local file = nodes.scenario(
            [[:topology_with(function(t) t:nodes(2):slot_duration "50ms" end):with_run_duration "4s"
            :with_expectation(tfl.expectation("never", {evaluate = function(_, ctx)
                ctx:node(0):client():consensus_info()
                ctx:fail "it is bad"
            end}))]])
        local t = terminal.start { file, "--repl-on-failure" }
        t:wait("has failed; its cluster runs until :quit\n.*never  it is bad\n.*node%-1 +running.*\ntfl>%s*$", 40)
        assert.truthy(t:line("sleep '1s'; return node(0):client():consensus_info()"):find "height") -- long after the window
        assert.falsy(t:screen():find("final   height 1 (", 1, true), t:screen()) -- what was before is no news
        assert.truthy(t:line("node(1):kill()"):find "kill#1")
        assert.equal(1, quit(t))
        t:wait "FAIL  spec"
    end)
end)

describe("tfl repl with lines of a pipe", function()
    it("runs them without prompts, and exits with 0", function()
        local result = lines_of({ "-n", "2" }, { "print('a')", "1 + 1", "for i = 1, 2 do", "print(i)", "end", "'ü'" })
        assert.equal(0, result.code, result.text)
        assert.equal("a\n2\n1\n2\nü\n", result.out)
        assert.equal("", result.err)
    end)

    it("goes on after a line that failed, tells which, and exits with 1", function()
        local result = lines_of({ "-n", "1" }, { "1", "error 'bad'", "2", "f(" })
        assert.equal(1, result.code, result.text)
        assert.equal("1\n2\n", result.out)
        assert.truthy(result.err:find "line 2: bad", result.text)
        assert.truthy(result.err:find "line 4: the last chunk has no end", result.text)
    end)

    it("takes bare words for commands, shows strange values, and ends when its time is over", function()
        local result = lines_of({ "-n", "1" }, { "help", "tfl", "node(0):client()", "'\\xff'", "{}", "nodes()", "quit", "'after'" })
        assert.equal(0, result.code, result.text)
        for _, text in ipairs { ":watch [FOR] EXPR", "slots        a function", "a client", "\\xff", "{}", "node-0 (running)" } do
            assert.truthy(result.out:find(text, 1, true), text .. " in " .. result.text)
        end
        assert.falsy(result.out:find "after", result.text)
        local late = lines_of({ "-n", "1", "-t", "2s" }, { "sleep '1h'" })
        assert.equal(1, late.code, late.text) -- what ran did not come to its end
        assert.truthy(late.err:find "the time of this session is over", late.text)
    end)

    it("is out of time in the same way when the machine stands still just then", function()
        local file = support.write("lines", "print 'here'\nsleep '1h'\n")
        local handle = support.start { "-c", ('exec "%s" repl -n 1 -t 3s <%s'):format(support.tfl, file), program = "sh" }
        handle:wait_output "here"
        handle:stand_still(4)
        local result = handle:wait(30)
        assert.equal(1, result.code, result.text)
        assert.truthy(result.err:find "the time of this session is over", result.text)
    end)

    it("watches for a time, and ends with 130 on a signal", function()
        local result = lines_of({ "-n", "1" }, { ":watch x", ":watch 2s node(0):state()", ":watch 1s 1 +" })
        assert.truthy(result.out:find "%d+%.%ds running\n", result.text)
        assert.truthy(result.err:find "line 1: :watch: without a terminal", result.text)
        assert.truthy(result.err:find "line 3: :watch 1s 1 %+: an expression was expected", result.text)
        local file = support.write("lines", "print 'here'\nsleep '1h'\n")
        local handle = support.start { "-c", ('exec "%s" repl -n 1 <%s'):format(support.tfl, file), program = "sh" }
        handle:wait_output "here"
        handle:signal "INT"
        assert.equal(130, handle:wait(20).code)
    end)

    it("takes the cluster of a scenario", function()
        local file = nodes.scenario [[:topology_with(function(t) t:nodes(4):ring():slot_duration "100ms" end)
            :with_run_duration "5s":expect_consensus_liveness()]]
        local result = lines_of({ file }, { "#nodes()", "run_metrics().slot_duration" })
        assert.equal(0, result.code, result.text)
        assert.equal("4\n0.1\n", result.out)
    end)

    it("saves what was done as a scenario that does it again", function()
        local file = support.path "saved.lua"
        local result = lines_of({ "-n", "3", "--seed", "9" }, {
            "wait_for_slot(5)", "node(1):kill()", "who = 1", "wait_for_slot(10)", "node(who):start()", ":load 20 1s", "node(9):kill()",
            "cut = partition({0}, {1, 2})", "node(0):client():consensus_info().height", "wait_for_slot(25)", "cut:heal()",
            "eventually(function() return node(1):client():consensus_info().height > 3 end)", ":save " .. file,
        })
        assert.equal(1, result.code, result.text) -- there is no node 9
        local text = support.read(file)
        assert.falsy(text:find "consensus_info().height\n", text)
        assert.truthy(text:find "failed: node%(9%)", text)
        local check = support.run { "check", file }
        assert.equal(0, check.code, check.text)
        local again = support.run { file, "--seed", "9" }
        assert.equal(0, again.code, again.text)
        local function journal(of)
            local list = {}
            for _, fault in ipairs(of.summary.faults) do
                if fault.by ~= "host" then
                    list[#list + 1] = ("%s %s %d %d"):format(fault.verb, fault.text or fault.targets[1], fault.from_slot, fault.to_slot)
                end
            end
            return list
        end
        local first, second = journal(result), journal(again)
        assert.equal(2, #first)
        local least = { { 5, 10 }, { 10, 25 } } -- never before its slot; how late is the machine's affair
        for i, entry in ipairs(first) do
            local verb, what, from, to = second[i]:match "^(%S+) (%S+) (%d+) (%d+)$"
            local verb1, what1, from1, to1 = entry:match "^(%S+) (%S+) (%d+) (%d+)$"
            assert.equal(verb1 .. what1, verb .. what)
            for _, at in ipairs { { from1, to1 }, { from, to } } do
                local late, later = at[1] - least[i][1], at[2] - least[i][2]
                assert.is_true(late >= 0 and late <= 25 and later >= 0 and later <= 25, entry .. " / " .. second[i])
            end
        end
        local twice = lines_of({ "-n", "1" }, { ":save " .. file })
        assert.truthy(twice.err:find "there is such a file already", twice.text)
    end)

    it("shows what a scenario beside the cluster prints while it runs, and ends it on Ctrl-C", function()
        local t = session { "-n", "1" }
        t:keys(":run " .. nodes.liveness(1, 4000) .. "\r")
        t:wait("s spec: run\n.*Ctrl%-C stops it$", 30)
        t:keys "\3"
        t:wait "%^C\ntfl>%s*$"
        support.eventually(function()
            return select(2, support.sh(("grep -q interrupted %s/state/tfl/runs/spec-*/summary.json"):format(support.dir()))) == 0
        end, 30, "the end of the run")
        assert.equal(0, quit(t))
    end)

    it("runs a scenario beside the cluster", function()
        local file = nodes.scenario [[:topology_with(function(t) t:nodes(1):slot_duration "50ms" end):with_run_duration "1s"
            :with_workload(tfl.workload("w", {start = function(_, ctx) ctx:node(0):client():consensus_info() end}))]]
        local result = lines_of({ "-n", "1" }, { ":run " .. file, "'after'" })
        assert.truthy(result.out:find "s spec: run\n.*spec +local · 1 node.*after\n$", result.text)
        result = lines_of({ "-n", "1" }, { ":run " .. file .. " -p no=1", "1 +" })
        assert.equal(1, result.code, result.text)
        assert.truthy(result.out:find "has no such parameter", result.text)
        assert.truthy(result.err:find "the last chunk has no end: 1 %+\n", result.text)
    end)
end)
