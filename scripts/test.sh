#!/usr/bin/env bash
# Every check of the project: lint, C unit specs, busted specs through the built tfl, fuzz targets, and that nothing is left behind.
# What takes long to compute (cppcheck, clang-tidy, the clang build, the fuzz targets) runs beside the specs, on time that they leave.
#   scripts/test.sh [--yes] [--fast] [--only PATTERN] [--cluster DIR]
#     --yes    install missing packages without asking (as CI=true does)
#     --fast   leave out what takes long and rarely fails: clang-tidy, the clang build, the fuzz targets (counted as skipped)
#     --only   only groups whose name holds PATTERN (an extended regular expression), as lint, c-specs, spec/liveness, fuzz
#     --cluster  folder with a build.sh, up.sh and down.sh that make a cluster for the specs of -d k8s (scripts/test/cluster.sh). Where
#              TFL_TEST_KUBECONFIG names one, that one is used as it is
# The last line is `N passed, N failed, N skipped`. Exit 1 when anything failed, or, with CI=true, was skipped (but for specs that
# need a cluster, while there is none and --cluster names no folder).
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup/lib.sh"
# shellcheck source=scripts/setup/docker.sh
. "$root/scripts/setup/docker.sh"

yes=0 fast=0 only=. cluster=''
while [ $# -gt 0 ]; do
    case $1 in
    --yes) yes=1 ;;
    --fast) fast=1 ;;
    --only) only=${2:?--only needs a pattern} && shift ;;
    --cluster) cluster=$(readlink -f -- "${2:?--cluster needs a folder}") && shift ;;
    *) die "usage: scripts/test.sh [--yes] [--fast] [--only PATTERN] [--cluster DIR]" 2 ;;
    esac
    shift
done
[ -z "$cluster" ] || [ -f "$cluster/up.sh" ] || die "--cluster $cluster: there is no up.sh in that folder" 2
ensure_packages "$yes" run compose test
cd "$root"

logs=$root/build/test
rm -rf -- "$logs"
mkdir -p "$logs/reports"
seed=${TFL_TEST_SEED:-$((RANDOM * 32768 + RANDOM))}
passed=0 failed=0 skipped=0 excused=0
jobs=${TFL_TEST_JOBS:-3} # specs wait for blocks, too; four fill two processors no better, and make each other late
cluster_jobs=2 # of those that need a cluster, which works itself
export TFL="$root/build/dev/bin/tfl" TFL_TEST_SEED=$seed TFL_TEST_MARK=$$-$seed
export LUA_PATH="$root/?.lua;$root/?/init.lua;$root/lua/?.lua;$root/lua/?/init.lua;;"
# A report of any process, also of a node whose output nobody reads, becomes a file that the last group finds.
export ASAN_OPTIONS="detect_stack_use_after_return=1:log_path='$logs/reports/asan'"
export UBSAN_OPTIONS="print_stacktrace=1:log_path='$logs/reports/ubsan'"

stop() {
    local pids
    pids=$(jobs -p)
    # shellcheck disable=SC2086 # one word for each
    [ -z "$pids" ] || kill $pids 2>/dev/null || true
    exit 130
}
# finish: what this script has started beside its groups goes, however it ends.
finish() {
    trap '' INT TERM
    [ ! -e "$logs/cluster.started" ] || scripts/test/cluster.sh down "$cluster" "$logs/cluster" >&2 || true
    stop_engine
}
trap stop INT TERM
trap finish EXIT

# one NAME SECONDS COMMAND…: runs it with a time limit. It may write "passed failed skipped" to $TFL_COUNTS, else it counts as one by
# its exit code. Its output is shown when anything failed, and kept in build/test; the counts go to a file for `add`.
one() {
    local name=$1 limit=$2 log code=0 p=0 f=0 s=0 from=$EPOCHREALTIME took text
    shift 2
    log=$logs/${name//\//.}
    TFL_COUNTS=$log.counts timeout -k 10 "$limit" "$@" >"$log.log" 2>&1 </dev/null &
    trap 'kill $! 2>/dev/null; exit 130' INT TERM
    wait $! || code=$?
    took=$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    if [ -s "$log.counts" ]; then
        read -r p f s <"$log.counts"
    elif [ "$code" = 0 ]; then
        p=1
    fi
    if [ "$code" = 124 ] || [ "$code" = 137 ]; then
        printf 'stopped: over the limit of %ss\n' "$limit" >>"$log.log"
    fi
    if [ "$code" != 0 ] && [ "$f" = 0 ]; then
        f=1
    fi
    text=$(printf '%-6s %-32s %4d passed %4d failed %4d skipped %7ss' "$([ "$f" = 0 ] && echo ok || echo FAILED)" "$name" "$p" "$f" "$s" "$took")
    if [ "$f" != 0 ]; then
        text+=$'\n'$(sed 's/^/    /' "$log.log")
    fi
    printf '%s\n' "$text"
    echo "$p $f $s" >"$logs/total.${name//\//.}"
}

# group …: the same, by itself; beside …: while others run, at most $jobs at a time. `join` waits for these.
group() {
    [[ $1 =~ $only ]] || return 0
    one "$@" &
    wait $! || true
}
beside() {
    [[ $1 =~ $only ]] || return 0
    while [ "$(jobs -rp | grep -cvx "$computing")" -ge "$jobs" ]; do
        wait -n || true
    done
    one "$@" &
}
join() {
    wait || true
}

# what_failed: the failed groups once more, with the first lines of what failed in them: a CI may keep only the end of an output.
what_failed() {
    local total f log
    for total in "$logs"/total.*; do
        read -r _ f _ <"$total"
        [ "$f" != 0 ] || continue
        log=$logs/${total##*/total.}.log
        printf 'failed in %s:\n' "${log#"$root/"}"
        awk '/^(Failure|Error) -> / { left = 4 } left-- > 0 { print "    " $0; n++ } END { exit n == 0 }' "$log" ||
            grep -m 5 -iE 'fail|error|over the limit' "$log" | sed 's/^/    /' || true
    done
}

# in_order: the files of stdin in the order of the seed, but those of a minute or more before the others, or the last one of them runs alone.
long='/(deployers/(compose|custom)|fault_scenarios|fault_judging|transactions|kinds/custom|kinds/programs|chaos|judging|links|hang|repl|scenario|leftovers)_'
in_order() {
    local all
    all=$(LC_ALL=C sort | shuf --random-source=<(yes "$seed"))
    grep -E "$long" <<<"$all" || true
    grep -vE "$long|^$" <<<"$all" || true
}

alone=spec/starved_spec.lua # it keeps all processors busy: after the others

# uses MODULE: the spec files that use this module of spec/support. needs MODULE: is one of them wanted?
uses() { grep -rlE --include='*_spec.lua' "^local .*\"spec\\.support\\.$1\"" spec || true; }
needs() {
    local file
    while IFS= read -r file; do
        [[ ! ${file%_spec.lua} =~ $only ]] || return 0
    done < <(uses "$1")
    return 1
}

# slow NAME …: a group that --fast leaves out.
slow() {
    if [ "$fast" = 0 ]; then
        group "$@"
    elif [[ $1 =~ $only ]]; then
        printf 'skip   %s\n' "$1"
        echo "0 0 1" >"$logs/total.${1//\//.}"
    fi
}

# compute: the groups that compute, one after the other, on processor time that nobody else wants.
compute() {
    trap stop INT TERM
    group lint/cppcheck 600 scripts/test/idle.sh scripts/lint/cppcheck.sh
    slow lint/clang-tidy 2400 scripts/test/idle.sh lua5.4 scripts/lint/clang_tidy.lua
    slow build/clang 1800 scripts/test/idle.sh scripts/test/build.sh fuzz
    slow fuzz 900 scripts/test/idle.sh scripts/test/fuzz.sh
}

# cluster_specs: those that need a cluster, or a word for each that it is left out.
cluster_specs() {
    local file
    jobs=$cluster_jobs
    while IFS= read -r file; do
        if [ -n "${TFL_TEST_KUBECONFIG:-}" ]; then
            beside "${file%_spec.lua}" 500 scripts/test/spec.sh "$file"
        elif [[ ${file%_spec.lua} =~ $only ]]; then
            printf 'skip   %-32s there is no cluster\n' "${file%_spec.lua}"
            echo "0 0 1" >"$logs/total.cluster.${file//\//.}" # no script here can install a cluster
        fi
    done < <(uses k8s | in_order)
    join
}

echo "seed $seed (TFL_TEST_SEED=$seed scripts/test.sh runs the specs in this order again); logs in build/test"
group lint/layering 60 lua5.4 scripts/lint/layering.lua
group lint/sizes 60 lua5.4 scripts/lint/sizes.lua
group lint/environment 60 lua5.4 scripts/lint/environment.lua
group lint/clang-format 60 scripts/lint/clang-format.sh
group lint/luacheck 60 luacheck -q lua scenarios spec scripts
group lint/shellcheck 60 shellcheck -x scripts/*.sh scripts/*/*.sh assets/*/*.sh assets/completion/tfl.bash .ci/run
wanted=$only
[[ $only == lint* ]] || only=. # all but the text checks need the build, whatever was asked for
group build/dev 300 scripts/test/build.sh dev
only=$wanted
compute &
computing=$!
! needs docker || start_engine "$logs/dockerd.log"
[ -z "${TFL_TEST_KUBECONFIG:-}" ] && [ -n "$cluster" ] && needs k8s || cluster=''
group c-specs 300 scripts/test/c_specs.sh
lua5.4 spec/support/leaks.lua snapshot "$logs/before"
while IFS= read -r file; do
    beside "${file%_spec.lua}" 500 scripts/test/spec.sh "$file"
done < <(find spec -name '*_spec.lua' | grep -vxF "$(uses k8s)" | grep -vx "$alone" | in_order)
join
[ ! -f "$alone" ] || group "${alone%_spec.lua}" 500 scripts/test/spec.sh "$alone"
if [ -n "$cluster" ]; then # after the others: they judge by the time that things take
    start_engine "$logs/dockerd.log"
    one cluster 2400 scripts/test/cluster.sh up "$cluster" "$logs/cluster" &
    wait $! || true
    # shellcheck source=/dev/null
    [ ! -e "$logs/cluster" ] || . "$logs/cluster"
fi
cluster_specs
if [ -n "$cluster" ]; then
    one cluster-end 240 scripts/test/cluster.sh down "$cluster" "$logs/cluster" &
    wait $! || true
fi
# In CI nobody else runs anything: every run that is left is ours. Elsewhere only what has our mark in its environment.
leaks_of=("TFL_TEST_MARK=$TFL_TEST_MARK")
[ "${CI:-}" != true ] || leaks_of=()
group leftovers 30 lua5.4 spec/support/leaks.lua check "$logs/before" "${leaks_of[@]}"
group sanitizers 10 scripts/test/reports.sh "$logs/reports"

for total in "$logs"/total.*; do
    read -r p f s <"$total"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [[ $total != */total.cluster.spec* ]] || excused=$((excused + s))
done
what_failed
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ] && { [ "$skipped" = "$excused" ] || [ "${CI:-}" != true ]; }
