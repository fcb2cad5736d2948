---@meta

--- Questions to one node (bindings/client.c). An optional last argument {timeout = "5s"} bounds the answer (10 s). Ids are 64 hex digits.
---@class tfl.Client
local client = {}

--- Its chain now.
---@return table info {tip, lib, slot, height, lib_slot, genesis_id, state, online}
function client:consensus_info(options) end

--- Its peers now.
---@return table info {n_peers, peer_id, listen_addresses, connected_peers}
function client:network_info(options) end

--- Ids of its chain, newest first.
---@param range? {from: string, to: string, timeout: any} ids; what is not said is up to the node
---@return string[] ids
function client:headers(range) end

--- A block as the node gives it, and beside id, parent, slot and n_transactions.
---@param id string
---@return table|nil block nil: the node has none of that id
function client:block(id, options) end

--- Final blocks of these slots, both included.
---@param range {slot_from: integer, slot_to: integer, timeout: any}
---@return table[] blocks as of client:block
function client:blocks(range) end

--- Hands in a transaction; done when the node has accepted it. Raises rejected when it refuses it, http_status when it cannot take it now.
---@param transaction table|string what wallet:transfer or tfl.inscription gave, the JSON of one as a table, or its text
---@return string hash
function client:submit_transaction(transaction, options) end

--- Hashes of the transactions that wait there.
---@return string[] hashes
function client:mempool(options) end

--- The node dials another one, through the relay of their link if there is one.
---@param to table|string|integer a node, its name or index, or an address as /ip4/127.0.0.1/tcp/20040
---@return string peer_id
function client:dial_peer(to) end

--- GET of any path.
---@param path string
---@return table answer {status, body, content_type}, whatever the status
function client:get(path, options) end

--- POST of any path.
---@param path string
---@param body table|string a table is sent as JSON, a string as it is
---@return table answer {status, body, content_type}, whatever the status
function client:post(path, body, options) end

--- Where it answers.
---@return string url
function client:base_url() end

--- The node's name.
---@return string name
function client:name() end

return client
