#!/usr/bin/env bash
# autobahn.sh BIN: installs Autobahn's test suite, the program wstest, beside the virtual environment of BIN, and links it
# into BIN. It needs Python 2.7, and a compiler; without them its tests are skipped.
set -euo pipefail
bin=$1
folder=$(dirname "$bin")/autobahn
[[ -x $bin/wstest ]] && exit

# A shim of pyenv may be there without a Python behind it, and pyenv's own Pythons without a shim.
python=
for candidate in python2.7 python2 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python2.7; do
    if [[ $("$candidate" -c 'import sys; print(sys.version_info[:2] == (2, 7))' 2>/dev/null) == True ]]; then
        python=$(command -v "$candidate")
        break
    fi
done
if [[ -z $python ]]; then
    echo "Autobahn's test suite will be skipped: it needs Python 2.7, and there is none here"
    exit
fi

echo "installing Autobahn's test suite (once, a minute or two) ..."
log=$(mktemp)
virtualenv=$(mktemp -d)
trap 'rm -rf "$log" "$virtualenv"' EXIT
if ! {
    # The last virtualenv that makes environments for Python 2.7.
    "$bin/python" -m pip --quiet --disable-pip-version-check --no-input install --target "$virtualenv" virtualenv==20.15.1 &&
        PYTHONPATH=$virtualenv "$bin/python" -m virtualenv --quiet --clear --python "$python" "$folder" &&
        "$folder/bin/pip" --quiet --disable-pip-version-check --no-input install autobahntestsuite &&
        ln -sf ../autobahn/bin/wstest "$bin/wstest"
} >"$log" 2>&1; then
    echo "Autobahn's test suite will be skipped, since it could not be installed: $(tail -n 1 "$log")"
fi
