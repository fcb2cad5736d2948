---@meta

---@alias tfl.Duration string|number|table "500ms", "90s", "2m", seconds, tfl.slots(n), tfl.blocks(n)

---@class tfl
---@field json table encode(value) and decode(text): integers stay integers; null stands for null
---@field yaml table encode(value): text of YAML
tfl = {}

--- Declares the parameters of a file and gives their values: -p NAME=VALUE over the default. nodes and duration are set by -n and -t.
---@param specs table name = default, or {default, type =, help =, choices = {…}}
---@return table values
function tfl.params(specs) end

--- Begins the description of a scenario.
---@param name string names the run folder and the report
---@return tfl.Scenario
function tfl.scenario(name) end

--- A cluster driven by hand: it passes when fn returns, saw something, and safety holds.
---@param name string
---@param options? {nodes: integer, start: "all"|"none", topology: fun(t), wallets: integer, snapshot: table, duration: any, genesis: any, snapshots: boolean}
---@param fn fun(ctx)
---@return tfl.Scenario
function tfl.script(name, options, fn) end

--- In specs run by tfl test: a cluster that is there when this returns; one at a time. The end of the test closes it.
---@param options {nodes: integer, start: "all"|"none", topology: fun(t), wallets: integer, seed: integer, snapshot: table, duration: any, genesis: any}
---@return tfl.Cluster
function tfl.cluster(options) end

--- A workload; hooks may also be set on it: function w:start(ctx) … end
---@param name string
---@param hooks? table see workload
---@return tfl.Workload
function tfl.workload(name, hooks) end

--- An expectation of your own. A hook that returns passes; ctx:fail and ctx:inconclusive end it; any other error is a script error.
---@param name string
---@param hooks? table see expectation
---@return tfl.Expectation
function tfl.expectation(name, hooks) end

--- A kind of node: any program, or a variant of one of tfl's own ({base = "reference" | "logos", …}). For t:kind.
---@param name string
---@param spec table see kind
---@return table kind
function tfl.kind(name, spec) end

--- What -d NAME means in this file.
---@param name string
---@param members? table see deployer; functions may also be set on it
---@return table deployer
function tfl.deployer(name, members) end

--- Calls f(…); an error becomes a value. The end of the run goes through it.
---@param f function
---@return boolean ok, and what f returned first, or the error {code, message, node}
function tfl.try(f, ...) end

--- Runs a program and waits for its end, in a hook.
---@param argv {timeout: any, stdin: string, cwd: string, env: table} its name and arguments, and these; timeout: 60 s
---@return table result {ok, status = text, code or signal, stdout, stderr}
function tfl.exec(argv) end

--- A signed inscription for client:submit_transaction; in a hook.
---@param options {data: string, channel: string, parent: string} without channel a fresh one
---@return table transaction {hash, body, kind, channel, message}
function tfl.inscription(options) end

--- A duration of n seconds.
---@param n number
---@return tfl.Duration
function tfl.seconds(n) end

--- A duration of n slots.
---@param n number
---@return tfl.Duration
function tfl.slots(n) end

--- As many slots as n blocks take on average: n ÷ f.
---@param n number
---@return tfl.Duration
function tfl.blocks(n) end
