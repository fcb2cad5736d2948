#!/usr/bin/env bash
# One busted file, its tests in a random order (by $TFL_TEST_SEED), under Lua 5.4.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."
# Files that run side by side do not see each other's port locks (each test has a run-time folder of its own), so each gets ports of
# its own.
for slot in 0 1 2 3 4 5 6 7; do
    exec 9>"build/test/ports-$slot.lock"
    if flock -n 9; then
        export TFL_PORTS=$((20000 + slot * 1472))-$((20000 + slot * 1472 + 1471))
        break
    fi
done
out=$(mktemp build/test/busted.XXXXXX)
code=0
lua5.4 "$(command -v busted)" -o plainTerminal --shuffle --seed="$((TFL_TEST_SEED % 2147483647))" "$1" >"$out" 2>&1 9>&- || code=$?
cat "$out"
counts=$(sed -nE 's,^([0-9]+) success(es)? / ([0-9]+) failures? / ([0-9]+) errors? / ([0-9]+) pending.*,\1 \3 \4 \5,p' "$out" | tail -n 1)
if [ -z "$counts" ]; then
    echo "busted ended with code $code before its last line"
    exit 1
fi
awk '{ print $1, $2 + $3, $4 }' <<<"$counts" >"${TFL_COUNTS:-/dev/null}"
exit "$code"
