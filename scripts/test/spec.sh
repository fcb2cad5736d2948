#!/usr/bin/env bash
# One busted file, its tests in a random order (by $TFL_TEST_SEED), under Lua 5.4.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."
out=$(mktemp build/test/busted.XXXXXX)
code=0
lua5.4 "$(command -v busted)" -o plainTerminal --shuffle --seed="$((TFL_TEST_SEED % 2147483647))" "$1" >"$out" 2>&1 || code=$?
cat "$out"
counts=$(sed -nE 's,^([0-9]+) success(es)? / ([0-9]+) failures? / ([0-9]+) errors? / ([0-9]+) pending.*,\1 \3 \4 \5,p' "$out" | tail -n 1)
if [ -z "$counts" ]; then
    echo "busted ended with code $code before its last line"
    exit 1
fi
awk '{ print $1, $2 + $3, $4 }' <<<"$counts" >"${TFL_COUNTS:-/dev/null}"
exit "$code"
