#!/usr/bin/env bash
# clang-format decides how C looks; this says where a file differs.
set -euo pipefail
cd "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../.."
find engine bindings spec -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run -Werror
