-- The report of a run of 100,000 blocks and 100,000 transactions on three nodes: made, its size, and opened in a browser.
local bench = require "scripts.bench.bench"

local BLOCKS, TRANSACTIONS, NODES, SLOT = 100000, 100000, 3, 0.2
local dir = bench.dir .. "/report-run"
os.execute(("rm -rf '%s' && mkdir -p '%s/logs'"):format(dir, dir))

local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "wb"))
    file:write(text)
    file:close()
end

local function id(n) return ("%016x"):format(n * 0x9E3779B97F4A7C15):rep(4) end

--- One block in nine is off the chain, on branches of one to three blocks; each node adopts and finalises what is on it.
local function chain(file)
    local made, height, parent, forks, off = 0, 0, id(0), 0, 0
    file:write(('{"t":0.1,"type":"block","slot":0,"height":0,"id":"%s","transactions":0}\n'):format(parent))
    local line = '{"t":%.6f,"type":"block","node":"node-%d","slot":%d,"height":%d,"id":"%s","parent":"%s","transactions":1}\n'
    local past = {}
    while made < BLOCKS do
        local slot, t = made + 1, 1 + made * SLOT
        if made % 27 == 20 then
            local up = parent
            for k = 1, 3 do
                if k <= 1 + made % 3 and made < BLOCKS then
                    made = made + 1
                    file:write(line:format(t, made % NODES, slot + k, height + k, id(made), up))
                    up, off = id(made), off + 1
                end
            end
            forks = forks + 1
        else
            made, height = made + 1, height + 1
            file:write(line:format(t, made % NODES, slot, height, id(made), parent))
            parent = id(made)
            past[height] = parent
            for node = 0, NODES - 1 do
                file:write(('{"t":%.6f,"type":"adopt","node":"node-%d","slot":%d,"height":%d,"id":"%s"}\n'):format(t + 0.001 * node, node,
                    slot, height, parent))
                if height > 20 then
                    file:write(('{"t":%.6f,"type":"final","node":"node-%d","slot":%d,"height":%d,"id":"%s","count":1}\n'):format(
                        t + 0.001 * node, node, slot - 20, height - 20, past[height - 20]))
                end
            end
            if made % 50 == 0 then
                file:write(('{"t":%.6f,"type":"reorg","node":"node-1","slot":%d,"height":%d,"id":"%s","depth":%d,"from":"%s"}\n'):format(t,
                    slot, height, parent, 1 + made % 3, parent))
            end
        end
    end
    return { observed = made, canonical = made - off, forks = forks, tip = parent, common = parent, canonical_height = height,
        final_height = height - 20, max_reorg_depth = 3, expected = made, required = 1 }
end

local function load(file, seconds)
    for first = 1, TRANSACTIONS, 2000 do
        local columns = { {}, {}, {}, {}, {} }
        for i = first, math.min(first + 1999, TRANSACTIONS) do
            local row = { seconds * 1e6 // TRANSACTIONS * i, 80 + i % 40, 600 + i % 900, 80000 + i * 7919 % 900000, 4e6 + i * 31 % 700000 }
            for k, value in ipairs(row) do columns[k][#columns[k] + 1] = ("%d"):format(value // 1) end
        end
        file:write(('{"t":%.3f,"type":"transaction_times","first":%d,"began":1.0'):format(seconds, first))
        for k, name in ipairs { "intended", "sent", "accepted", "included", "final" } do
            file:write((',"%s":[%s]'):format(name, table.concat(columns[k], ",")))
        end
        file:write "}\n"
    end
end

local file = assert(io.open(dir .. "/events.jsonl", "wb"))
file:write('{"version":1,"run_id":"bench","scenario":"bench","seed":1}\n{"t":1.0,"type":"window","s0":1,"s1":100000000}\n')
local blocks = chain(file)
load(file, BLOCKS * SLOT)
file:close()
local latency = ('{"n":%d,"p50":500,"p95":900,"p99":980,"max":990}'):format(TRANSACTIONS)
local nodes, fields = {}, {}
for i = 1, NODES do
    nodes[i] = ('{"name":"node-%d","height":%d,"lib":%d,"tip":"%s"}'):format(i - 1, blocks.canonical_height, blocks.final_height,
        blocks.tip)
end
for name, value in pairs(blocks) do
    fields[#fields + 1] = ('"%s":%s'):format(name, type(value) == "string" and '"' .. value .. '"' or value)
end
write("plan.json", '{"scenario":"bench","seed":1}')
write("summary.json", ([[{"version":1,"verdict":"pass","exit_code":0,"scenario":"bench","seed":1,"wall_seconds":%g,"blocks":{%s},
"nodes_detail":[%s],"transactions":{"planned":%d,"sent":%d,"accepted":%d,"included":%d,"final":%d,"latency_ms":{"accepted":%s,
"included":%s,"final":%s}},"expectations":[],"faults":[],"phases":[],"again":"tfl bench.lua"}]]):format(BLOCKS * SLOT + 3,
    table.concat(fields, ","), table.concat(nodes, ","), TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, TRANSACTIONS, latency,
    latency, latency))

local page = bench.dir .. "/report.html"
local began = bench.now()
assert(os.execute(("'%s' report '%s' --out '%s' >/dev/null"):format(bench.tfl, dir, page)))
bench.figure("report of 100,000 blocks: made in", bench.now() - began, "s", "<", 5)
bench.figure("report of 100,000 blocks: size", #bench.read(page) / 1e6, "MB", "<", 10)

-- the browser's own start is part of it; the last thing that the script does is to draw the block tree
began = bench.now()
local dom = bench.dir .. "/report.dom"
assert(os.execute(("chromium --headless --no-sandbox --disable-gpu --user-data-dir='%s' --dump-dom 'file://%s' >'%s' 2>/dev/null"):format(
    bench.dir .. "/chromium", page, dom)))
bench.figure("report of 100,000 blocks: opened in", bench.now() - began, "s", "<", 3)
assert(bench.read(dom):find('data-block="119"', 1, true), "the block tree was not drawn; see " .. dom)
