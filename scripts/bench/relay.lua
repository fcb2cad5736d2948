-- What the relay in a link costs, how exactly it delays, and how soon a fault is in force.
local bench = require "scripts.bench.bench"

local program = bench.tfl:gsub("/tfl$", "/bench_relay")

local function sh(command)
    local pipe = assert(io.popen(command .. " 2>&1"))
    local text = pipe:read "a"
    assert(pipe:close(), command .. ": " .. text)
    return text
end

local function measure(...)
    local values = {}
    for name, value in sh(table.concat({ program, ... }, " ")):gmatch "([%w_]+)=(%S+)" do values[name] = tonumber(value) end
    return values
end

sh(("ninja -C %s bench_relay"):format(bench.tfl:gsub("/bin/tfl$", "")))
local added = measure("added", 20000)
local more = added.through_p50_us - added.straight_p50_us
bench.figure(("relay: added at p50 (straight %.1f)"):format(added.straight_p50_us), more, "us", "<", 100)
local delay = measure("delay", 10, 500)
bench.figure("relay: 10 ms asked, least", delay.least_ms, "ms", ">=", 10)
bench.figure(("relay: 10 ms, p99 (host %.2f)"):format(delay.host_p99_ms), delay.p99_ms, "ms", "<", 11)
local shaped = measure("shaped", 200, 5)
assert(shaped.passed > 0.95 * shaped.sent, "messages are missing")
bench.figure("relay: 200 shaped links", 100 * shaped.cpu, "% of a core", "<", 100)
local fault = measure("fault", 200, 200)
bench.figure("relay: cut of 200 links, p99", fault.cut_p99_ms, "ms", "<", 5)
bench.figure(("relay: heal of 200, p99 (p50 %.1f)"):format(fault.heal_p50_ms), fault.heal_p99_ms, "ms", "<", 5)
local dial = measure("dial", 2000)
bench.figure(("relay: dialler found, p50 (edge %.0f)"):format(dial.edge_p50_us), dial.inbound_p50_us - dial.edge_p50_us, "us", "<", 500)
bench.figure(("relay: dialler found, p99 (edge %.0f)"):format(dial.edge_p99_us), dial.inbound_p99_us - dial.edge_p99_us, "us", "<", 5000)
