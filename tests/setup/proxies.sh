#!/usr/bin/env bash
# proxies.sh: installs Debian's nginx and HAProxy for the tests of proxies, where they are missing and root may do that.
# Without them those tests are skipped.
set -euo pipefail
PATH="$PATH:/usr/sbin:/usr/local/sbin"
command -v nginx >/dev/null && command -v haproxy >/dev/null && exit

status=0
"$(dirname "$0")/debian.sh" nginx-light haproxy || status=$?
if [[ $status == 3 ]]; then
    echo "the tests of proxies will be skipped: there is no nginx or no haproxy, and only root on Debian can have them installed here"
    exit
fi
exit "$status"
