#!/usr/bin/env bash
# debian.sh PACKAGE...: installs Debian packages. Fails without a word where that cannot be (no root, no Debian),
# and with apt-get's own words where it went wrong.
set -euo pipefail
[[ $(id -u) == 0 ]] && command -v apt-get >/dev/null || exit 3

echo "installing $* from Debian ..."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
{
    apt-get --quiet update
    apt-get --quiet --yes --no-install-recommends -o DPkg::Lock::Timeout=300 install "$@"
} >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    exit 1
}
