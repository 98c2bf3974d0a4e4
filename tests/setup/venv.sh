#!/usr/bin/env bash
# venv.sh PYTHON FOLDER: makes a new virtual environment with a pip that knows dependency groups.
# Debian ships venv apart from python3; root gets it installed, anybody else is told what to install.
set -euo pipefail
python=$1 folder=$2

fail() {
    echo "phxactor: $1" >&2
    exit 1
}

command -v "$python" >/dev/null || fail "there is no $python on PATH; name a Python >= 3.11: make PYTHON=python3.13"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is Python $version; name a Python >= 3.11: make PYTHON=python3.13"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    "$(dirname "$0")/debian.sh" "python$version-venv" ||
        fail "Python $version has no venv; as root: apt-get install python$version-venv"
fi

echo "making an environment for Python $version in $folder ..."
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip -qq --disable-pip-version-check install --upgrade "pip>=25.1"
