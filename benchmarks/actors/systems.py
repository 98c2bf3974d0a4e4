"""Which systems there are, and which pieces of work."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from importlib.util import find_spec
from typing import Final, Literal, TypeAlias

import attrs

Piece: TypeAlias = Literal["round_trip", "spawn", "crowd", "call", "idle", "chain"]
"""A piece of work, and what its figure is, of CPU time where it is time:

- `round_trip`: one message to another process and one back, µs; for bare trio, two task switches;
- `spawn`: start a process that does nothing, and wait until it is gone, µs;
- `crowd`: the same, 1000 at a time, µs for each;
- `call`: ask a server and get its answer, µs;
- `idle`: a process that waits for a message, KB of resident memory;
- `chain`: 100,000 processes, each linked to the next, from the crash of the first until all are gone, s.
"""

Work: TypeAlias = dict[Piece, Callable[[], float]]
"""What a system can do: each function does one piece of work, and returns its figure."""

CHAIN: Final = 100_000


@attrs.frozen
class System:
    """A system, and how to see whether it is here."""

    name: str
    module: str
    """In this folder; has `WORK`."""
    installed: Callable[[], bool]


def _importable(package: str) -> Callable[[], bool]:
    return lambda: find_spec(package) is not None


TRIO: Final = System("trio", "on_trio", lambda: True)
PHXACTOR: Final = System("phxactor", "on_phxactor", lambda: True)
OTHERS: Final = (
    System("pykka", "on_pykka", _importable("pykka")),
    System("thespian", "on_thespian", _importable("thespian")),
    System("Elixir", "on_elixir", lambda: shutil.which("elixir") is not None),
)
