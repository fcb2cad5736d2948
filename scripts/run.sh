#!/usr/bin/env bash
# Runs a scenario from a fresh checkout: installs what is missing, builds, and starts tfl with all the arguments.
#   scripts/run.sh [--yes] SCENARIO.lua [ARGUMENTS OF tfl]        --yes: install packages without asking
set -euo pipefail
# shellcheck source=scripts/setup/lib.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/setup/lib.sh"

yes=0
if [ "${1:-}" = --yes ]; then
    yes=1
    shift
fi
ensure_packages "$yes" run
build release
exec "$root/build/release/bin/tfl" "$@"
