#!/usr/bin/env bash
# The same scenario many times, with one seed after the other; says which seeds did not pass and where their evidence is.
#   scripts/soak.sh [--yes] FIRST..LAST SCENARIO.lua [ARGUMENTS OF tfl]     as: scripts/soak.sh 1..100 scenarios/liveness.lua
# Run folders go below build/soak; those of passes are removed. Exit 1 when any seed failed.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup/lib.sh"

yes=0
if [ "${1:-}" = --yes ]; then
    yes=1
    shift
fi
[[ ${1:-} =~ ^([0-9]+)\.\.([0-9]+)$ && $# -ge 2 ]] || die "usage: scripts/soak.sh [--yes] FIRST..LAST SCENARIO.lua [ARGUMENTS OF tfl]" 2
first=${BASH_REMATCH[1]} last=${BASH_REMATCH[2]}
shift
ensure_packages "$yes" run
build release

name=$(basename "$1" .lua)
passed=0 failed=()
for ((seed = first; seed <= last; seed++)); do
    out=$root/build/soak/$name-$seed
    rm -rf -- "$out"
    mkdir -p "$out"
    code=0
    from=$EPOCHREALTIME
    "$root/build/release/bin/tfl" "$@" --seed "$seed" --out "$out/run" --quiet >"$out/output" 2>&1 </dev/null || code=$?
    [ "$code" != 130 ] || exit 130
    [ "$code" != 2 ] || die "$(cat "$out/output")" 2 # no seed will change that
    took=$(awk -v a="$from" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')
    if [ "$code" = 0 ]; then
        passed=$((passed + 1))
        rm -rf -- "$out"
        printf 'seed %d: pass (%ss)\n' "$seed" "$took"
    else
        failed+=("$seed")
        printf 'seed %d: exit %d (%ss), evidence in %s\n' "$seed" "$code" "$took" "$out"
        sed 's/^/    /' "$out/output"
    fi
done
printf '%d passed, %d failed%s\n' "$passed" "${#failed[@]}" "${failed[*]:+: seeds ${failed[*]}}"
[ ${#failed[@]} = 0 ]
