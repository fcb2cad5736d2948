---@meta

--- Every block of every node, as one graph and one log (bindings/block_feed.c). Blocks are {id, parent, slot, height, n_transactions,
--- final, first_seen, first_node}.
---@class tfl.Feed
local feed = {}

--- Events in order, each once: for event in feed:subscribe() do … end waits for the next. All have type, seq, t, node, id, slot, height;
--- block: parent, n_transactions; adopt; reorg: depth, from; final: count; conflict, gap: code, message, other; lost: count, when the
--- reader was so slow that events fell out of what is kept.
---@param options? {from: "now"|"genesis"}
---@return fun(): table|nil next_event
function feed:subscribe(options) end

--- Blocks on the chain that all nodes that are up have in common.
---@param options? {window: integer[]} slots {first, last + 1}; the run's window when not said
---@return table[] blocks
function feed:canonical(options) end

--- The tip of a node.
---@param node table|string|integer
---@return table|nil block with stale = true when the node is not followed any more; nil while it is not known
function feed:tip(node) end

--- The last final block of a node.
---@param node table|string|integer
---@return table|nil block as of feed:tip
function feed:lib(node) end

--- A block by its id.
---@param id string
---@return table|nil block with transactions, the hashes in it
function feed:block(id) end

--- Where a transaction is. Looks at all hashes: not for thousands.
---@param hash string
---@return table|nil found {blocks, block = the one on the highest living chain or nil, final}
function feed:transaction(hash) end

--- Counts, findings, and what is known of each node.
---@return table stats
function feed:stats() end

--- The last block that nodes have in common.
---@param names? string[] nodes; all that are followed when not said
---@return table|nil block and how many nodes have no known tip
function feed:common_prefix(names) end

return feed
