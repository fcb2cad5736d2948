-- tfl.core.record inside the built tfl.
local dkjson = require "dkjson"
local in_run = require "spec.support.in_run"
local support = require "spec.support"
support.guard()

it("writes events, files and its own failures into a folder that it guards", function()
    local got, result = in_run([[
        local record, task = require "tfl.core.record", require "tfl.core.task"
        local r = record.open{scenario = "other", seed = -3, out = ..., head = {deployer = "none"}}
        local in_use = select(2, pcall(record.open, {scenario = "other", seed = 1, out = ...})).code
        r:event("plain")
        r:set_genesis{genesis_time_ms = task.wall_ms() - 19800000, slot_ms = 3600000}
        r:event("rich", {n = math.maxinteger, list = {1, 2}, inner = {a = "b"}})
        r:write("note.txt", "text")
        local bad = select(2, pcall(r.write, r, "../note.txt", "text")).code
        local list_refused = not pcall(r.event, r, "list", {1, 2})
        local no_error = r:error() == nil
        pcall(r.write, r, "logs", "a folder is in the way")
        local err = r:error()
        local run_id = r:run_id()
        r:close()
        r:close()
        r:event("late")
        return {in_use = in_use, bad = bad, list_refused = list_refused, no_error = no_error, code = err.code,
            kept = r:error().message, dir = r:dir(), closed = not pcall(r.write, r, "x", "y"), run_id = run_id}
    ]], support.path "out")
    assert.equal("wrong_state", got.in_use, result.text)
    assert.equal("usage", got.bad)
    assert.is_true(got.list_refused and got.no_error and got.closed)
    assert.equal("io", got.code)
    assert.truthy(got.kept:find "/logs")
    assert.equal(support.path "out", got.dir)
    assert.truthy(got.run_id:find "^out%-%x+$", got.run_id)
    assert.equal("text", support.read(support.path "out/note.txt"))
    local lines = {}
    for line in support.read(support.path "out/events.jsonl"):gmatch "[^\n]+" do lines[#lines + 1] = dkjson.decode(line) end
    assert.equal(3, #lines)
    assert.equal("none", lines[1].deployer)
    assert.equal(-3, lines[1].seed)
    assert.equal("plain", lines[2].type)
    assert.is_nil(lines[2].slot)
    assert.equal(5, lines[3].slot)
    assert.same({ 1, 2 }, lines[3].list)
    assert.equal(math.maxinteger, lines[3].n)
end)
