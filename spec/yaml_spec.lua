-- tfl.core.yaml through the built tfl: text that other readers take the same way, and reading that cannot be misused.
local inside = require "spec.topology.inside"
local support = require "spec.support"

support.guard()

describe("emit", function()
    it("writes block style, sorted, with an order of its own where a map has one", function()
        local text = inside([[
            local yaml = require "tfl.core.yaml"
            return yaml.emit {
                b = 1, a = { x = { 1, 2, { y = true } }, empty = {} },
                c = setmetatable({ z = 1, n = 2, a = 3 }, { __order = { "z", "missing", "a" } }),
                map = setmetatable({}, { __jsontype = "object" }),
                big = math.maxinteger, small = math.mininteger, float = 0.1, whole = 3.0,
                null = yaml.null, tag = yaml.tagged("!File", { path = "x" }), bare = yaml.tagged("!Stdout", yaml.null),
            }
        ]])()
        assert.equal([[
a:
  empty: []
  x:
  - 1
  - 2
  - 'y': true
b: 1
bare: !Stdout
big: 9223372036854775807
c:
  z: 1
  a: 3
  'n': 2
float: 0.1
map: {}
'null': null
small: -9223372036854775808
tag: !File
  path: x
whole: 3.0
]], (text:gsub("Stdout *\n", "Stdout\n")))
    end)

    local STRINGS = {
        "plain", "", " ", "x y", "true", "True", "null", "~", "yes", "No", "on", "y", "123", "-5", "+7",
        "1.5", ".5", "1e5", "1234e56", "0x1F", "0o17", "0200", "1_000", "12:30:45", "2001-12-14", ".inf", ".nan",
        "-", "- a", "?", ": x", "a: b", "a #b", "#x",
        "*a", "&a", "!t", "|", ">", "%x", "@x", "`x", "'q'", "\"q\"", "a\nb", "a\n", "\ttab", "tr ", "ünïcødé ✓",
        "=", "<<", "---", "...", "[1]", "{a}", "a,b", "0.200000000", "127.0.0.1:80", "/ip4/127.0.0.1/tcp/80", "\1\127",
        "back\\slash", ("long "):rep(100),
    }

    it("gives strings back as the strings they were", function()
        local back = inside([[
            local yaml = require "tfl.core.yaml"
            local strings = ...
            return yaml.parse(yaml.emit(strings))
        ]])(STRINGS)
        assert.same(STRINGS, back)
    end)

    it("quotes what only YAML 1.1 would misread, and leaves the rest bare", function()
        local quoted = { "yes", "NO", "On", "off", "y", "N", "1_000", "12:30:45", "2001-12-14", "0b101", "=", "<<", "0200" }
        local bare = { "plain", "127.0.0.1:80", "/ip4/127.0.0.1/tcp/80", "node-0", "e397baada9", "1.2.3", "yesterday" }
        local text = inside([[
            local yaml = require "tfl.core.yaml"
            return { yaml.emit((...)), yaml.emit((select(2, ...))) }
        ]])(quoted, bare)
        assert.equal("- '" .. table.concat(quoted, "'\n- '") .. "'\n", text[1])
        assert.equal("- " .. table.concat(bare, "\n- ") .. "\n", text[2])
    end)

    it("refuses what has no YAML form", function()
        local errors = inside([[
            local yaml = require "tfl.core.yaml"
            local own, errors = {}, {}
            own[1] = own
            local values = {
                own, { 1, x = 2 }, { [1] = 1, [3] = 3 }, { print }, "\xff\xfe", ("x"):rep(5 << 20), { [1.5] = 1 },
            }
            for i, value in ipairs(values) do
                errors[i] = select(2, pcall(yaml.emit, value))
            end
            errors[#errors + 1] = select(2, pcall(yaml.tagged, "File", 1))
            return errors
        ]])()
        for i, says in ipairs({ "deeper than 64", "both list entries and named", "both list entries and named",
            "function has no YAML", "not UTF%-8", "longer than", "keys must be strings", 'starts with "!"' }) do
            assert.matches(says, errors[i])
        end
    end)
end)

describe("parse", function()
    it("resolves scalars by the core schema, integers intact", function()
        local v = inside([[
            local yaml = require "tfl.core.yaml"
            local v = yaml.parse(...)
            v.kinds = {
                math.type(v.int), math.type(v.float), math.type(v.big), type(v.quoted), tostring(v.null),
                tostring(v.list[2] == yaml.null),
            }
            v.list = nil
            return v
        ]])(table.concat({
            "int: 12", "float: 1.0", "hex: 0x1F", "octal: 0o17", "big: 9223372036854775807", "neg: -3", "t: true",
            "quoted: '12'", "str: yes", "null: ~", "list: [a, null, 1e3]", "text: |", "  line", "tagged: !!str 12",
            "zero: 007",
        }, "\n"))
        assert.same({ 12, 31, 15, -3, true, "12", "yes", "line\n", "12", 7 },
            { v.int, v.hex, v.octal, v.neg, v.t, v.quoted, v.str, v.text, v.tagged, v.zero })
        assert.same({ "integer", "float", "integer", "string", "nil", "true" }, v.kinds)
    end)

    it("keeps own tags, and writes them again as they were", function()
        local text = inside([[
            local yaml = require "tfl.core.yaml"
            local v = yaml.parse "logger: !File {directory: x, list: !L [1]}\nempty: {}\n"
            assert(v.logger.tag == "!File" and v.logger.value.list.value[1] == 1)
            return yaml.emit(v)
        ]])()
        assert.equal("empty: {}\nlogger: !File\n  directory: x\n  list: !L\n  - 1\n", text)
    end)

    it("names the line of what it refuses", function()
        local errors = inside([[
            local errors = {}
            for i, text in ipairs((...)) do
                errors[i] = tostring(select(2, pcall(require("tfl.core.yaml").parse, text)))
            end
            return errors
        ]])({
            "a: 1\nb: &x [1]\nc: *x", "a: 1\n\na: 2", "a: ~\na: ~", "a:\n  b: [1,\nc", "x: 1\n---\ny: 2", "{[a]: 1}",
            "\n\na: 99999999999999999999", ("["):rep(200), "\n\t- x", "a: \"x\\0y\"", "- x\n-y: : :", ("x: 1\n"):rep(3),
        })
        for i, says in ipairs({
            "line 3: aliases", 'line 3: the key "a" is there twice %(first in line 1%)', 'line 2: the key "a"',
            "line %d+: ", "line 2: a second document", "line 1: a key must be a scalar",
            "line 3: the integer 9+ does not fit", "deeper than 64", "line 2: ", "zero byte", "line 2: ", 'line 2: the key "x"',
        }) do
            assert.matches("yaml: ", errors[i])
            assert.matches(says, errors[i])
        end
    end)

    it("takes hostile text without harm", function()
        local count = inside([[
            local yaml = require "tfl.core.yaml"
            local seed, refused = 12345, 0
            local function random(n)
                seed = (seed * 1103515245 + 12345) & 0x7fffffff
                return seed // 7 % n + 1
            end
            local alphabet = {
                "a", ":", " ", "\n", "-", "[", "]", "{", "}", ",", "'", '"', "|", "!", "&", "*", "#", "%", "\t", "0", "~", "é",
                "\0", "?",
            }
            for _ = 1, 3000 do
                local parts = {}
                for i = 1, random(40) do
                    parts[i] = alphabet[random(#alphabet)]
                end
                local ok, value = pcall(yaml.parse, table.concat(parts))
                if ok then
                    yaml.emit(value)
                else
                    refused = refused + 1
                end
            end
            return refused
        ]])()
        assert.is_true(count > 1000 and count < 3000)
    end)
end)
