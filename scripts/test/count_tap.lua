--- Counts the TAP lines in the output of `ctest -V` and shows all of the programs that failed.
--   lua5.4 count_tap.lua FILE EXIT-CODE-OF-CTEST        counts to $TFL_COUNTS
local path, ctest_code = arg[1], tonumber(arg[2])
local passed, failed, skipped = 0, 0, 0
local names, output, broken = {}, {}, {}

for line in io.lines(path) do
    local id, text = line:match("^(%d+): (.*)$")
    if id then
        output[id] = output[id] or { failed = 0, planned = nil, seen = 0 }
        local program = output[id]
        program[#program + 1] = text
        program.planned = program.planned or tonumber(text:match("^1%.%.(%d+)"))
        local verdict = text:match("^(ok) %d") or text:match("^(not ok) %d")
        if verdict then
            program.seen = program.seen + 1
        end
        if text:match("^ok %d+.*# [Ss][Kk][Ii][Pp]") then
            skipped = skipped + 1
        elseif verdict == "ok" then
            passed = passed + 1
        elseif verdict == "not ok" then
            failed, program.failed = failed + 1, program.failed + 1
        end
    else
        local number, name = line:match("^%s*%d+/%d+ Test%s+#(%d+): (%S+)")
        if number then
            names[number] = name
            if not line:match("%s+Passed%s") then
                broken[number] = line
            end
        end
    end
end
for id, line in pairs(broken) do
    if (output[id] or { failed = 0 }).failed == 0 then -- it crashed, hung or could not be started: no test of it says so
        failed = failed + 1
    end
    print(line)
    print(table.concat(output[id] or {}, "\n"))
end
for id, program in pairs(output) do
    if not broken[id] and program.seen == 0 then
        print(("%s: no test of it ran"):format(names[id] or id))
        failed = failed + 1
    end
end
if next(output) == nil then
    print("ctest ran nothing: is build/dev built?")
    failed = failed + 1
elseif ctest_code ~= 0 and failed == 0 then
    print("ctest ended with code " .. ctest_code)
    failed = failed + 1
end
local counts = os.getenv("TFL_COUNTS")
local out = counts and assert(io.open(counts, "w")) or io.stdout
out:write(passed, " ", failed, " ", skipped, "\n")
if counts then
    out:close()
end
os.exit(failed == 0 and 0 or 1)
