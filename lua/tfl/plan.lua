--- The plan of a run: what a scenario, the command line and the environment come to, checked before anything starts.
local attach = require "tfl.deployers.attach"
local chaos = require "tfl.expectations.chaos"
local deployers = require "tfl.deployers"
local describe = require "tfl.scenario"
local duration = require "tfl.duration"
local env = require "tfl.env"
local errors = require "tfl.errors"
local kinds = require "tfl.kinds"
local node_logs = require "tfl.node_logs"
local safety = require "tfl.expectations.safety"
local settle = require "tfl.settle"
local sys = require "tfl.core.sys"
local telemetry = require "tfl.telemetry"
local topology = require "tfl.topology"
local tx_inclusion = require "tfl.expectations.tx_inclusion"
local wallets = require "tfl.wallets"

local M = {}

--- The bound of a cluster driven by hand; it ends when its function does.
local HAND_SECONDS = 600
--- The window when neither the scenario nor the user says one: as many slots as make about 10 s at the default pace.
local DEFAULT_SLOTS = 60

--- All that judges: the scenario's expectations, those of its workloads, safety. Their names are all different.
---@return table[] expectations, table<table, table> by the workload that brought an expectation
local function all_expectations(plan)
    local list, by, names = {}, {}, { safety = true }
    local function add(expectation, workload)
        describe.check("expectation", expectation)
        if names[expectation.name] then
            errors.usage("scenario %s: two expectations are named %s", plan.name, expectation.name)
        end
        names[expectation.name], by[expectation] = true, workload
        list[#list + 1] = expectation
    end
    for _, expectation in ipairs(plan.expectations) do add(expectation) end
    for _, workload in ipairs(plan.workloads) do
        describe.check("workload", workload)
        for _, expectation in ipairs(workload.expectations or {}) do add(expectation, workload) end
    end
    if plan.chain then list[#list + 1] = safety.new() end
    if #list == 0 then
        errors.usage("scenario %s: nothing judges it: the kind %s has no chain dialect, so not even safety does; add an expectation",
            plan.name, plan.kind.name)
    end
    return list, by
end

--- What of the chain tfl sees by the kinds of the nodes: any of it (chain), the slots of its blocks (slots), the real node's
--- transactions and genesis (mantle); and whether what is final must lie k below the tip (k_deep), which nobody can say when k is unknown.
local function add_sight(plan, k_unknown)
    plan.chain, plan.slots, plan.mantle, plan.k_deep = false, true, true, not k_unknown
    for _, node in ipairs(plan.nodes) do
        local kind = node.kind
        if kind.dialect then
            plan.chain, plan.slots, plan.mantle = true, plan.slots and kind.slots or false, plan.mantle and not kind.lua_dialect
            plan.k_deep = plan.k_deep and kind.k_deep or false
        end
    end
    plan.slots, plan.mantle = plan.chain and plan.slots, plan.chain and plan.mantle
end

local LACKS = {
    chain = "has no chain dialect, so tfl sees no blocks of it; give it one (tfl help extending), or judge by an expectation of your own",
    slots = "has blocks without slots, so nobody can say how many there should be; use expect_height_convergence and your own",
    mantle = "takes no transactions of tfl's load (they are those of the Logos blockchain); write a workload with ctx:pace{rate = …} and "
        .. "node:client():submit_transaction",
}

--- Refuses what needs more than is seen. Sight: "chain", "slots" or "mantle".
local function need(plan, sight, what)
    if plan[sight] then return end
    for _, node in ipairs(plan.nodes) do
        local kind = node.kind
        local has = kind.dialect and (sight == "chain" or sight == "slots" and kind.slots or sight == "mantle" and not kind.lua_dialect)
        if not has then errors.usage("%s: the kind %s %s", what, kind.name, LACKS[kind.dialect and sight or "chain"]) end
    end
end

--- Links are faulty only where they can be: a verb of the scenario that needs it is refused.
local function add_links(plan, scenario)
    local asked = plan.topology:links() and "t:links" or scenario.chaos and scenario.chaos:wants_links() and "chaos_with"
        or scenario.control and scenario.control.links and "enable_node_control{links = true}"
    if not asked then
        plan.links = false
        return
    end
    local refusal = deployers.links_refusal(plan.backend, plan.nodes)
    if refusal and not (plan.hand and not plan.topology:links()) then errors.usage("%s: link faults: %s", asked, refusal) end
    plan.links = not refusal
end

--- The load of the scenario with its wallets. Unless the scenario says otherwise, the load brings tx_inclusion.
local function add_transactions(plan, scenario)
    local load = scenario.load
    if load then need(plan, "mantle", "transactions_with") end
    if scenario.accounts then need(plan, "mantle", "wallets") end
    if load then
        load:prepare(plan, scenario.accounts)
        load.expectations = { tx_inclusion.new() }
        for _, expectation in ipairs(plan.expectations) do
            if expectation.name == "tx_inclusion" then load.expectations = {} end
        end
        plan.load = load
    end
    if scenario.accounts and not (load and load.plan.kind == "inscription") then attach.demand(plan, "wallets", "wallets") end
    wallets.plan(plan, scenario.accounts, load and load.plan)
end

--- The schedule of faults, and what judges that they bit.
local function add_chaos(plan, scenario, options)
    if scenario.chaos then
        scenario.chaos:prepare(plan)
        scenario.chaos.expectations = { chaos.new(scenario.chaos) }
        plan.chaos = scenario.chaos
    elseif options.replay then
        errors.usage("--replay: the scenario %s has no chaos", plan.name)
    end
end

--- What is wrong with variables that are not needed before nodes start is told before that all the same.
local function check_environment(plan)
    node_logs.settings()
    telemetry.otlp(plan, "")
    telemetry.url_of "LOGOS_BLOCKCHAIN_GRAFANA_URL"
end

---@param scenario table from tfl.scenario
---@param options table {file, deployer, seed, nodes, duration, params, out}
---@return table plan raises usage and bad_config errors with the remedy
function M.build(scenario, options)
    local backend = deployers.get(options.deployer or "local", scenario.context)
    local stack = options.attach
    if stack then backend = attach.backend(backend, stack) end
    local was, seed = stack and stack.topology, options.seed or sys.random()
    local stated = options.duration or scenario.duration
    local hand = scenario.hand or nil
    local window = stated or hand and { seconds = HAND_SECONDS } or { slots = DEFAULT_SLOTS }
    rawset(scenario.topology, "_unconnected", hand and true or nil)
    local shape = topology.plan(scenario.topology, {
        slot_duration = was and was.slot_duration_ms / 1000, active_slot_coeff = was and was.active_slot_coeff,
        seed = seed, window = window, nodes = options.nodes, chaos = scenario.chaos or nil,
        kind = function(k) return kinds.resolve(k, scenario.context) end,
        defaults = backend.defaults and backend.defaults(), hop_ms = backend.hop_ms + (scenario.chaos and scenario.chaos:latency_ms() or 0),
    })
    local plan = {
        name = scenario.name, file = options.file, backend = backend, deployer = backend.name, seed = seed,
        params = options.params or {}, out = options.out, topology = shape, nodes = shape:nodes(),
        kind = shape:kind(), slot_ms = shape:slot_ms(), slot_seconds = shape:slot_duration(),
        f = shape:active_slot_coeff(), f_ratio = shape:active_slot_ratio(), delta = shape:delta(),
        security_param = shape:security_param(), window_slots = shape:window_slots(), nonce = shape:nonce(),
        expectations = scenario.expectations, workloads = scenario.workloads, duration_stated = stated and not hand and true or false,
        control = scenario.control, link_shape = shape:links(), context = scenario.context,
        replay = options.replay, hand = hand,
        run_id = string.format("%s-%d-%08x", scenario.name, seed, sys.random()),
    }
    if plan.window_slots < 1 then
        errors.usage("a run of %s is shorter than a slot (%s): say a longer one with -t",
            type(window) == "table" and "0 slots" or tostring(window), duration.show(plan.slot_seconds))
    end
    if hand then
        for _, node in ipairs(plan.nodes) do node.absent = hand.none end
    end
    add_sight(plan, stack and not was and not scenario.topology._security)
    add_links(plan, scenario)
    deployers.check(plan)
    add_transactions(plan, scenario)
    add_chaos(plan, scenario, options)
    for _, node in ipairs(plan.nodes) do
        if node.kind.accept then node.kind.accept(plan, node.kind) end
    end
    plan.expectations, plan.brought_by = all_expectations(plan)
    plan.chain_id = plan.run_id
    plan.stakes = {}
    for _, node in ipairs(plan.nodes) do
        if node.stake > 0 then plan.stakes[#plan.stakes + 1] = { key = node.leader_pub, stake = node.stake } end
    end
    plan.expected_blocks = plan.slots and plan.window_slots * plan.f or 0
    for _, expectation in ipairs(plan.expectations) do
        if expectation.built_in and expectation.needs then need(plan, expectation.needs, "expect_" .. expectation.name) end
        if expectation.built_in and expectation.prepare then expectation:prepare(plan) end
        if expectation.built_in and expectation.bounds then
            plan.liveness = expectation:bounds(plan)
            plan.expected_blocks = plan.liveness.expected
        end
    end
    check_environment(plan)
    local slow = os.getenv "SLOW_TEST_ENV" == "true" and 2 or 1
    plan.ready_seconds = slow * (backend.ready_seconds and backend.ready_seconds() or env.seconds "TFL_READY_SECONDS"
        or 30 + 0.1 * #plan.nodes)
    local window_seconds, finality = plan.window_slots * plan.slot_seconds, settle.bound_seconds(plan)
    if plan.slots and not hand and finality > 10 * window_seconds + 60 then
        errors.bad_config("k = %d: no block would be final within %s of a window of %s, so safety could not be judged; use a "
            .. "smaller k, or run for %s", plan.security_param, duration.show(finality), duration.show(window_seconds),
            duration.show(finality))
    end
    local first_final = (plan.security_param + 1) / plan.f * plan.slot_seconds
    plan.wall_seconds = slow * backend.genesis_delay_ms(#plan.nodes) / 1000 + math.max(window_seconds, plan.slots and first_final or 0) + 1
    return plan
end

return M
