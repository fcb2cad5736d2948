#!/usr/bin/env bash
# Every fuzz target for $TFL_FUZZ_SECONDS (10) on its kept corpus, as many at a time as there are processors. New inputs go below build/, an input that breaks
# something is printed and kept there: add it to spec/fuzz/corpus/NAME with the mend.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."

fuzz_one() {
    local name=$1 new=build/fuzz/corpus/$1 kept=spec/fuzz/corpus/$1 log=build/fuzz/corpus/$1.log
    mkdir -p "$new" build/fuzz/artifacts
    if [ ! -d "$kept" ]; then
        echo "not ok $name: it has no corpus; put an input or two into $kept"
    elif build/fuzz/fuzz/"${name}_fuzz" -max_total_time="${TFL_FUZZ_SECONDS:-10}" -timeout=30 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/artifacts/$name-" "$new" "$kept" >"$log" 2>&1; then
        echo "ok $name: $(grep -o 'stat::number_of_executed_units: *[0-9]*' "$log" | tr -dc 0-9) inputs"
    else
        echo "not ok $name"
        sed 's/^/    /' "$log"
    fi
}
export -f fuzz_one

sources=$(find spec/fuzz -name '*_fuzz.c' | LC_ALL=C sort)
[ -n "$sources" ] || { echo "no fuzz targets in spec/fuzz"; exit 1; }
unset ASAN_OPTIONS UBSAN_OPTIONS # libFuzzer wants the report in its own output
# shellcheck disable=SC2016 # expanded by the inner bash
result=$(printf '%s\n' "$sources" | sed 's,.*/\(.*\)_fuzz\.c$,\1,' | xargs -P "$(nproc)" -n 1 bash -c 'fuzz_one "$1"' fuzz)
printf '%s\n' "$result"
awk '/^ok /{ p++ } /^not ok /{ f++ } END { print p + 0, f + 0, 0 }' <<<"$result" >"${TFL_COUNTS:-/dev/null}"
! grep -q '^not ok ' <<<"$result"
