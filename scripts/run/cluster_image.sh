# Sourced after lib.sh by run-examples.sh: how the image of the nodes gets to where the pods of a cluster run. bash, set -euo pipefail.
# shellcheck shell=bash disable=SC2154 # root is that of lib.sh
image=${LOGOS_BLOCKCHAIN_TESTNET_IMAGE:-logos-blockchain-testing:local}

# What image_way finds: how (registry, kind, k3d, minikube, containerd, there), and the cluster's name for that tool.
way='' cluster_name=''

kubectl_get() { timeout 30 kubectl --request-timeout=20s "$@" 2>&1 </dev/null; }

# need_tool PROGRAM WHAT: it is on PATH, or the end.
need_tool() { command -v "$1" >/dev/null || die "$2, and there is no $1 on PATH to give it the image with. Install it, or push the image to a registry:
$(push_it)"; }

push_it() {
    echo "docker tag $image REGISTRY/$image && docker push REGISTRY/$image
and run this again with LOGOS_BLOCKCHAIN_TESTNET_IMAGE=REGISTRY/$image (and LOGOS_BLOCKCHAIN_TESTNET_IMAGE_PULL_POLICY=Always where what
is behind that name changes)."
}

# image_way: finds out what kind of cluster kubectl speaks to, before anything is built. Or says what to do, and ends with 3.
image_way() {
    local context machines profile address=${CONTAINERD_ADDRESS:-/run/containerd/containerd.sock}
    command -v kubectl >/dev/null ||
        die "There is no kubectl here. Install it (https://kubernetes.io/docs/tasks/tools), and name a cluster in KUBECONFIG."
    context=$(kubectl_get config current-context) || die "kubectl has no cluster: $context
Name one in KUBECONFIG."
    # A line for each machine: its name, its runtime, minikube's name for the cluster.
    machines=$(kubectl_get get nodes -o 'jsonpath={range .items[*]}{.metadata.labels.kubernetes\.io/hostname}{" "}'\
'{.status.nodeInfo.containerRuntimeVersion}{" "}{.metadata.labels.minikube\.k8s\.io/name}{"\n"}{end}') ||
        die "The cluster of the context $context does not answer: $machines"
    profile=$(awk '{ print $3; exit }' <<<"$machines")
    if [[ $image == *[.:]*/* || $image == localhost/* ]]; then
        way=registry
    elif [[ $context == kind-* ]]; then
        way=kind cluster_name=${context#kind-}
        need_tool kind "The context $context is a cluster of kind"
    elif [[ $context == k3d-* ]]; then
        way=k3d cluster_name=${context#k3d-}
        need_tool k3d "The context $context is a cluster of k3d"
    elif [ "$context" = minikube ] || [ -n "$profile" ]; then
        way=minikube cluster_name=${profile:-minikube}
        need_tool minikube "The context $context is a cluster of minikube"
    elif [ "$(wc -l <<<"$machines")" = 1 ] && [[ $machines == *" containerd://"* ]] && [ -S "$address" ] &&
        [[ -n ${CONTAINERD_ADDRESS:-} || $machines == "$(uname -n) "* ]]; then
        way=containerd cluster_name=$address
        need_tool ctr "The cluster of the context $context runs on containerd ($address)"
    elif [ "$(kubectl_get get nodes -o 'jsonpath={range .items[*]}{.status.images[*].names}{"\n"}{end}' |
        grep -cE "[\"/]${image//./\\.}\"")" = "$(wc -l <<<"$machines")" ]; then
        way=there
    else
        die "Nobody here can give an image to the cluster of the context $context ($(wc -l <<<"$machines") machines). Push it to where they pull from:
$(push_it)
Where its only machine is this one, CONTAINERD_ADDRESS=SOCKET names its containerd."
    fi
}

# give_image: makes the image where it is not pulled, and gives it to the cluster.
give_image() {
    case $way in
    registry) say "$image: the machines of the cluster pull it themselves" && return ;;
    there) say "$image: the machines of the cluster have one, which is used as it is" && return ;;
    esac
    "$root/scripts/build/build_test_image.sh" "$@" >/dev/null
    say "$image: to the cluster, by $way"
    case $way in
    kind) kind load docker-image "$image" --name "$cluster_name" ;;
    k3d) k3d image import "$image" -c "$cluster_name" ;;
    minikube) minikube -p "$cluster_name" image load "$image" ;;
    containerd) docker save "$image" | ctr -a "$cluster_name" -n k8s.io images import - ;;
    esac >&2 || die "$image could not be given to the cluster by $way (see above)"
}
