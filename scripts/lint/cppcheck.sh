#!/usr/bin/env bash
# cppcheck over all C; what is known to be wrong in its view and right in ours is in cppcheck.txt with the reason.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."
mkdir -p build/lint/cppcheck
cppcheck -q -j "$(nproc)" --cppcheck-build-dir=build/lint/cppcheck --std=c11 --platform=unix64 --library=posix,gnu \
    --enable=warning,performance,portability --inline-suppr --suppressions-list=scripts/lint/cppcheck.txt \
    --error-exitcode=1 -D_GNU_SOURCE -DTFL_VERSION='"0"' -I engine -I . engine bindings spec/support
