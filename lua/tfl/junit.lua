--- JUnit XML: a suite for each run, a case for each expectation and problem, in the strict form that all readers take (every attribute
--- and element of the schema of Ant's JUnit task is there).
local sys = require "tfl.core.sys"
local text = require "tfl.text"

local M = {}

local escapes = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;" }

--- Text for XML: what XML cannot hold is told in other characters.
local function xml(value)
    return (text.plain(value):gsub("\239\191[\190\191]", "?"):gsub('[&<>"]', escapes))
end

local function testcase(s, name, tag, code, message)
    local line = ('    <testcase classname="%s" name="%s" time="%.3f"'):format(xml(s.scenario), xml(name), s.wall_seconds)
    if not tag then return line .. "/>" end
    message = tostring(message or "")
    if tag == "skipped" then return ('%s>\n      <skipped message="%s"/>\n    </testcase>'):format(line, xml(code .. ": " .. message)) end
    return ('%s>\n      <%s type="%s" message="%s">%s</%s>\n    </testcase>'):format(line, tag, xml(code), xml(message:match "^[^\n]*"),
        xml(("%s\nagain: %s\nevidence: %s"):format(message, s.again, s.dir)), tag)
end

--- What a verdict is in a case: nothing of a pass.
local function tag_of(verdict, inconclusive_as)
    if verdict == "inconclusive" then
        return inconclusive_as == "fail" and "failure" or inconclusive_as ~= "pass" and "skipped" or nil
    end
    return verdict == "fail" and "failure" or verdict ~= "pass" and "error" or nil
end

local function suite(s, id, host, out)
    local cases, count = {}, { failure = 0, error = 0, skipped = 0 }
    local function case(name, tag, code, message)
        if tag then count[tag] = count[tag] + 1 end
        cases[#cases + 1] = testcase(s, name, tag, tostring(code), message)
    end
    for _, e in ipairs(s.expectations) do case(e.name, tag_of(e.verdict, s.inconclusive_as), e.code, e.message) end
    for _, problem in ipairs(s.problems) do
        case("run", problem.verdict == "fail" and "failure" or "error", problem.code, problem.message)
    end
    local name = xml(s.scenario)
    out[#out + 1] = ('  <testsuite name="%s seed %d" package="%s" id="%d" hostname="%s" tests="%d" failures="%d" errors="%d" '
        .. 'skipped="%d" time="%.3f" timestamp="%s">'):format(name, s.seed, name, id, host, #cases, count.failure, count.error,
        count.skipped, s.wall_seconds, s.started_at:gsub("Z$", ""))
    out[#out + 1] = "    <properties>"
    local properties = { { "file", s.file }, { "deployer", s.deployer }, { "seed", s.seed }, { "topology", s.topology } }
    for _, pair in ipairs(s.given or {}) do properties[#properties + 1] = { "param." .. pair[1], pair[2] } end
    for _, pair in ipairs(properties) do
        if pair[2] then out[#out + 1] = ('      <property name="%s" value="%s"/>'):format(xml(pair[1]), xml(pair[2])) end
    end
    out[#out + 1] = "    </properties>"
    table.move(cases, 1, #cases, #out + 1, out)
    out[#out + 1] = ("    <system-out>again: %s</system-out>\n    <system-err/>\n  </testsuite>"):format(xml(s.again))
end

--- JUnit XML of one or more summaries.
---@param summaries table[] as summary.json; `given` = {{name, value}…}: parameters to be told
---@return string
function M.render(summaries)
    local host = xml((sys.read_file "/proc/sys/kernel/hostname" or ""):match "%S+" or "localhost")
    local out = { '<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>" }
    for i, s in ipairs(summaries) do suite(s, i - 1, host, out) end
    out[#out + 1] = "</testsuites>"
    return table.concat(out, "\n") .. "\n"
end

return M
