-- From the start of `tfl repl` on a terminal until its first prompt can be typed at: three nodes, all online, their table shown.
local bench = require "scripts.bench.bench"

local SECONDS = [[
import os, pty, sys, time
start = time.monotonic()
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while b"\ntfl> " not in seen:
    seen += os.read(fd, 65536)
print("%.3f" % (time.monotonic() - start))
os.write(fd, b":quit\r")
try:
    while os.read(fd, 65536):
        pass
except OSError:
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
]]

local program = bench.dir .. "/prompt.py"
local file = assert(io.open(program, "w"))
file:write(SECONDS)
file:close()
local times = {}
for i = 1, 7 do
    local pipe = assert(io.popen(("XDG_STATE_HOME='%s/repl-state' TERM=xterm /usr/bin/python3 '%s' '%s' repl -n 3"):format(bench.dir,
        program, bench.tfl)))
    times[i] = assert(tonumber(pipe:read "l"), "no prompt came")
    assert(pipe:close(), "tfl repl did not end well")
end
bench.figure("repl, first prompt with 3 nodes, p50", bench.quantile(times, 0.5), "s", "<", 1.5)
bench.figure("repl, first prompt with 3 nodes, worst", bench.quantile(times, 1), "s", "<", 1.5)
