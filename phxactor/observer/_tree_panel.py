"""The panels of numbers and of the tree."""

from __future__ import annotations

import os
import platform
import sys
import time
from typing import ClassVar

import phxactor
from phxactor.channels import HandleResult, Payload, on
from phxactor.cluster import LocalNode
from phxactor.observer._panel import Panel
from phxactor.observer._panels import NAMES
from phxactor.observer._texts import text
from phxactor.observer._tree_rows import SORTS
from phxactor.otp import Error, Ok
from phxactor.runtime import self_pid


class SummaryPanel(Panel):
    """`observer:summary`: what program this is, and its numbers each second."""

    async def first(self) -> dict[str, object]:
        """Return what does not change."""
        node = LocalNode.found(self_pid().runtime)
        history = self.hub.history
        return {
            "program": text(os.path.basename(sys.argv[0]) or "python"),  # noqa: PTH119 - argv may hold anything
            "node": None if node is None else text(node.identity.name),
            "python": platform.python_version(),
            "version": phxactor.__version__,
            "pid": os.getpid(),
            "started": time.time() if history is None else history.started,
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
        return {"crashes": []}

    @on("find")
    async def find(self, payload: Payload) -> HandleResult:
        """Return the keys of the rows from the root to a process."""
        self.ask()
        number = payload.get("number") if isinstance(payload, dict) else None
        return Ok({"path": []}) if isinstance(number, int) else Error({"reason": "find takes the number of a process"})
