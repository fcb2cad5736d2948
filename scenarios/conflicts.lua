-- One note, spent twice at two nodes at once: exactly one of the two may become final, on every node.
--
--     tfl scenarios/conflicts.lua --seed 1
--
-- A wallet and its twin hold the same key and know the same note of genesis; neither knows what the other spends. In a star the outer
-- nodes hear of each other only through the centre, so each takes its transfer before it hears of the other one. Only when both were
-- accepted was there a conflict at all: else the run is inconclusive.
local p = tfl.params{
  nodes = {3, help = "at least 3: two that are given the transfers, and one between them"},
  conflicts = {3, help = "notes that are spent twice, each by wallets of its own"},
  duration = tfl.slots(60),
}

local pairs_sent = {}   -- {first = hash, second = hash, left =, right = node names} of each pair that both nodes accepted

-- Sends tx to the node; the error says why not.
local function submit(node, tx)
  local ok, err = tfl.try(function() return node:client():submit_transaction(tx) end)
  return ok, not ok and err.message
end

local spender = tfl.workload("double_spender")

function spender:start(ctx)
  local wallets = ctx:wallet_accounts()
  local last = #ctx:nodes() - 1
  for i = 1, p.conflicts do
    local owner, to, other = wallets[3 * i - 2], wallets[3 * i - 1], wallets[3 * i]
    local first = owner:transfer{to = to, amount = 100}
    local second = owner:twin():transfer{to = other, amount = 60}     -- another amount: another transaction
    local left, right = ctx:node(last - 1), ctx:node(last)
    local accepted, why = {}, {}
    local task = ctx:spawn(function() accepted[1], why[1] = submit(left, first) end)
    accepted[2], why[2] = submit(right, second)
    task:wait()
    if accepted[1] and accepted[2] then
      pairs_sent[#pairs_sent + 1] = {first = first.hash, second = second.hash, left = left.name, right = right.name}
      ctx:log("%s has %s, %s has %s", left.name, first.hash:sub(1, 8), right.name, second.hash:sub(1, 8))
    else
      ctx:log("no conflict: %s", why[1] or why[2])
    end
    ctx:sleep(tfl.blocks(2))
  end
end

local one_of_two = tfl.expectation("one_of_two")

function one_of_two:evaluate(ctx)
  local feed = ctx:block_feed()
  if #pairs_sent == 0 then ctx:inconclusive("no two nodes accepted both transfers: there was no conflict") end
  for _, pair in ipairs(pairs_sent) do
    local function final(hash)
      local seen = feed:transaction(hash)
      return seen ~= nil and seen.final
    end
    local decided = tfl.try(ctx.eventually, ctx, function() return final(pair.first) or final(pair.second) end,
      {within = tfl.slots(120)})
    if not decided then
      ctx:fail("neither %s nor %s became final", pair.first, pair.second)
    elseif final(pair.first) and final(pair.second) then
      ctx:fail("one note was spent twice, by %s and %s, and both are final", pair.first, pair.second)
    end
  end
  ctx:figure("conflicts", #pairs_sent)
end

spender.expectations = {one_of_two}

tfl.scenario("conflicts")
  :topology_with(function(t) t:nodes(p.nodes):network_star():slot_duration("100ms") end)
  :wallets(3 * p.conflicts, {balance = 100})
  :with_workload(spender)
  :with_run_duration(p.duration)
  :expect_consensus_liveness()
  :expect_conservation()
  :expect_no_double_spend()
  :build()
