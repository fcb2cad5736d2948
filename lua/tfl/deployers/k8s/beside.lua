--- Programs beside a node of the k8s deployer: in a pod of their own that has all the node has. Methods of it.
local Beside = {}

--- Makes a pod like the node's, runs the program in it, takes it away. $1: its file, $2: the program, then arguments.
local BESIDE = [[
file=$1; shift
pod=$(%s create -f "$file" -o name) || exit 125
%s wait --for=condition=Ready --timeout=60s "$pod" >/dev/null && %s exec "$pod" -- "$@"
code=$?
%s delete "$pod" --now --wait=false >/dev/null
exit $code]]

--- In a pod of its own, like the node's, with its disk.
function Beside:command(spec, program)
    local words = self.cluster:words { "-n", self.run.namespace }
    for i, word in ipairs(words) do words[i] = "'" .. word:gsub("'", "'\\''") .. "'" end
    local script = BESIDE:gsub("%%s", (table.concat(words, " "):gsub("%%", "%%%%")))
    return { "sh", "-c", script, "sh", ("%s/k8s/%s-beside.json"):format(self.dir, self.own[spec.name].object), program or spec.argv[1] }
end

return Beside
