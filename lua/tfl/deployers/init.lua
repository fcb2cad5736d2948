--- The deployers by name: what `-d` takes.
local errors = require "tfl.errors"
local suggest = require "tfl.suggest"

local M = {}
local modules = { ["local"] = "tfl.deployers.local", host = "tfl.deployers.local" }
local later = { compose = "Docker Compose", k8s = "Kubernetes" }

---@param name string
---@return table deployer module {name, hop_ms, genesis_delay_ms, new}
function M.get(name)
    if modules[name] then return require(modules[name]) end
    if later[name] then
        errors.usage("-d %s: this version of tfl has no %s deployer yet; use -d local", name, later[name])
    end
    local names = {}
    for known in pairs(modules) do names[#names + 1] = known end
    errors.usage("-d %s: there is no such deployer%s", name, suggest.hint(name, names))
end

return M
