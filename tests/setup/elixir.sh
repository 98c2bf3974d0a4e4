#!/usr/bin/env bash
# elixir.sh: installs Debian's Elixir, which `make test-beam` compares with, where it is missing and root may do that.
# Where that fails, for want of a network say, it keeps silent: `make test-beam` says that it is skipped.
set -euo pipefail
command -v elixir >/dev/null || "$(dirname "$0")/debian.sh" elixir 2>/dev/null || true
