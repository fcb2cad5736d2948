-- The load generator against a server that only answers 200 (nginx, one worker), as a share of what wrk reaches with the same POST in
-- the same run; how late it is at 2,000 a second; the memory of a million followed transactions.
local bench = require "scripts.bench.bench"

local SECONDS, LANES, RATE, FOLLOWED = 4, 64, 2000, 1000000
local program = bench.tfl:gsub("/tfl$", "/bench_load")
local dir = bench.dir .. "/load"

local function sh(command)
    local pipe = assert(io.popen(command .. " 2>&1"))
    local text = pipe:read "a"
    local ok = pipe:close()
    assert(ok, command .. ": " .. text)
    return text
end

--- Runs bench_load; its NAME=VALUE lines as a table of numbers.
local function measure(...)
    local values = {}
    for name, value in sh(table.concat({ program, ... }, " ")):gmatch "(%w+_?%w*_?%w*)=(%S+)" do values[name] = tonumber(value) end
    return values
end

local function write(name, text)
    local file = assert(io.open(dir .. "/" .. name, "w"))
    file:write(text)
    file:close()
    return dir .. "/" .. name
end

local CONF = [[
worker_processes 1; daemon off; pid DIR/pid; error_log DIR/error.log; user USER;
events { worker_connections 1024; }
http {
    access_log off; keepalive_requests 1000000000; client_body_buffer_size 64k;
    client_body_temp_path DIR/1; proxy_temp_path DIR/2; fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;
    server { listen 127.0.0.1:PORT; location / { default_type application/json; return 200 "null"; } }
}
]]

--- Starts nginx on a free port; gives its pid and URL.
local function start_nginx()
    for port = 18080, 18180 do
        local values = { DIR = dir, PORT = port, USER = sh("id -un"):match "%S+" }
        local conf = write("nginx.conf", (CONF:gsub("%u%u%u+", values)))
        os.remove(dir .. "/pid")
        os.execute(("nginx -p %s -c %s -e %s/error.log >/dev/null 2>&1 &"):format(dir, conf, dir))
        local ok, pid = pcall(bench.eventually, 3, "nginx", function()
            return math.tointeger(tonumber(bench.read(dir .. "/pid")))
        end)
        if ok then return pid, "http://127.0.0.1:" .. port end
    end
    error("nginx does not start; see " .. dir .. "/error.log")
end

os.execute("mkdir -p " .. dir)
sh(("ninja -C %s bench_load"):format(bench.tfl:gsub("/bin/tfl$", "")))
local pid, url = start_nginx()
local script = write("post.lua", ([[
wrk.method, wrk.headers["Content-Type"], wrk.body = "POST", "application/json", %q
]]):format(sh(program .. " body"):match "%S+"))

local function wrk()
    return assert(tonumber(sh(("wrk -t1 -c%d -d%ds -s %s %s/mempool/add/tx"):format(LANES, SECONDS, script, url))
        :match "Requests/sec:%s*(%S+)"))
end

local ok, problem = pcall(function()
    local before = wrk()
    local post = measure("post", url, SECONDS, LANES)
    local after = wrk() -- the machine may be busier than it was
    local theirs = (before + after) / 2
    assert(post.other == 0, "transactions were not accepted")
    bench.figure("load: POSTs a second", post.rate, "1/s", ">=", 0.35 * theirs)
    bench.figure("load: share of wrk's rate", 100 * post.rate / theirs, "%", ">=", 35)
    bench.figure("load: signing a transfer", post.sign_us, "us", "<", 200)
    local late, bare = {}, {} -- in turns: the host's own lateness comes and goes
    for i = 1, 3 do
        bare[i] = measure("timer", RATE, SECONDS).lag_p99_us
        local pace = measure("pace", url, RATE, SECONDS)
        assert(pace.accepted == pace.planned, "transactions were not accepted")
        late[i] = pace.lag_p99_us
    end
    table.sort(late)
    table.sort(bare)
    bench.figure(("load: late at 2,000/s, p99 (host %.2f)"):format(bare[2] / 1000), late[2] / 1000, "ms", "<", 1)
end)
os.execute("kill " .. pid)
assert(ok, problem)

local follow = measure("follow", FOLLOWED)
assert(follow.included == FOLLOWED and follow.final > 0.9 * FOLLOWED, "transactions were not followed")
bench.figure("load: 1,000,000 followed", follow.mb, "MB", "<", 200)
