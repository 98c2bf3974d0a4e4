"""Monitors that were just asked for: the request of a call follows at once, and starts the server first."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from phxactor.runtime import Monitor, Runtime
from phxactor.sharded._key import KeyPid
from phxactor.sharded._ops import Op


@final
class Asked:
    """The monitors that no request has followed yet."""

    def __init__(self, runtime: Runtime, act: Callable[[str, Op], object]) -> None:
        """Start without any; `act` places one."""
        self._runtime = runtime
        self._act = act
        self._monitors: dict[Monitor, None] = {}

    def __bool__(self) -> bool:
        """Say whether there are any."""
        return bool(self._monitors)

    def add(self, watch: Monitor) -> None:
        """Take a monitor, which is placed soon unless a request takes it."""
        if not self._monitors:
            self._runtime.run_soon(self.place)
        self._monitors[watch] = None

    def take(self, watch: Monitor) -> bool:
        """Take one back; returns whether it was there."""
        return self._monitors.pop(watch, False) is None

    def place(self) -> None:
        """Place them: a monitor starts no server."""
        monitors, self._monitors = self._monitors, {}
        for watch in monitors:
            assert isinstance(watch.target, KeyPid)  # noqa: S101 - for mypy: only such are asked for
            self._act(watch.target.key, Op("watch", None, watch))
