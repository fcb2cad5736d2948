#!/usr/bin/env bash
# From nothing to a verdict on a deployer: installs what is missing, builds, sees that there is a Docker engine or a cluster, and runs
# the examples. Prints the tfl line of each, to be run again without this script.
#   scripts/run/run-examples.sh [-t|--run-seconds N] [-n|--nodes N] [--bundle FILE] [--yes] host|compose|k8s [SCENARIO…]
# SCENARIO: names of scenarios/ (liveness). The exit code is the worst of tfl's (tfl help exit).
# k8s: the image is made and given to the cluster of the current context: by kind, k3d or minikube where it is one of theirs, by ctr where
# its only machine is this one (CONTAINERD_ADDRESS: the socket, when it is not the usual one). Of others it says what to push where.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../setup/lib.sh"
# shellcheck source=scripts/setup/docker.sh
. "$root/scripts/setup/docker.sh"
# shellcheck source=scripts/run/cluster_image.sh
. "$root/scripts/run/cluster_image.sh"

usage() {
    die "${1:+$1
}usage: scripts/run/run-examples.sh [-t|--run-seconds N] [-n|--nodes N] [--bundle FILE] [--yes] host|compose|k8s [SCENARIO...]" 2
}

# number WORD FLAG: a whole number from 1, or usage.
number() { [[ $1 =~ ^[1-9][0-9]{0,5}$ ]] || usage "$2 $1: a whole number from 1 was expected"; }

yes=0 agreed=() seconds='' nodes='' deployer='' scenarios=()
while [ $# -gt 0 ]; do
    case $1 in
    -t | --run-seconds | -n | --nodes | --bundle)
        [ $# -ge 2 ] || usage "$1: a value was expected"
        case $1 in
        -t | --run-seconds) number "$2" "$1" && seconds=$2 ;;
        -n | --nodes) number "$2" "$1" && nodes=$2 ;;
        --bundle)
            [ -f "$2" ] || usage "--bundle $2: there is no such file; scripts/build/build-bundle.sh makes one"
            LOGOS_BLOCKCHAIN_BINARIES_TAR=$(readlink -f -- "$2")
            export LOGOS_BLOCKCHAIN_BINARIES_TAR
            ;;
        esac
        shift 2
        ;;
    --yes) yes=1 agreed=(--yes) && shift ;;
    -h | --help) sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" && exit 0 ;;
    -*) usage "$1: there is no such flag" ;;
    *)
        if [ -n "$deployer" ]; then scenarios+=("$1"); else deployer=$1; fi
        shift
        ;;
    esac
done
[ ${#scenarios[@]} -gt 0 ] || scenarios=(liveness)
for name in "${scenarios[@]}"; do
    [ -f "$root/scenarios/$name.lua" ] || usage "$name: there is no scenarios/$name.lua"
done

case $deployer in
host) ensure_packages "$yes" run ;;
compose)
    ensure_packages "$yes" run compose
    mkdir -p "$root/build"
    start_engine "$root/build/dockerd.log"
    trap stop_engine EXIT
    need_docker >/dev/null
    ;;
k8s)
    image_way
    ensure_packages "$yes" run
    if [[ ! $way =~ ^(registry|there)$ ]]; then
        ensure_packages "$yes" compose
        mkdir -p "$root/build"
        start_engine "$root/build/dockerd.log"
        trap stop_engine EXIT
        need_docker >/dev/null
    fi
    give_image "${agreed[@]}"
    ;;
'') usage ;;
*) usage "$deployer: host, compose or k8s was expected" ;;
esac
build release

worst=0
weight=(0 3 4 2 1) # of exit codes 0 to 4, as several runs of one tfl weigh them
for name in "${scenarios[@]}"; do
    words=("scenarios/$name.lua" -d "$deployer" ${nodes:+-n "$nodes"} ${seconds:+-t "${seconds}s"})
    say "tfl ${words[*]}"
    code=0
    (cd "$root" && "$root/build/release/bin/tfl" "${words[@]}") || code=$?
    [ "$code" -le 4 ] || exit "$code" # interrupted, or no verdict at all
    [ "${weight[$code]}" -le "${weight[$worst]}" ] || worst=$code
done
exit "$worst"
