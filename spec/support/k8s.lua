--- A Kubernetes cluster for specs: the one that TFL_TEST_KUBECONFIG names, with kubectl on PATH and the image TFL_TEST_K8S_IMAGE
--- (logos-blockchain-testing:local), made of this tree, there already.
--
--     k8s.describe("-d k8s", function() … end)   -- without a cluster one skipped test of that name
--
--- Files run side by side on one cluster: each test has a seed of its own, by which its namespaces are known.
local dkjson = require "dkjson"
local support = require "spec.support"

local k8s = { config = os.getenv "TFL_TEST_KUBECONFIG", image = os.getenv "TFL_TEST_K8S_IMAGE" or "logos-blockchain-testing:local" }

--- describe, where a cluster is named.
function k8s.describe(name, fn)
    local busted = require "busted"
    if k8s.config and k8s.config ~= "" then
        busted.describe(name, fn)
    else
        busted.pending(name .. ": needs a cluster (TFL_TEST_KUBECONFIG)")
    end
end

--- Runs kubectl with arguments for sh; gives its output, trimmed, and fails unless it ends with 0.
function k8s.run(arguments)
    local out, code = support.sh(("KUBECONFIG=%s timeout 60 kubectl %s"):format(support.quote(k8s.config), arguments))
    if code ~= 0 then error(("kubectl %s ended with %s:\n%s"):format(arguments, tostring(code), out), 2) end
    return (out:gsub("%s+$", ""))
end

--- The seed of this test's runs.
function k8s.seed()
    local seed = 0
    for i, byte in ipairs { support.dir():byte(-6, -1) } do seed = seed + byte * 61 ^ i end
    return math.tointeger(seed) % 1000000007
end

--- Namespaces of this test's runs that nobody has told to go.
function k8s.live()
    local names = {}
    for line in (k8s.run "get namespaces --no-headers" .. "\n"):gmatch "[^\n]+" do
        local name, status = line:match "^(%S+)%s+(%S+)"
        if name:match("^tfl%-.*%-" .. k8s.seed() .. "%-%x+$") and status == "Active" then names[#names + 1] = name end
    end
    return table.concat(names, " ")
end

--- What a failed test has left is told to go.
function k8s.delete_left()
    for name in k8s.live():gmatch "%S+" do k8s.run("delete namespace --wait=false " .. name) end
end

--- What support.run and start take, on that cluster and with short slots.
function k8s.on_cluster(spec)
    local env = { KUBECONFIG = k8s.config, LOGOS_BLOCKCHAIN_TESTNET_IMAGE = k8s.image, CONSENSUS_SLOT_TIME = "200ms" }
    for name, value in pairs(spec.env or {}) do env[name] = value end
    spec.env, spec.timeout = env, spec.timeout or 120
    return spec
end

--- The same of a run with this test's seed: arguments of tfl.
function k8s.scenario(spec)
    for i, word in ipairs { "-d", "k8s", "--seed", tostring(k8s.seed()) } do table.insert(spec, i, word) end
    return k8s.on_cluster(spec)
end

function k8s.liveness(...) return k8s.scenario { "scenarios/liveness.lua", "-n", "3", ... } end

--- A scenario whose one workload does this to `ctx`.
function k8s.script(code)
    return support.write("script.lua", 'tfl.script("byhand", {nodes = 2, topology = function(t) t:full() end}, function(ctx)\n'
        .. code .. "\nend)")
end

--- A kubeconfig with what the function changes in it.
function k8s.kubeconfig(change)
    local made = support.json(k8s.run "config view --raw --flatten --minify -o json")
    change(made.clusters[1].cluster, made.users[1].user)
    return support.write("kubeconfig", dkjson.encode(made))
end

return k8s
