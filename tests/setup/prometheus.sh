#!/usr/bin/env bash
# prometheus.sh BIN: puts Debian's Prometheus into the folder BIN, for the test that scrapes with it. It is unpacked, not
# installed, so that no service starts. Without Debian's packages, that test is skipped.
set -euo pipefail
bin=$(realpath "$1")
[[ -x "$bin/prometheus" ]] || command -v prometheus >/dev/null && exit
command -v apt-get >/dev/null && command -v dpkg >/dev/null || { echo "no apt-get here: the test with Prometheus will be skipped"; exit; }

echo "unpacking Debian's Prometheus ..."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if [[ $(id -u) == 0 ]]; then
    apt-get --quiet update >log 2>&1 || true
    options=(-o APT::Sandbox::User=root)
else
    options=()
fi
if apt-get --quiet "${options[@]}" download prometheus >>log 2>&1; then
    dpkg --extract prometheus_*.deb .
    cp usr/bin/prometheus usr/bin/promtool "$bin/"
else
    cat log >&2
    echo "the test with Prometheus will be skipped: its package could not be fetched"
fi
