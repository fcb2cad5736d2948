#!/usr/bin/env bash
# Runs a command on processor time that nobody else wants, and ends all of it when it is told to end itself.
#   scripts/test/idle.sh COMMAND…
# In a session of its own: where the kernel shares processors between sessions first (autogroup), an idle task has all that its session
# has, so the session has to be told, too.
set -euo pipefail

idle='echo 19 2>/dev/null >/proc/self/autogroup || true
if chrt --idle 0 true 2>/dev/null; then exec chrt --idle 0 "$@"; else exec nice -n 19 "$@"; fi'
setsid sh -c "$idle" sh "$@" &
trap 'kill -- -$! 2>/dev/null; wait; exit 130' INT TERM
wait $!
