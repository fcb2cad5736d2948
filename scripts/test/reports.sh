#!/usr/bin/env bash
# Fails when any process wrote a sanitizer report into the folder FOLDER, and shows the reports.
set -euo pipefail
reports=$(find "$1" -type f -size +0 | sort)
[ -n "$reports" ] || exit 0
while IFS= read -r file; do
    echo "== $file"
    cat "$file"
done <<<"$reports"
exit 1
