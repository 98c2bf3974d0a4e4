#!/usr/bin/env bash
# chromium.sh: installs Debian's Chromium for the browser tests, where it is missing and root may do that.
# Without it those tests are skipped.
set -euo pipefail
command -v chromium >/dev/null && exit

status=0
"$(dirname "$0")/debian.sh" chromium || status=$?
if [[ $status == 3 ]]; then
    echo "the browser tests will be skipped: there is no chromium, and only root on Debian can have it installed here"
    exit
fi
exit "$status"
