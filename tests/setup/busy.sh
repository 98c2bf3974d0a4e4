#!/usr/bin/env bash
# busy.sh COUNT COMMAND...: runs a command beside COUNT processes that do nothing but keep the machine's cores busy, and
# exits as it does. The tests must pass so: a time-out that a slow machine exceeds shows here.
set -euo pipefail
count=$1
shift
busy=()
trap 'kill "${busy[@]}" 2>/dev/null || true' EXIT
for _ in $(seq "$count"); do
    (while :; do :; done) &
    busy+=($!)
done
"$@"
