--- Hooks of workloads and expectations: each runs in a task of its own, and what it does wrong becomes a problem of the
--- run. Methods of a run; `tfl.runner` takes them in.
local duration = require "tfl.duration"
local errors = require "tfl.errors"
local loader = require "tfl.loader"
local task = require "tfl.core.task"

--- How long a hook may take beyond the length of the window.
local HOOK_SECONDS = 60

local Hooks = {}

--- Runs a hook of an owner in a task of its own and waits for it. Errors are script errors and end the run.
---@return boolean ok
function Hooks:hook(owner, name, ...)
    local fn = owner.object[name]
    if not fn then return true end
    local hook = task.spawn(owner.name .. "." .. name, fn, owner.object, ...)
    owner.tasks[hook] = true
    -- `start` ends with the window; any other hook that waits for ever is a mistake of the script
    local in_time = hook:wait(name ~= "start" and HOOK_SECONDS + self.plan.window_slots * self.plan.slot_seconds or nil)
    owner.tasks[hook] = nil
    if not in_time then
        hook:cancel()
        if owner.object.built_in then return false end
        self:problem("usage", errors.new("hook_timeout", "%s %s, %s: still not over after %.0fs; bound what it waits for",
            owner.kind, owner.name, name, HOOK_SECONDS + self.plan.window_slots * self.plan.slot_seconds))
        self:stop()
        return false
    end
    return self:hook_ended(owner, name, hook)
end

function Hooks:hook_ended(owner, name, hook)
    local ok, value, traceback = hook:result()
    if ok == false and type(value) == "table" and value.code == "metrics_unreachable" then -- no mistake of the script
        if owner.kind == "expectation" then
            owner.judgement = { verdict = "inconclusive", code = value.code, message = value.message }
        else
            self:problem("inconclusive", value)
        end
        return false
    elseif ok == false and type(value) == "table" and value.infra then -- nor is what could not be driven
        self:trouble(value)
        self:stop()
        return false
    elseif ok == false then
        local what = string.format("%s %s, %s", owner.kind, owner.name, name)
        if not (type(value) == "table" and value.told) then self:problem("usage", loader.script_error(what, value, traceback)) end
        self:stop()
        return false
    end
    return ok == true and not (owner.judgement and owner.judgement.verdict ~= "pass")
end

--- An error that came out of no hook: of tfl, or of other code of the user's. Whoever meets it again does not tell it twice.
function Hooks:trouble(err)
    if type(err) ~= "table" then err = errors.new("internal", "%s", tostring(err)) end
    if err.told then return end
    err.told = true
    local usage = err.code == "usage" or err.code == "bad_config" or err.code == "script_error" or err.code == "script_hog"
        or err.code == "hook_timeout"
    self:problem(usage and "usage" or "infra", err)
end

--- The function of a cluster driven by hand was not over when its time was.
function Hooks:not_over()
    local plan = self.plan
    for _, owner in ipairs(self.expectations) do
        owner.judgement = owner.name == "script" and not owner.judgement and { verdict = "inconclusive", code = "not_evaluated",
            message = "it was not over in time" } or owner.judgement
    end
    self:problem("usage", errors.new("hook_timeout", "%s: it was not over after %s; %s gives it more time", plan.name,
        duration.show(plan.window_slots * plan.slot_seconds), plan.by_hand and 'tfl.cluster{duration = "30m"}' or "-t 30m"))
end

--- ctx:spawn: a task that ends with its owner.
function Hooks:spawn_for(owner, fn, ...)
    local child = task.spawn(owner.name .. ".spawn", fn, ...)
    owner.tasks[child] = true
    self:watch("spawn", function()
        child:wait()
        owner.tasks[child] = nil
        self:hook_ended(owner, "spawn", child)
    end)
    return child
end

--- Ends all tasks of an owner but the one that runs.
function Hooks.cancel_tasks(owner)
    local tasks = owner.tasks
    owner.tasks = {}
    for running in pairs(tasks) do
        if running ~= task.current() then running:cancel() end
    end
end

--- An owner has said fail or inconclusive: while the window runs that ends it, for a fail.
function Hooks:concluded(owner)
    if owner.judgement.verdict == "fail" or owner.kind == "workload" then self:end_capture(owner.judgement.code) end
end

--- ctx:fail does not return: the tasks of the owner end here, the current one last, through pcall.
function Hooks:leave(owner)
    Hooks.cancel_tasks(owner)
    task.current():cancel()
end

function Hooks:owner(kind, object)
    return { kind = kind, name = object.name, object = object, tasks = {}, figures = {}, units = {}, looked = false }
end

return Hooks
