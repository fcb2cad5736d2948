---@meta

--- What tfl.deployer takes. node: name, index, kind, host, ports, dir, spec, handle; node:spawn, node:undo, node:fail.
---@class tfl.DeployerMembers
---@field capabilities table what it cannot do and why, by verb
---@field hop tfl.Duration the worst way of a block over one link, for the bounds
local deployer = {}

--- Before all.
---@param plan table {name, run_id, seed, dir, nodes}; plan:undo, plan:fail
function deployer.prepare(plan) end

--- Where a node will be; without it 127.0.0.1 and ports that are free there.
---@param node table
---@return table site {host = "10.0.0.2", ports = {http = 80}}
function deployer.site(node) end

--- What one node dials to find another, when that is not the host and port of its site.
---@param from table
---@param to table
---@return table address {host, port}
function deployer.reach(from, to) end

--- Makes the node run; files are written. node:spawn{argv…} is all it needs for a program of this host.
---@param node table
---@return table|nil handle {pid = n}, or anything, kept as node.handle
function deployer.start(node) end

--- Ends it; tfl waits for the end, then kills.
---@param node table
---@param how string "graceful", "kill" or a signal's name
function deployer.stop(node, how) end

--- Is it there? Asked five times a second, of nodes that were not spawned.
---@param node table
---@return boolean
function deployer.alive(node) end

--- Its log, when that is not the file node.spec.log.
---@param node table
---@return string text
function deployer.logs(node) end

--- It lives and does nothing from now on.
---@param node table
function deployer.pause(node) end

--- It goes on.
---@param node table
function deployer.resume(node) end

--- After all nodes are gone.
function deployer.cleanup() end

return deployer
