--- Accounts of a run: keys from its seed, notes in its genesis, and what scripts see of them (ctx:wallet_accounts).
local core = require "tfl.core.wallet"
local errors = require "tfl.errors"
local json = require "tfl.core.json"

local M = {}

--- Bounds of a genesis block, of its sum, and of the notes that one account of a load begins with.
local NOTES_MAX, SUM_MAX, NOTES_EACH = 16384, 1 << 62, 64
local BALANCE = 1000000
--- Blocks for which a node keeps back a note that it has put into a transfer.
local OWNED_BLOCKS = 10
--- Accounts of the seed beyond those a scenario can ask for: the signer of tfl.inscription, and of nothing else.
local SIGNER = 1 << 40

--- scenario:wallets(n, {balance=}): checked as far as it can be without a plan.
---@param n integer
---@param options? {balance: integer}
---@return {count: integer, balance?: integer}
function M.wish(n, options)
    options = errors.options("scenario:wallets", options, "balance")
    local count = math.type(n) and math.tointeger(n)
    if not count or count < 1 or count > NOTES_MAX then
        errors.usage("scenario:wallets(%s): a whole number from 1 to %d was expected", errors.show(n), NOTES_MAX)
    end
    local balance = options.balance
    if balance ~= nil then
        balance = math.type(balance) and math.tointeger(balance)
        if not balance or balance < 1 then
            errors.usage("scenario:wallets: balance = %s: a whole number from 1 was expected", errors.show(options.balance))
        end
    end
    return { count = count, balance = balance }
end

--- Notes each account of a load begins with: a wallet chains its change, so each note makes a chain of its own, and what is
--- built on a transaction that is lost is lost with it.
local function notes_each(count, balance, load)
    if not load or load.kind ~= "transfer" then return 1 end
    local each = math.ceil(4 * load.peak_per_block / load.users)
    return math.max(1, math.min(each, NOTES_EACH, NOTES_MAX // count, balance))
end

local owners = setmetatable({}, { __mode = "k" }) -- of an account of the engine: the wallet of a node that it stands for
local payers = setmetatable({}, { __mode = "k" }) -- of an account: how its inscriptions are paid for, where they must be

--- Accounts where nodes have the wallets: one each. What is the node's to sign, it signs.
local function plan_owned(plan, wish, load)
    local list = plan.kind.accounts(plan)
    if wish.balance then
        errors.bad_config("wallets: the accounts are those of nodes of the kind %s, and hold what their stake is; leave balance out",
            plan.kind.name)
    elseif wish.count > #list then
        errors.bad_config("wallets(%d): of nodes of the kind %s each has one account, and only %d have a stake; use :wallets(%d)",
            wish.count, plan.kind.name, #list, #list)
    end
    local notes = load and load.kind == "transfer" and math.ceil(OWNED_BLOCKS * load.peak_per_block / load.users) or 1
    local room, cost = plan.kind.notes_max(plan), plan.kind.transfer_cost(plan)
    if load and load.kind == "transfer" and load.each * cost > list[1].balance then
        errors.bad_config("transactions_with: a wallet makes up to %d transfers, which take up to %d each with the fee, and has %d; use a "
            .. "shorter or slower load, or more wallets", load.each, cost, list[1].balance)
    elseif notes > room then
        errors.bad_config("transactions_with: a node keeps a note back for %d blocks once it has spent it, so %.6g transfers for each "
            .. "block by %d wallets need %d notes each, and the genesis has room for %d; use x:rate(%.6g) or less", OWNED_BLOCKS,
            load.peak_per_block, load.users, notes, room, room * load.users / OWNED_BLOCKS)
    end
    plan.wallets, plan.accounts = { count = wish.count, balance = list[1].balance, notes_each = notes }, {}
    for i = 1, wish.count do
        local account = core.new { seed = plan.seed, index = i - 1 }
        plan.accounts[i], owners[account], payers[account] = account, list[i], plan.kind.payer(plan)
    end
end

--- The wallet of a node that an account stands for.
---@return {node:string, pk:string, balance:integer}|nil
function M.owner(account) return owners[account] end

--- Gives the plan its accounts and the notes of its genesis.
---@param plan table gets .accounts, .wallets and .notes
---@param wish {count: integer, balance?: integer}|nil
---@param load? table the load's plan: {kind, users, each, peak_per_block}
function M.plan(plan, wish, load)
    if not wish then return end
    if plan.kind.accounts then return plan_owned(plan, wish, load) end
    local needed = load and load.kind == "transfer" and load.each or 1
    local balance = wish.balance or math.max(BALANCE, needed)
    if balance < needed then
        errors.bad_config("wallets: a balance of %d, and the load moves %d from each of %d wallets; use balance = %d, more "
            .. "wallets, or a shorter or slower load", balance, needed, load.users, needed)
    elseif balance > SUM_MAX // wish.count then
        errors.bad_config("wallets: %d times %d is more than a ledger holds; use a balance up to %d", wish.count, balance,
            SUM_MAX // wish.count)
    end
    local each = notes_each(wish.count, balance, load)
    plan.wallets = { count = wish.count, balance = balance, notes_each = each }
    plan.accounts, plan.notes = {}, {}
    for i = 1, wish.count do
        local account = core.new { seed = plan.seed, index = i - 1 }
        plan.accounts[i] = account
        for j = 1, each do
            plan.notes[#plan.notes + 1] = { value = balance // each + (j <= balance % each and 1 or 0), pk = account.pk }
        end
    end
end

--- Hands the notes of genesis to the accounts; their ids depend on it, so this is when the genesis is known.
function M.fund(plan)
    if plan.accounts and not plan.kind.accounts then core.fund(plan, plan.accounts) end
end

--- The account that signs tfl.inscription for a run.
function M.signer(plan)
    local account = core.new { seed = plan.seed, index = SIGNER }
    payers[account] = plan.kind.payer and plan.kind.payer(plan)
    return account
end

-- ---- what scripts see

---@class tfl.Wallet
---@field pk string the public key, 64 hex digits
local Wallet = {}
local cores = setmetatable({}, { __mode = "k" })

local meta = {
    __name = "wallet",
    __tostring = function(self) return "wallet " .. self.pk:sub(1, 8) end,
    __index = function(_, name)
        if Wallet[name] then return Wallet[name] end
        local names = {}
        for known in pairs(Wallet) do names[#names + 1] = known end
        errors.usage("wallet:%s: there is no such method%s", tostring(name),
            require("tfl.suggest").hint(tostring(name), names))
    end,
}

local function wrap(account, ctx)
    local owner = owners[account]
    local wallet = setmetatable({ pk = owner and owner.pk or account.pk, ctx = ctx }, meta)
    cores[wallet] = account
    return wallet
end

--- All accounts of the scenario, in order; the same keys for the same seed.
---@param ctx table
---@return tfl.Wallet[]
function M.of(ctx)
    local accounts = ctx.run.plan.accounts
    if not accounts then errors.usage "ctx:wallet_accounts: the scenario has none; add :wallets(n) to it" end
    local list = {}
    for i, account in ipairs(accounts) do list[i] = wrap(account, ctx) end
    return list
end

--- A signed transfer, for client:submit_transaction. What it spends is spent for this wallet from now on, its change can be
--- spent at once. Of a wallet that a node has: the wish, which is for the client of that node, and has no hash yet.
---@param options {to: tfl.Wallet|string, amount: integer} to: a wallet, or its key
---@return {hash: string, body: string, kind: string} transaction
function Wallet:transfer(options)
    if type(options) ~= "table" then errors.usage "wallet:transfer{to = wallet, amount = n}: a table was expected" end
    options = errors.options("wallet:transfer", options, "to", "amount")
    local amount = math.type(options.amount) and math.tointeger(options.amount)
    if not amount or amount < 1 then
        errors.usage("wallet:transfer: amount = %s: a whole number from 1 was expected", errors.show(options.amount))
    end
    local to = type(options.to) == "table" and cores[options.to] and options.to.pk or options.to
    if type(to) ~= "string" or not to:match("^" .. ("%x"):rep(64) .. "$") then
        errors.usage("wallet:transfer: to = %s: a wallet or a key of 64 hex digits was expected", errors.show(options.to))
    end
    local owner = owners[cores[self]]
    if not owner then return cores[self]:transfer { to = to, amount = amount } end
    return { kind = "transfer", node = owner.node, body = self.ctx.run.plan.kind.transfer_body(owner.pk, to, amount) }
end

--- The last message that an account has signed in a channel: the next one names it as its parent.
local heads = setmetatable({}, { __mode = "k" })

--- Checks the options of an inscription and signs it with an account of the engine.
---@param what string
---@return {hash: string, body: string, kind: string, channel: string, message: string} transaction
function M.inscribe(what, account, options)
    options = errors.options(what, options, "channel", "data", "parent")
    for name, value in pairs(options) do
        if type(value) ~= "string" then
            errors.usage("%s: %s = %s: a string was expected", what, name, errors.show(value))
        end
    end
    if options.parent and not options.channel then errors.usage("%s: a parent needs the channel it is in", what) end
    heads[account] = heads[account] or {}
    local mine, channel = heads[account], options.channel
    local made = account:inscription {
        data = options.data, channel = channel, parent = options.parent or channel and mine[channel],
    }
    mine[channel or made.channel], mine[made.channel] = made.message, made.message
    local pay = payers[account]
    if pay then -- the fee makes another transaction of it
        made.hash, made.hand_in = nil, function(...) return pay(account, ...) end
    end
    return made
end

--- A signed inscription. Without channel a fresh one. A channel belongs to who began it; parent is the .message of the one before it
--- there (default: the last one that this wallet signed).
---@param options {data: string, channel?: string, parent?: string}
function Wallet:inscription(options) return M.inscribe("wallet:inscription", cores[self], options) end

--- What the wallet can spend: its notes on the chain of a node that answers, without what its own transfers spend, and with
--- their change. Waits.
---@return integer
function Wallet:balance()
    local last
    local owner = owners[cores[self]]
    for _, client in ipairs(owner and { self.ctx:client_of(owner.node) } or self.ctx:node_clients()) do
        local ok, reply = pcall(client.get, client, "/wallet/" .. self.pk .. "/balance")
        local said = ok and reply.status == 200 and json.decode(reply.body)
        if owner and said and math.type(said.balance) == "integer" then
            return said.balance
        elseif not owner and said and type(said.notes) == "table" then
            for id, value in pairs(said.notes) do cores[self]:receive { id = id, value = value } end
            return (cores[self]:balance())
        end
        last = ok and errors.new("bad_reply", "the balance of %s: status %d: %s", self.pk, reply.status,
            tostring(reply.body):sub(1, 200)) or reply
    end
    error(last, 0)
end

--- The transaction will not be on the chain (a node has refused it): what it spent can be spent again.
---@param transaction {hash: string}
function Wallet:dropped(transaction)
    if type(transaction) ~= "table" or type(transaction.hash) ~= "string" then
        errors.usage "wallet:dropped: a transaction of this wallet was expected"
    end
    cores[self]:dropped(transaction.hash)
end

--- A second program with the same key: it knows the account's notes of genesis, and nothing of what this one spends. The two
--- spend the same notes, in the same order: that is how conflicts are made.
---@return tfl.Wallet
function Wallet:twin()
    local plan = self.ctx.run.plan
    if owners[cores[self]] then errors.usage "wallet:twin: a node has the key of this wallet, so there is no second program with it" end
    for i, account in ipairs(plan.accounts) do
        if account.pk == self.pk then
            local second = core.new { seed = plan.seed, index = i - 1 }
            core.fund(plan, { second })
            return wrap(second, self.ctx)
        end
    end
end

return M
