--- The canonical chain of a run, replayed from genesis in tfl: every block is read once from some node, checked to be the one the feed
--- knows by its id, and every transaction judged against a ledger of tfl's own.
local errors = require "tfl.errors"
local ledger = require "tfl.core.ledger"
local wait = require "tfl.core.wait"

local M = {}

--- Transactions judged before the loop gets its turn.
local SLICE = 64
local ANSWER_SECONDS = 5

--- Hands the next block to the replay, from the first node that has it.
local function read(run, replay, id)
    local last
    for _, name in ipairs(run:live_nodes()) do
        local ok, err = pcall(replay.read, replay, run.clients[name], id, { timeout = ANSWER_SECONDS })
        if ok then return end
        last = err
    end
    error(last or errors.new("not_found", "no node is left to ask for block %s", id), 0)
end

local function replay_all(run)
    local replay, blocks = ledger.replay(), run.feed:canonical { nodes = run:live_nodes() }
    replay:add_genesis(run.plan)
    while replay:step(SLICE) do wait.sleep(0) end
    for _, block in ipairs(blocks) do
        read(run, replay, block.id)
        while replay:step(SLICE) do wait.sleep(0) end
    end
    local report = replay:report()
    local tip = #blocks > 0 and blocks[#blocks].id or run.plan.genesis_id
    if report.tip ~= tip then
        error(errors.new("bad_reply", "the blocks that nodes gave end in %s, and the chain in %s", report.tip, tip), 0)
    end
    return report
end

--- The report of the replay (see bindings/ledger.c), made once a run; nil and why not when the blocks cannot be had. Waits.
---@param run table
---@return table|nil report, string|nil message
function M.of(run)
    if not run.replayed then
        local ok, result = pcall(replay_all, run)
        run.replayed = ok and { report = result } or { message = errors.text(result) }
    end
    return run.replayed.report, run.replayed.message
end

return M
