"""Functions for tasks of tests, and what is asked of tasks."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from phxactor.otp import Task
from phxactor.runtime import Exit, Pid, Reason, trap_exit


async def later(value: object, seconds: float = 1) -> object:
    await trio.sleep(seconds)
    return value


async def ending(reason: Reason, seconds: float = 1) -> None:
    await trio.sleep(seconds)
    raise Exit(reason)


async def stubborn(seconds: float = 100) -> str:
    """Take no notice of a request to end."""
    trap_exit()
    await trio.sleep(seconds)
    return "done"


async def exits(awaited: Any) -> Reason:  # noqa: ANN401 - anything that can be awaited
    """Await, and return the reason of the exit that this raises."""
    with pytest.raises(Exit) as caught:
        await awaited
    return caught.value.reason


def pid_of(task: Task[Any]) -> Pid:
    assert task.pid is not None
    return task.pid
