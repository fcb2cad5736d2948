--- A Kubernetes cluster for specs: the one that TFL_TEST_KUBECONFIG names, with kubectl on PATH and the image TFL_TEST_K8S_IMAGE
--- (logos-blockchain-testing:local), made of this tree, there already.
--
--     k8s.describe("-d k8s", function() … end)   -- without a cluster one skipped test of that name
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

return k8s
