-- Completion in real shells: the scripts of assets/completion, and what tfl says to them.
local support = require "spec.support"
local terminal = require "spec.support.terminal"
support.guard()

local SCENARIO = [[
-- tfl.deployer("not_this", {})
local p = tfl.params{nodes = 3, rate = {5, help = "a = b, c = d"}, text = "x, y = 1"}
tfl.deployer("far", {start = function(node) return node:spawn() end})
error "it is read, not run"]]

-- What the last word may become: its candidates in order, and the lines that ask for files.
local function complete(...)
    local spec = { "completion", ... }
    spec.cwd = support.path "work"
    local result = support.run(spec)
    assert.equal(0, result.code, result.text)
    assert.equal("", result.err)
    local words, files = {}, {}
    for line in result.out:gmatch "[^\n]+" do
        local word = line:match "^w ([^\t]*)\t"
        table.insert(word and words or files, word or line)
    end
    return table.concat(words, " "), table.concat(files, ",")
end

-- What bash offers for a line whose last word is being typed.
local function bash(...)
    local words = { support.tfl, ... }
    for i, word in ipairs(words) do words[i] = support.quote(word) end
    local out, code = support.sh(("cd %s && bash --norc -c %s bash %s"):format(support.quote(support.path "work"), support.quote("source "
        .. support.quote(support.root .. "/assets/completion/tfl.bash") .. [[; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tfl
            printf '%s\n' "${COMPREPLY[@]}"]]), table.concat(words, " ")))
    assert.equal(0, code, out)
    return (out:gsub("%s+$", ""))
end

describe("completion", function()
    before_each(function()
        support.write("work/my.lua", SCENARIO)
        support.write("work/folder/other.txt", "")
    end)

    it("offers what the parser knows, by its place", function()
        for line, expected in pairs {
            [""] = { "run check matrix repl test report clean doctor help version", "f lua" },
            ["re"] = { "repl report", "f lua" },
            ["run|"] = { "", "f lua" },
            ["my.lua|--rep"] = { "--replay --report --repl-on-failure", "" },
            ["my.lua|--keep|-q|--inconclusive|"] = { "fail pass", "" },
            ["matrix|my.lua|--fa"] = { "--fail-fast", "" },
            ["check|--junit"] = { "", "" },
            ["my.lua|--out|"] = { "", "d" },
            ["my.lua|--junit|"] = { "", "f" },
            ["my.lua|--report|"] = { "", "f,f lua" },
            ["report|"] = { "", "d" },
            ["report|run|"] = { "", "" },
            ["my.lua|-d|"] = { "compose host k8s local far", "" },
            ["matrix|my.lua|-d|local,f"] = { "local,far", "" },
            ["my.lua|-p|"] = { "nodes= rate= text=", "" },
            ["my.lua|-p|rate|=|"] = { "", "" },
            ["version|"] = { "", "" },
            ["help|sc"] = { "scenario", "" },
            ["help|api|part"] = { "partition", "" },
            ["nothing.lua|-d|h"] = { "host", "" },
        } do
            local words = {}
            for word in (line .. "|"):gmatch "([^|]*)|" do words[#words + 1] = word end
            assert.same(expected, { complete(table.unpack(words)) }, line)
        end
    end)

    it("knows every option of every command", function()
        for command in complete "":gmatch "%S+" do
            local help = support.run({ "help", command }).out:gsub("\n\n%S.*$", "\n") -- not what the topics tell
            local offered = " " .. complete(command, "-") .. " "
            for flag in help:gmatch "\n   +(%-[%w-]+)" do
                assert.truthy(offered:find(" " .. flag .. " ", 1, true), command .. " " .. flag)
            end
        end
    end)

    it("works in bash", function()
        assert.equal("repl\nreport", bash "rep")
        assert.equal("my.lua\nfolder", bash("run", ""))
        assert.equal("my.lua", bash("check", "m"))
        assert.equal("folder", bash("report", ""))
        assert.equal("folder/other.txt", bash("my.lua", "--junit", "folder/"))
        assert.equal("far", bash("my.lua", "-d", "f"))
        assert.equal("", bash("my.lua", "-d", "$(touch ran)"))
        assert.is_nil(support.read(support.path "work/ran"))
    end)

    it("works in zsh", function()
        if select(2, support.sh "command -v zsh") ~= 0 then return pending "there is no zsh" end
        support.write("rc", ("fpath=(%s/assets/completion $fpath)\nPATH=%s:$PATH\nPS1='ready> '\nautoload -Uz compinit; compinit -u -D\n"
            .. "cd %s\n"):format(support.root, support.tfl:match "^(.*)/", support.quote(support.path "work")))
        local t = terminal.start { program = "/bin/zsh", "-f", "-i" }
        t:wait "[%%#] *$"
        t:keys("source " .. support.path "rc" .. "; clear\r")
        t:wait "^ready>%s*$"
        for typed, expected in pairs {
            ["tfl mat"] = "tfl matrix", ["tfl check my"] = "tfl check my.lua", ["tfl my.lua -d f"] = "tfl my.lua -d far",
            ["tfl my.lua -p ra"] = "tfl my.lua -p rate=", ["tfl report fo"] = "tfl report folder",
            ["tfl my.lua --keep --jun"] = "tfl my.lua --keep --junit",
        } do
            t:keys(typed .. "\t")
            t:wait("ready> " .. expected:gsub("%p", "%%%0"))
            t:keys "\21"
            t:wait "ready> *$"
        end
        t:keys "tfl rep\t"
        t:wait "repl +%-%- start a cluster"
        t:keys "\21exit\r"
        assert.equal(0, t:finish())
    end)
end)
