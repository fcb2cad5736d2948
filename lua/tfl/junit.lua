--- JUnit XML: a suite for each run, a case for each expectation and problem (of `tfl test`: for each file, and for each test), in the
--- strict form that all readers take (every attribute and element of the schema of Ant's JUnit task is there).
local sys = require "tfl.core.sys"
local text = require "tfl.text"

local M = {}

local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- Text for XML: what XML cannot hold is told in other characters.
local function xml(value)
    return (text.plain(sys.redact(tostring(value))):gsub("\239\191[\190\191]", "?"):gsub('[&<>"]', escapes))
end

local function testcase(case)
    local line = ('    <testcase classname="%s" name="%s" time="%.3f"'):format(xml(case.class), xml(case.name), case.seconds)
    if not case.tag then return line .. "/>" end
    local code, message, tag = tostring(case.code), tostring(case.message or ""), case.tag
    if tag == "skipped" then
        return ('%s>\n      <skipped message="%s"/>\n    </testcase>'):format(line, xml(message == "" and code or code .. ": " .. message))
    end
    local body = ("%s\nagain: %s"):format(message, case.again) .. (case.dir and "\nevidence: " .. case.dir or "")
    return ('%s>\n      <%s type="%s" message="%s">%s</%s>\n    </testcase>'):format(line, tag, xml(code), xml(message:match "^[^\n]*"),
        xml(body), tag)
end

--- What a verdict is in a case: nothing of a pass.
local function tag_of(verdict, inconclusive_as)
    if verdict == "inconclusive" then
        return inconclusive_as == "fail" and "failure" or inconclusive_as ~= "pass" and "skipped" or nil
    end
    return verdict == "fail" and "failure" or verdict ~= "pass" and "error" or nil
end

local function suite(s, id, host, out)
    local count, name = { failure = 0, error = 0, skipped = 0 }, xml(s.name)
    for _, case in ipairs(s.cases) do
        if case.tag then count[case.tag] = count[case.tag] + 1 end
    end
    out[#out + 1] = ('  <testsuite name="%s seed %d" package="%s" id="%d" hostname="%s" tests="%d" failures="%d" errors="%d" '
        .. 'skipped="%d" time="%.3f" timestamp="%s">'):format(name, s.seed, name, id, host, #s.cases, count.failure, count.error,
        count.skipped, s.seconds, s.started_at:gsub("Z$", ""))
    out[#out + 1] = "    <properties>"
    for _, pair in ipairs(s.properties) do
        if pair[2] then out[#out + 1] = ('      <property name="%s" value="%s"/>'):format(xml(pair[1]), xml(pair[2])) end
    end
    out[#out + 1] = "    </properties>"
    for _, case in ipairs(s.cases) do out[#out + 1] = testcase(case) end
    out[#out + 1] = ("    <system-out>again: %s</system-out>\n    <system-err/>\n  </testsuite>"):format(xml(s.again))
end

---@class tfl.JunitCase
---@field class string
---@field name string
---@field seconds number
---@field tag? "failure"|"error"|"skipped" nothing of a pass
---@field code? any
---@field message? string
---@field dir? string where its evidence is
---@field again string

---@class tfl.JunitSuite
---@field name string
---@field seed integer
---@field seconds number
---@field started_at string UTC
---@field again string
---@field properties table[] {name, value}…
---@field cases tfl.JunitCase[]

--- JUnit XML of suites.
---@param suites tfl.JunitSuite[]
---@return string
function M.document(suites)
    local host = xml((sys.read_file "/proc/sys/kernel/hostname" or ""):match "%S+" or "localhost")
    local out = { '<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>" }
    for i, s in ipairs(suites) do suite(s, i - 1, host, out) end
    out[#out + 1] = "</testsuites>"
    return table.concat(out, "\n") .. "\n"
end

local function of_run(s)
    local cases = {}
    local function case(name, tag, code, message)
        cases[#cases + 1] = {
            class = s.scenario, name = name, seconds = s.wall_seconds, tag = tag, code = code, message = message, dir = s.dir,
            again = s.again,
        }
    end
    for _, e in ipairs(s.expectations) do case(e.name, tag_of(e.verdict, s.inconclusive_as), e.code, e.message) end
    for _, problem in ipairs(s.problems) do
        case("run", problem.verdict == "fail" and "failure" or "error", problem.code, problem.message)
    end
    local properties = { { "file", s.file }, { "deployer", s.deployer }, { "seed", s.seed }, { "topology", s.topology } }
    for _, pair in ipairs(s.given or {}) do -- redacted while name and value are together
        properties[#properties + 1] = { "param." .. pair[1], sys.redact(("%s=%s"):format(pair[1], pair[2])):sub(#pair[1] + 2) }
    end
    return {
        name = s.scenario, seed = s.seed, seconds = s.wall_seconds, started_at = s.started_at, again = s.again, properties = properties,
        cases = cases,
    }
end

--- JUnit XML of one or more summaries.
---@param summaries table[] as summary.json; `given` = {{name, value}…}: parameters to be told
---@return string
function M.render(summaries)
    local suites = {}
    for i, s in ipairs(summaries) do suites[i] = of_run(s) end
    return M.document(suites)
end

return M
