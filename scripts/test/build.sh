#!/usr/bin/env bash
# One build as a group of scripts/test.sh: PRESET dev, or fuzz (clang with all warnings as errors, specs and fuzz targets too).
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/../setup/lib.sh"
case $1 in
fuzz) build fuzz -DTFL_WERROR=ON -DTFL_SPECS=ON ;;
*) build "$1" ;;
esac
