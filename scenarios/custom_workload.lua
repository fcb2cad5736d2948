-- A workload of your own: it runs while the window is open and may bring its own expectations. This one reads blocks
-- from every node in turn, as an explorer would, and expects the nodes to answer while they make blocks.
local p = tfl.params{nodes = 4, duration = tfl.slots(60), every = {"100ms", type = "duration"}}

local reads = tfl.workload("reads", {count = 0, slowest = 0})

function reads:start(ctx)
  local turn = 0
  while true do                                  -- the window's end stops it
    local client = ctx:node(turn % #ctx:nodes()):client()
    local info = client:consensus_info()
    local block = client:block(info.tip)
    if block.header.id ~= info.tip then
      ctx:fail("asked for block %s, got %s", info.tip, block.header.id)
    end
    self.count = self.count + 1
    turn = turn + 1
    ctx:sleep(p.every)
  end
end

local answered = tfl.expectation("reads_answered")

function answered:evaluate(ctx)
  ctx:figure("reads", reads.count)
  local tips = {}
  for _, client in ipairs(ctx:node_clients()) do tips[#tips + 1] = client:consensus_info().height end
  if reads.count < 10 then
    ctx:fail("only %d reads were answered; the nodes are at heights %s", reads.count, table.concat(tips, ", "))
  end
end

reads.expectations = {answered}

tfl.scenario("custom_workload")
  :topology_with(function(t) t:nodes(p.nodes):ring() end)
  :with_run_duration(p.duration)
  :with_workload(reads)
  :expect_consensus_liveness()
  :build()
