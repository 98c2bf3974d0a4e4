"""One target under atheris, led by what inputs cover: python -m tests.fuzz.fuzzer TARGET [OPTIONS of libFuzzer]."""

from __future__ import annotations

import sys

import atheris

if __name__ == "__main__":
    with atheris.instrument_imports(include=["phxactor", "h11", "websockets"]):
        from tests.fuzz.targets import TARGETS
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target.function)
    atheris.Fuzz()
