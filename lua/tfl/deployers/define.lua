--- tfl.deployer: what a file says of a deployer of its own is checked here; tfl.deployers.custom makes it work.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local base = require "tfl.deployers.local"
local custom = require "tfl.deployers.custom"
local deployers = require "tfl.deployers"

local usage, show = errors.usage, errors.show

local M = {}

local VERBS = { "stop", "kill", "restart", "pause", "resume", "link", "start_node", "snapshot" }

local meta = { __name = "deployer", __tostring = function(deployer) return "deployer " .. deployer.name end }

local function check(what, members)
    local known = { "capabilities", "hop", "name" }
    for name in pairs(custom.FUNCTIONS) do known[#known + 1] = name end
    errors.options(what, members, table.unpack(known))
    for name in pairs(custom.FUNCTIONS) do
        if members[name] ~= nil and type(members[name]) ~= "function" then
            usage("%s: %s should be a function, got %s", what, name, show(members[name]))
        end
    end
    if members.hop ~= nil then duration.to_seconds(members.hop, nil, what .. ", hop") end
    for verb, said in pairs(errors.options(what .. ", capabilities", members.capabilities, table.unpack(VERBS))) do
        if type(said) ~= "boolean" and type(said) ~= "string" then
            usage("%s, capabilities: %s should be true, false or why not, got %s", what, verb, show(said))
        end
    end
end

--- tfl.deployer(name[, members]): what `-d name` means in this file; see `tfl help deployer`.
---@param context table of the file
---@param name string
---@param members? table functions may also be set on the result: function d.start(node) … end
---@return table deployer
function M.define(context, name, members)
    errors.name("tfl.deployer", name)
    local what = ("tfl.deployer %q"):format(name)
    if deployers.built_in(name) then usage("%s: that is a deployer of tfl; call yours something else", what) end
    context.deployers = context.deployers or {}
    if context.deployers[name] then usage("%s: the file has a deployer of that name already", what) end
    local made = members == nil and {} or members
    check(what, made)
    made.name = name
    context.deployers[name] = setmetatable(made, meta)
    return made
end

--- What it can do, and why not what it cannot.
local function abilities(members)
    local can, why = { start = true, logs = true }, {}
    for _, verb in ipairs(VERBS) do can[verb] = true end
    if members.stop and not (members.pause and members.resume) then
        can.pause, why.pause = false, "it has a stop(node), and no pause(node) and resume(node)"
    end
    if members.site or members.reach then
        can.link, why.link = false, "its nodes have addresses of their own, and relays stand on 127.0.0.1"
    end
    for verb, said in pairs(members.capabilities or {}) do
        can[verb], why[verb] = said == true, type(said) == "string" and said or nil
    end
    if not can.pause then can.resume, why.resume = false, why.pause end
    for _, verb in ipairs { "partition", "isolate", "inbound" } do can[verb], why[verb] = can.link, why.link end
    return can, why
end

--- The deployer as a plan has it.
---@param members table what define gave
---@return table backend {name, hop_ms, genesis_delay_ms, capabilities, why, new}
function M.backend(members)
    local what = ("tfl.deployer %q"):format(members.name)
    check(what, members)
    if not members.start then usage("%s: it has no start: start = function(node) return node:spawn() end", what) end
    local can, why = abilities(members)
    local hop = members.hop and duration.to_seconds(members.hop, nil, "hop") * 1000 or base.hop_ms
    return {
        name = members.name, hop_ms = hop, genesis_delay_ms = base.genesis_delay_ms, capabilities = can, why = why,
        new = function(options) return custom.new(members, can, options) end,
    }
end

return M
