"""What is shown of one process: read from its record and its task, without a message to it."""

from __future__ import annotations

import linecache
from collections.abc import Iterable
from itertools import islice
from sys import getsizeof
from typing import Final

import trio

from phxactor.observer._forest import Forest
from phxactor.observer._node import supervising
from phxactor.observer._stories import named
from phxactor.observer._texts import optional, text
from phxactor.observer._tree_rows import supervision
from phxactor.observer._values import Redact, message_text
from phxactor.otp import ServerProcess
from phxactor.runtime import Pid, State, describe_reason, task_of

MESSAGES: Final = 20
"""Maximum of messages that are shown."""
RELATED: Final = 50
"""Maximum of links, monitors and watchers that are shown."""
FRAMES: Final = 40
"""Maximum of frames of a stack."""
REASON: Final = 1000


def payload(pid: Pid, forest: Forest, redact: Redact | None) -> dict[str, object]:
    """Return what the record of a process tells."""
    node = forest.nodes.get(pid)
    record = None if node is None else node.record()
    ended = pid.state is State.DEAD
    return {
        "number": pid.number,
        "name": optional(pid.name),
        "label": optional(pid.label),
        "call": text(pid.initial_call),
        "status": "ended" if ended else "exiting" if node is None else node.status(),
        "supervision": None if node is None else supervision(node),
        "trapping": pid.trapping,
        "priority": None,
        "ancestors": [_ancestor(one, pid) for one in pid.ancestors if one is not pid.runtime.outside],
        "links": _related(pid.links or ()),
        "monitors": _related(watch.target for watch in pid.monitors or () if watch.target is not None),
        "monitored_by": _related(watch.owner for watch in pid.watchers or ()),
        "mailbox": len(pid.mailbox),
        "messages": [message_text(message, redact) for message in islice(pid.mailbox, MESSAGES)],
        "restarts": 0 if record is None else record.restarts,
        "started": None if node is None else node.started,
        "dictionary_keys": [text(key) for key in islice(pid.dictionary or (), RELATED)],
        "ended": text(describe_reason(pid.exit_reason), REASON) if ended else None,
    }


def stack_of(task: trio.lowlevel.Task | None) -> list[tuple[str, int, str, str]]:
    """Return where a task waits, the outermost call first: file, line, function and source."""
    if task is None:
        return []
    frames = []
    for frame, line in islice(task.iter_await_frames(), FRAMES):
        code = frame.f_code
        source = linecache.getline(code.co_filename, line, frame.f_globals).strip()
        frames.append((_short(code.co_filename), line, code.co_qualname, source[:200]))
    return frames


def server_of(task: trio.lowlevel.Task | None) -> ServerProcess | None:
    """Return the loop of the server that a task runs; None if it runs no server."""
    if task is not None:
        for frame, _ in islice(task.iter_await_frames(), 4):
            body = frame.f_locals.get("body")
            server = getattr(body, "__self__", None)
            if isinstance(server, ServerProcess):
                return server
    return None


async def memory_of(pid: Pid) -> int:
    """Return the bytes of a process's record, tables, messages and frames: at least so many are its own."""
    parts: list[object] = [pid, pid.mailbox, *islice(pid.mailbox, 1000)]
    parts += [one for one in (pid.links, pid.monitors, pid.watchers, pid.dictionary, pid.resources) if one is not None]
    task = await task_of(pid)
    if task is not None:
        parts += [task, task.context, task.coro, *(frame for frame, _ in task.iter_await_frames())]
        server = server_of(task)
        if server is not None:
            parts += [server, server.server, vars(server.server), *vars(server.server).values()]
    return sum(getsizeof(part, 0) for part in parts)


def is_supervisor(pid: Pid) -> bool:
    """Say whether a process is a supervisor, whose state is its children: the tree shows them."""
    return supervising(pid) is not None


def _related(pids: Iterable[Pid]) -> list[tuple[int, str]]:
    return [(pid.number, named(pid)) for pid in islice(pids, RELATED)]


def _ancestor(one: Pid | str, pid: Pid) -> tuple[int, str]:
    """Return the number and name of an ancestor, which is kept by name if it had one."""
    if isinstance(one, Pid):
        return one.number, named(one)
    known = pid.runtime.names.whereis(one)
    return (0 if known is None else known.number), text(one)


def _short(path: str) -> str:
    """Return the end of a path: the package and the file."""
    return "/".join(path.replace("\\", "/").rsplit("/", 3)[-3:])
