--- What `tfl test` came to: lines as tests end, and at its end a line of JSON and JUnit XML.
local errors = require "tfl.errors"
local hand = require "tfl.hand"
local json = require "tfl.core.json"
local junit = require "tfl.junit"
local output = require "tfl.output"
local quote = require("tfl.summary").quote
local sys = require "tfl.core.sys"
local task = require "tfl.core.task"
local text = require "tfl.text"
local verdict = require "tfl.verdict"

local M = {}

local FAIL, USAGE, INFRA, INTERRUPTED = 1, 2, 3, 130
local MARKS = { passed = "✓", failed = "✗", error = "✗", pending = "-" }

---@class tfl.TestResult
---@field file string
---@field name string "describe › it"; of what is no test where it went wrong
---@field status "passed"|"failed"|"error"|"pending"
---@field seconds number
---@field message? string
---@field evidence? string folder of the cluster's run

---@class tfl.TestResults
---@field tests tfl.TestResult[]
local Results = {}
Results.__index = Results

local function say(fmt, ...) sys.write(1, select("#", ...) > 0 and fmt:format(...) or fmt) end

--- Begins. Raises usage when the JUnit report cannot be written.
---@param args table of the command line
---@param seed integer
---@return tfl.TestResults
function M.new(args, seed)
    if args.junit then output.write(args.junit, junit.document {}) end
    return setmetatable({
        args = args, seed = seed, tests = {}, t0 = task.now(), outside = 0, started_at = os.date "!%Y-%m-%dT%H:%M:%SZ",
        counts = { passed = 0, failed = 0, error = 0, pending = 0 },
    }, Results)
end

--- A test is over: its line, and what went wrong.
---@param test tfl.TestResult
---@param problems string[]
function Results:test(test, problems)
    test.message = #problems > 0 and table.concat(problems, "\n") or nil
    self.tests[#self.tests + 1] = test
    self.counts[test.status] = self.counts[test.status] + 1
    say("  %s %s (%.1fs)\n", MARKS[test.status], text.clean(test.name), test.seconds)
    for _, one in ipairs(problems) do say("      %s\n", (one:gsub("\n", "\n      "))) end
    if test.evidence then say("      evidence  %s\n", test.evidence) end
end

--- Something that is no test went wrong: the file, a setup, what is left of a cluster.
---@param file string
---@param place string|nil
---@param message string
function Results:problem(file, place, message)
    self.outside = self.outside + 1
    self.counts.error = self.counts.error + 1
    self.tests[#self.tests + 1] = { file = file, name = place or "tfl test", status = "error", seconds = 0, message = message }
    say("  ✗ %s%s\n", place and text.clean(place) .. ": " or "", message)
end

function Results:any() return #self.tests > 0 end

function Results:code(interrupted)
    if interrupted then return hand.unsafe() and FAIL or INTERRUPTED end -- as a run does: safety has failed for good
    return self.outside > 0 and USAGE or self.counts.failed + self.counts.error > 0 and FAIL or 0
end

--- A suite for each file, in the order in which they were run.
local function suites(self)
    local list, by_file = {}, {}
    local tags = { failed = "failure", error = "error", pending = "skipped" }
    for _, test in ipairs(self.tests) do
        local again = ("tfl test %s%s --seed %d"):format(self.args.deployer ~= "local" and "-d " .. self.args.deployer .. " " or "",
            quote(test.file), self.seed)
        local suite = by_file[test.file]
        if not suite then
            suite = {
                name = test.file, seed = self.seed, seconds = 0, started_at = self.started_at, again = again, cases = {},
                properties = { { "file", test.file }, { "deployer", self.args.deployer }, { "seed", self.seed } },
            }
            by_file[test.file], list[#list + 1] = suite, suite
        end
        suite.seconds = suite.seconds + test.seconds
        table.insert(suite.cases, {
            class = test.file, name = test.name, seconds = test.seconds, tag = tags[test.status], code = test.status,
            message = test.message, dir = test.evidence, again = again,
        })
    end
    return list
end

--- Says and writes what there is; gives the exit code.
---@param interrupted boolean
---@return integer
function Results:finish(interrupted)
    local counts, code = self.counts, self:code(interrupted)
    say("%d passed, %d failed, %d errors%s · seed %d\n", counts.passed, counts.failed, counts.error,
        counts.pending > 0 and (", %d pending"):format(counts.pending) or "", self.seed)
    local ok, err = pcall(function()
        if self.args.junit then sys.write_file(self.args.junit, sys.redact(junit.document(suites(self)))) end
    end)
    if not ok then
        sys.write(2, ("tfl: %s\n"):format(text.clean(errors.text(err))))
        code = code == 0 and INFRA or code
    end
    if self.args.json then
        say("%s\n", json.encode {
            version = 1, verdict = verdict.of_exit(code), exit_code = code, seed = self.seed, deployer = self.args.deployer,
            started_at = self.started_at, seconds = task.now() - self.t0, passed = counts.passed, failed = counts.failed,
            errors = counts.error, pending = counts.pending, tests = self.tests,
        })
    end
    return code
end

return M
