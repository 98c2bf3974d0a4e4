"""How long tests wait for what ends by an event, on the clock of the wall.

Only a fault takes that long, however busy the machine is. A test whose subject is a time-out does not wait for it: in
memory it takes `autojump_clock`, and with real sockets `still_clock`, which stands still until the test moves it.
"""

from __future__ import annotations

from typing import Final

PATIENCE: Final = 60.0
"""Seconds."""
