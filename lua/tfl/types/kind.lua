---@meta

--- What tfl.kind takes. n: name, index, host, ports, dirs, peers, keys, args, cluster.
---@class tfl.KindSpec
---@field command string[]|fun(n): string[] the program and its arguments
---@field files table|fun(n): table text by the name of the file in the node's folder
---@field env table|fun(n): table its environment, beside tfl's
---@field ports string[] names of the ports that each node gets ({"http", "p2p"})
---@field api_port string the one where it is asked ("http")
---@field peer_port string the one that others dial ("p2p")
---@field ready table|fun(node): boolean when it is ready: {http = "/path", status =, body =}, {tcp = "PORT"}, {log = "pattern"}
---@field stop_signal string what ends it ("TERM")
---@field image string of Docker, with -d compose
---@field capabilities table what it cannot do and why: {pause = "it has a watchdog"}
---@field metrics string path of its page for Prometheus
---@field dialect string|table how its chain is read: "reference", "logos", paths over one of these, or functions info, blocks, submit
---@field base string a variant of this kind of tfl's own, with args, config, env, capabilities, program and version
local kind = {}

return kind
