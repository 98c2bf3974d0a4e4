"""Which servers there are, how each is started, and how it is spoken to."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import attrs

NODE: Final = Path(__file__).parent / "node"


@attrs.frozen
class Program:
    """A server that is started anew for each run; `--port` is added to its command."""

    name: str
    command: tuple[str, ...]
    dialect: str
    missing: str | None = None
    """Why it cannot be started here."""
    workers: int = 0
    """How many workers it starts, which are what is measured; 0 if it serves itself."""


@attrs.frozen
class Running:
    """A server that somebody else has started on this machine."""

    name: str
    port: int
    pid: int
    dialect: str
    missing: None = None


def _python(name: str, module: str, *options: str, dialect: str = "phoenix", wants: tuple[str, ...] = ()) -> Program:
    absent = [package for package in wants if find_spec(package) is None]
    missing = f"{' and '.join(absent)} not installed (`make bench` does that)" if absent else None
    return Program(name, (sys.executable, "-m", module, *options), dialect, missing)


def _node(name: str, script: str) -> Program:
    if shutil.which("node") is None:
        missing = "there is no node"
    elif not (NODE / "node_modules").is_dir():
        missing = f"its packages are not installed (`make bench` does that, or npm ci in {NODE})"
    else:
        missing = None
    return Program(name, ("node", str(NODE / script)), "phoenix", missing)


FLOOR: Final = _python("floor", "benchmarks.servers.floor", dialect="raw")
PHXACTOR: Final = _python("phxactor", "tests.conformance.zoo")
SOCKETIO: Final = _python(
    "python-socketio", "benchmarks.servers.on_socketio", dialect="socketio", wants=("socketio", "uvicorn", "uvloop")
)

PROGRAMS: Final = (
    PHXACTOR,
    attrs.evolve(FLOOR, name="bare-trio"),
    _python("trio-websocket", "benchmarks.servers.on_trio_websocket"),
    _python("websockets", "benchmarks.servers.on_websockets"),
    _python("websockets-uvloop", "benchmarks.servers.on_websockets", "--uvloop", wants=("uvloop",)),
    SOCKETIO,
    _python("django-channels", "benchmarks.servers.on_django_channels", wants=("channels", "uvicorn", "uvloop")),
    _node("node-ws", "ws.mjs"),
)
"""All that are measured, ours first."""

_AROUND: Final = "benchmarks.servers.around_uvicorn"
HOSTED: Final = (
    _python("phxactor-in-asyncio", _AROUND, wants=("uvicorn",)),
    _python("phxactor-in-uvloop", _AROUND, "--loop", "uvloop", wants=("uvicorn", "uvloop")),
    _python("phxactor-by-messages", _AROUND, "--loop", "uvloop", "--messages", wants=("uvicorn", "uvloop")),
)
"""phxactor beside an asyncio server: measured only if `--servers` names them."""
