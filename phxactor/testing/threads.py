"""Threads of `trio.to_thread` in turn with the loop: while one of them runs, nothing else does.

    loop    ── to_thread.run_sync ─┐ waits            ┌─ goes on ── ... runs the call ─┐ waits         ┌─ goes on
    thread                         └─ runs ── calls ──┘ waits for the answer           └─ runs to end ─┘

So a thread takes no time of a mock clock, and the order of everything that happens is the same each time. It is a real
thread all the same: what is wrong in a thread of a server, such as a connection of `sqlite3` of another thread, or a
direct `self.push`, is wrong here too.

`Schedule`, `ProcessMachine` and the fixture `virtual_time` run threads in this way. A test whose loop has another mock
clock may do so by `with in_turn():`.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Final
from unittest.mock import patch

import trio
from outcome import Outcome  # a dependency of trio

from phxactor.runtime import private

PATIENCE: Final = 5.0
"""Real seconds that the loop waits for a thread."""

_trio: Final = private("_threads", "start_thread_soon", "_send_message_to_trio", "Run", package="trio")
_START: Final = _trio.start_thread_soon
_SEND: Final = _trio._send_message_to_trio  # noqa: SLF001 - checked above
_here: Final = threading.local()
"""The `Turn` of the current thread, if it has one."""
_before: Final[set[threading.Thread]] = set()
"""The threads that ran when the outermost block began."""
_callers: Final[set[str]] = set()
"""The names of other threads that have called the loop since then."""


def strangers() -> list[str]:
    """Name the threads that do what they do at any time: started by the program, and not by `trio.to_thread`."""
    running = {thread.name for thread in threading.enumerate() if thread not in _before and not _in_turn(thread)}
    return sorted(running | _callers)


def callers() -> list[str]:
    """Name the threads that have called the loop of the last play at times of their own."""
    return sorted(_callers)


def _in_turn(thread: threading.Thread) -> bool:
    work = getattr(getattr(thread, "_target", None), "__self__", None)  # that of a thread of trio
    return type(work).__module__.startswith("trio.") or thread.name.startswith("phxactor ")


class Turn:
    """The turns of the loop and one thread."""

    def __init__(self, name: str | None, late: list[str]) -> None:
        """Store the name of the thread, and the list for a thread that does not give the turn back."""
        self.name = name
        self.thread = 0
        self._late = late
        self._free = False
        """Whether the thread has kept its turn too long: since then, it runs beside the loop."""
        self._back = threading.Semaphore(0)

    def give_back(self) -> None:
        """Let the loop go on; called in the thread."""
        self._back.release()

    def wait(self) -> None:
        """Wait until the thread is done, or waits itself; called in the loop's thread."""
        if self._free or self._back.acquire(timeout=PATIENCE):
            return
        self._free = True
        frame = sys._current_frames().get(self.thread)  # noqa: SLF001 - documented for debuggers
        stack = "".join(traceback.format_stack(frame)[-3:])
        self._late.append(f"{self.name} has run for {PATIENCE:g} s, and is here:\n{stack}")
        del frame


class Answers:
    """The queue in which a thread waits for what the loop does for it, with the turns."""

    def __init__(self, queue: SimpleQueue[Outcome[Any]], turn: Turn) -> None:
        """Wrap the queue of one call."""
        self._queue = queue
        self._turn = turn

    def get(self) -> Outcome[Any]:
        """Let the loop go on, and wait for the answer."""
        self._turn.give_back()
        return self._queue.get()

    def put_nowait(self, answer: Outcome[Any]) -> None:
        """Give the answer to the thread, and wait for the next turn."""
        self._queue.put_nowait(answer)
        self._turn.wait()


@contextmanager
def in_turn() -> Iterator[None]:
    """Run the threads of `trio.to_thread` in turn with the loop, until the block is left.

    A thread calls processes by `phxactor.from_thread` or `trio.from_thread`. It must not wait for them, or for other
    threads, in another way, since nothing else runs. If one takes more than `PATIENCE` seconds, the loop goes on beside
    it, and this raises AssertionError in the end, unless the block has raised.
    """
    if _trio.start_thread_soon is not _START:  # a block around this one does it
        yield
        return
    late: list[str] = []
    _before.update(threading.enumerate())
    _callers.clear()

    def start(function: Callable[[], Any], deliver: Callable[[Outcome[Any]], object], name: str | None = None) -> None:
        turn = Turn(name, late)

        def run() -> object:
            _here.turn, turn.thread = turn, threading.get_ident()
            try:
                return function()
            finally:
                del _here.turn

        def done(result: Outcome[Any]) -> None:
            deliver(result)
            turn.give_back()

        _START(run, done, name)
        turn.wait()

    def send(token: trio.lowlevel.TrioToken | None, message: Any) -> object:  # noqa: ANN401 - private to trio
        turn = getattr(_here, "turn", None)
        if turn is None:
            _callers.add(threading.current_thread().name)
        else:
            object.__setattr__(message, "queue", Answers(message.queue, turn))
        return _SEND(token, message)

    with patch.object(_trio, "start_thread_soon", start), patch.object(_trio, "_send_message_to_trio", send):
        try:
            yield
        finally:
            _before.clear()
    if late:
        raise AssertionError(
            "a thread of trio.to_thread has waited for something else than phxactor.from_thread, while nothing else "
            "runs in virtual time:\n" + "\n".join(late)
        )
