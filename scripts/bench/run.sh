#!/usr/bin/env bash
# Measures what the project promises, with the release build: one line for each figure,
#   NAME  FIGURE  TARGET  ok|MISS  load=LOAD AVERAGE OF THE MACHINE BEFORE
#   scripts/bench/run.sh [--yes] [PATTERN]      PATTERN: only benchmarks whose file name holds it (extended regular expression)
# Exit 1 when a target was missed or a benchmark could not run.
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../setup/lib.sh"

yes=0
if [ "${1:-}" = --yes ]; then
    yes=1
    shift
fi
pattern=${1:-.}
ensure_packages "$yes" run test bench
build release
cd "$root"

export TFL="$root/build/release/bin/tfl" BENCH_DIR="$root/build/bench"
export LUA_PATH="$root/?.lua;$root/?/init.lua;;"
rm -rf -- "$BENCH_DIR"
mkdir -p "$BENCH_DIR"
status=0
for file in scripts/bench/*.lua; do
    name=$(basename "$file" .lua)
    if [ "$name" = bench ] || ! [[ $name =~ $pattern ]]; then
        continue
    fi
    load=$(cut -d' ' -f1 /proc/loadavg)
    if ! timeout -k 10 1200 lua5.4 "$file" >"$BENCH_DIR/$name.out" 2>"$BENCH_DIR/$name.err" </dev/null; then
        printf '%-34s could not be measured: its output ends:\n' "$name"
        tail -n 40 "$BENCH_DIR/$name.out" "$BENCH_DIR/$name.err" | sed 's/^/    /'
        status=1
    fi
    while IFS=$'\t' read -r what figure target verdict; do
        printf '%-34s %16s   %-14s %-4s  load=%s\n' "$what" "$figure" "$target" "$verdict" "$load"
        [ "$verdict" = ok ] || status=1
    done < <(grep -P '^[^\t]+\t[^\t]+\t[^\t]+\t(ok|MISS)$' "$BENCH_DIR/$name.out")
done
exit "$status"
