"""Programs with a bug that shows itself in some orders only, or if something fails; never first come, first served."""

from __future__ import annotations

from tests.testing.planted import channels, crossings, ends, messages, servers, tables, timing
from tests.testing.planted.bug import Bug, Program

BUGS: dict[str, Bug] = {
    bug.name: bug for room in (messages, timing, ends, servers, tables, channels, crossings) for bug in room.BUGS
}

__all__ = ["BUGS", "Bug", "Program"]
