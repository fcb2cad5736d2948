#!/usr/bin/env bash
# A cluster for the specs of -d k8s, made by the build.sh, up.sh and down.sh of a folder, as a group of scripts/test.sh. Root.
#   cluster.sh up DIR STATE     builds it unless that was done, starts it unless it answers, and gives it the image of this tree; STATE
#                               becomes a file for bash that names the cluster to the specs
#   cluster.sh down DIR STATE   waits until it has deleted what the specs told it to, and stops it if `up` has started it
# These scripts keep it in TFL_K8S_DIR (/var/tmp/tfl-k8s): bin/ has its programs, run/ all that it is while it runs.
# What goes wrong is an exit code above 0, with the end of what was said.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../setup/lib.sh"

verb=$1 scripts=$2 state=$3
export TFL_K8S_DIR=${TFL_K8S_DIR:-/var/tmp/tfl-k8s}
run=$TFL_K8S_DIR/run
export KUBECONFIG=$run/kubeconfig
image=${LOGOS_BLOCKCHAIN_TESTNET_IMAGE:-logos-blockchain-testing:local}

# step NAME COMMAND…: with its output in a file, whose end is shown when it fails.
step() {
    local log=$state.$1 code=0
    shift
    "$@" >"$log" 2>&1 </dev/null || code=$?
    [ "$code" != 0 ] || return 0
    tail -n 40 "$log"
    echo "$* ended with exit code $code; $log has all it said"
    return 1
}

kubectl() { timeout 20 "$TFL_K8S_DIR/bin/kubectl" "$@" 2>/dev/null; }
answers() { [ -s "$KUBECONFIG" ] && kubectl get --raw /readyz >/dev/null; }
is_ours() { tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF "$TFL_K8S_DIR/"; }

groups() { find /sys/fs/cgroup -mindepth 2 -maxdepth 2 -type d -name k120 | LC_ALL=C sort; }
# traces: what one has on this machine, a line each.
traces() {
    {
        ip netns list | awk '{ print "network namespace " $1 }'
        grep -F " $run/" /proc/mounts
        pgrep -af -- "$run/"
    } | LC_ALL=C sort
}

# stop: ends a cluster, or what is left of one, with all that it has on this machine.
stop() {
    local file pid pids=() left
    for file in "$run"/pid/*; do # a number that was written down before the machine started anew is somebody else's now
        pid=$(cat "$file" 2>/dev/null) || continue
        if is_ours "$pid"; then pids+=("$pid"); else rm -f -- "$file"; fi
    done
    step down timeout 120 bash "$scripts/down.sh" || return
    for pid in "${pids[@]}"; do # without its store the API server takes a minute to end
        ! is_ours "$pid" || kill -KILL "$pid" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do
        timeout 10 tail --pid="$pid" -f /dev/null || true
    done
    if [ -e "$state.groups" ]; then
        groups | LC_ALL=C comm -13 "$state.groups" - | while IFS= read -r file; do
            find "$file" -depth -type d -exec rmdir {} + 2>/dev/null || true
        done
        left=$(traces | LC_ALL=C comm -13 "$state.traces" -)
        [ -z "$left" ] || { echo "left behind:"$'\n'"$left" && return 1; }
    fi
    rm -rf --one-file-system -- "$run"
}

# start: a cluster that has nothing from before.
start() {
    stop || return
    groups >"$state.groups"
    traces >"$state.traces" || true
    : >"$state.started"
    step up bash "$scripts/up.sh"
}

up() {
    local archive
    step build bash "$scripts/build.sh" || step build bash "$scripts/build.sh" || return # once more: what it fetches comes from afar
    step image env LOGOS_BLOCKCHAIN_TESTNET_IMAGE="$image" "$root/scripts/build/build_test_image.sh" --yes || return
    answers || start || return
    archive=$(mktemp)
    # shellcheck disable=SC2064 # the name of now
    trap "rm -f -- '$archive'" EXIT
    # shellcheck disable=SC2016 # expanded by the inner bash
    step import bash -c 'docker save "$1" -o "$2" && ctr -a "$3" -n k8s.io images import "$2"' sh "$image" "$archive" "$run/containerd.sock" ||
        return
    # shellcheck disable=SC2016 # expanded by who reads it
    printf 'export TFL_TEST_KUBECONFIG=%q TFL_TEST_K8S_IMAGE=%q PATH=%q:$PATH\n' "$KUBECONFIG" "$image" "$TFL_K8S_DIR/bin" >"$state"
}

down() {
    local turn
    for ((turn = 0; turn < 90; turn++)); do # pods of these are processes of this machine, and their disks folders of it
        kubectl get namespaces --no-headers | grep -q ' Terminating ' || break
        sleep 1
    done
    [ ! -e "$state.started" ] || { stop && rm -f -- "$state.started"; }
}

case $verb in
up) up ;;
down) down ;;
*) die "cluster.sh $verb: up or down was expected" 2 ;;
esac
