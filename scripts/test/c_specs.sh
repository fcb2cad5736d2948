#!/usr/bin/env bash
# The C unit specs by ctest; each cmocka test counts as one. Shows the output of the programs that failed.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."
out=$(mktemp build/test/ctest.XXXXXX)
code=0
CMOCKA_MESSAGE_OUTPUT=TAP ctest --test-dir build/dev -j "$(nproc)" --timeout 120 -V >"$out" || code=$?
exec lua5.4 scripts/test/count_tap.lua "$out" "$code"
