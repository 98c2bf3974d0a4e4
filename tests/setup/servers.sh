#!/usr/bin/env bash
# servers.sh: installs Debian's PostgreSQL and Redis for the tests of docs/libraries.md, where they are missing and root may
# do that. Those tests start servers of their own; without the programs they are skipped.
set -euo pipefail
missing=()
compgen -G "/usr/lib/postgresql/*/bin/initdb" >/dev/null || command -v initdb >/dev/null || missing+=(postgresql)
command -v redis-server >/dev/null || missing+=(redis-server)
[[ ${#missing[@]} == 0 ]] && exit

if [[ " ${missing[*]} " == *" postgresql "* && $(id -u) == 0 && ! -e /etc/postgresql-common/createcluster.conf ]]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf # nobody here needs Debian's own
fi
status=0
"$(dirname "$0")/debian.sh" "${missing[@]}" || status=$?
if [[ $status == 3 ]]; then
    echo "the tests with ${missing[*]} will be skipped: only root on Debian can have them installed here"
    exit
fi
exit "$status"
