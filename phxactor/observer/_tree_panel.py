"""The panels of numbers, of the tree, of charts and of the log."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from typing import ClassVar, Final

import phxactor
from phxactor.channels import HandleResult, Payload, on
from phxactor.cluster import LocalNode
from phxactor.observer._history import STEP
from phxactor.observer._panel import Panel
from phxactor.observer._panels import NAMES
from phxactor.observer._texts import text
from phxactor.observer._tree_rows import SORTS
from phxactor.observer._viewer import Find
from phxactor.otp import Error, NoReply, Ok
from phxactor.runtime import self_pid

SERVED: Final = re.compile(r"[a-zA-Z_][\w.]*:[a-zA-Z_][\w.]*")
"""What `phxactor serve` is given: a module, and a name in it."""


def program(arguments: list[str]) -> str:
    """Name a program by its file, or by its folder if that is what Python runs (`python -m folder`).

    One that `phxactor` serves has the name by which it was asked for, such as `shop:endpoint`.
    """
    if not arguments:
        return "python"
    path, *others = arguments
    folder, name = os.path.split(path)
    if name == "phxactor" and others:
        asked = [one for one in others[1:] if SERVED.fullmatch(one)]
        return next(iter(asked), " ".join((name, *others[:2])))
    return (os.path.basename(folder) if name == "__main__.py" else name) or "python"  # noqa: PTH119 - any text


class SummaryPanel(Panel):
    """`observer:summary`: what program this is, and its numbers each second."""

    async def first(self) -> dict[str, object]:
        """Return what does not change."""
        node = LocalNode.found(self_pid().runtime)
        history = self.hub.history
        return {
            "program": text(program(sys.argv)),
            "node": None if node is None else text(node.identity.name),
            "python": platform.python_version(),
            "version": phxactor.__version__,
            "pid": os.getpid(),
            "started": history.started,
            "now": time.time(),
            "actions": self.settings.actions,
            "interval": 1.0,
            "panels": NAMES,
        }


class TreePanel(Panel):
    """`observer:tree`: the rows of the tree that the viewer sees."""

    sorts: ClassVar[frozenset[str]] = SORTS

    async def first(self) -> dict[str, object]:
        """Return the crashes of late."""
        return {"crashes": [story.payload() for story in self.hub.stories.kept]}

    @on("find")
    async def find(self, payload: Payload) -> HandleResult:
        """Return the keys of the rows from the root to a process; the collector knows them."""
        number = payload.get("number") if isinstance(payload, dict) else None
        if not isinstance(number, int):
            return Error({"reason": "find takes the number of a process"})
        self.heard = self_pid().runtime.now()
        if self.collector is None or self.socket.ref is None:
            return Ok({"path": [], "index": None})
        self.collector.send(Find(self.socket_ref(), number, self.viewer.view))
        return NoReply()


class ChartsPanel(Panel):
    """`observer:charts`: the totals of the last hour, and a point each second."""

    async def first(self) -> dict[str, object]:
        """Return the last hour."""
        history = self.hub.history
        return {"step": STEP, "started": history.started, "series": history.series(), "from": history.first()}


class LogPanel(Panel):
    """`observer:log`: what went wrong, grouped."""

    async def first(self) -> dict[str, object]:
        """Return all groups, the newest first."""
        return {"groups": [group.payload() for group in reversed(self.hub.log.groups.values())]}

    @on("more")
    async def more(self, payload: Payload) -> HandleResult:
        """Return a group with its whole text."""
        self.heard = self_pid().runtime.now()
        group = self.hub.log.find(payload.get("id") if isinstance(payload, dict) else None)
        return Error({"reason": "there is no such group any more"}) if group is None else Ok(group.payload(whole=True))
