-- A deployer of your own: where the nodes of this file run is up to `-d small` (also `-d local` still works). It makes each node a
-- small machine: limits on open files and on the size of any file it writes, by prlimit(1), which every Debian has and which needs no
-- root. The same few lines put a program under `strace`, `valgrind`, `taskset`, `ip netns exec`, `systemd-run`, `ssh`…
--
--     tfl scenarios/custom_deployer.lua -d small
--     tfl scenarios/custom_deployer.lua -d small -p files=64
--     tfl scenarios/custom_deployer.lua -d small -p twin=true    must fail: no file may grow beyond 96 kB, so nodes die (node_exited)
--     tfl scenarios/custom_deployer.lua -d supervised            the same nodes, started and looked after by the script alone
--     tfl help deployer                                          all that a deployer may have
local p = tfl.params{
  nodes = 3, duration = "16s",
  files = {256, help = "descriptors that a node may have open"},
  disk = {65536, help = "kB to which a file of a node may grow"},
  twin = {false, help = "the variant that must fail"},
}
if p.twin then p.disk = 96 end

-- The command that runs a node with its limits. node.spec is what the node's kind made: argv, env, cwd, log…; its files are written.
local function limited(node)
  local argv = {"prlimit", "--nofile=" .. p.files, "--fsize=" .. p.disk * 1024, "--"}
  return table.move(node.spec.argv, 1, #node.spec.argv, #argv + 1, argv)
end

-- The short way: node:spawn runs the program as tfl runs its own nodes. Stop, kill, pause, logs, clean-up come with it.
tfl.deployer("small", {
  start = function(node) return node:spawn(limited(node)) end,
})

-- The long way: whatever starts the program (here a shell that lets go of it), tfl is told a pid, or how to look and how to stop.
-- The functions run in tasks: they may wait, and those of different nodes run at the same time.
local supervised = tfl.deployer "supervised"

function supervised.prepare(plan)
  -- Anything that does not die with a process is undone by a command that you say BEFORE you make it. It is run at the end of every
  -- run, and by the guardian when tfl is killed.
  local folder = ("%s/supervised"):format(plan.dir)
  plan:undo{"rm", "-rf", folder}
  if not tfl.exec{"mkdir", folder}.ok then plan:fail("%s could not be made", folder) end
end

function supervised.start(node)
  -- setsid: nothing of tfl's holds the program any more, neither its process group nor its output. TFL_RUN_ID, which is in
  -- node.spec.env, is how tfl finds it whatever happens, so it must get all of that environment.
  local script = 'exec 3>&1 >>"$0" 2>&1 </dev/null; "$@" 3>&- & echo $! >&3'
  local command = {"setsid", "--wait", "sh", "-c", script, node.spec.log, env = node.spec.env, cwd = node.spec.cwd}
  for _, word in ipairs(limited(node)) do command[#command + 1] = word end
  local result = tfl.exec(command)
  if not result.ok then node:fail("it could not be started: %s", result.stderr) end
  return {pid = math.tointeger(tonumber(result.stdout))}     -- with a pid, tfl looks after it: alive, stop, pause need no function
end

tfl.scenario("custom_deployer")
  :topology_with(function(t) t:nodes(p.nodes):full() end)
  :enable_node_control()
  :with_workload(tfl.workload("restart", {start = function(_, ctx)
    ctx:wait_for_height(3)
    ctx:node(1):restart()
  end}))
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_recovery{within = "8s"}
  :build()
