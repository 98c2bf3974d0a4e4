"""The process of an application's lifespan: it starts before the endpoint listens, and ends after the last request.

    Lifespan (GenServer, traps exits)     a child of the application's supervisor
      └─ the application's process        linked: it runs `await app(scope, receive, send)`, and may link to others

The start waits for `lifespan.startup.complete`. An application that fails before that has not started, so the endpoint
does not start; one that fails later is a crash: the supervisor starts it again, with a new state.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import trio

from phxactor.gateway import events
from phxactor.gateway._scope import VERSIONS
from phxactor.otp import Error, GenServer, Stop
from phxactor.runtime import (
    SHUTDOWN,
    Exit,
    Exited,
    Pid,
    Reason,
    exception_of,
    fork,
    format_reason,
    is_atom,
    reason_of_failure,
    self_pid,
    trap_exit,
)

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.gateway._types import Message

GRACE: Final = 1.0
"""Seconds that an application has to end by itself after it has said that it failed."""


class Lifespan(GenServer):
    """The server that watches over an application's lifespan."""

    async def init(self, hosted: HostedApplication) -> Error | None:
        """Start the application, and wait until it has started or failed."""
        trap_exit()
        self.hosted = hosted
        self.running: Pid | None = None
        if hosted.application.lifespan == "off":
            hosted.ready = True
            return None
        self.talk = talk = _Conversation(hosted)
        runtime = self_pid().runtime
        name = f"lifespan of {hosted.application.path}"
        self.running = runtime.spawn(talk.run, link=True, initial_call=name)
        talk.tell("lifespan.startup")
        with runtime.patience.move_on_after(hosted.application.startup_timeout) as scope:
            await talk.started.wait()
        why = f"it took more than {hosted.application.startup_timeout:g} s" if scope.cancelled_caught else talk.failed
        if why is None:
            hosted.ready = True
            return None
        with trio.move_on_after(GRACE):
            await talk.ended.wait()
        self.running.exit(SHUTDOWN)
        told = talk.told or why
        if talk.error is not None:
            told = why = _brief(talk.error)
        if events.start_failed.handlers:
            events.start_failed.emit(path=hosted.application.path, why=told, exception=talk.error)
        return Error(f"the application at {hosted.application.path} did not start: {why}")

    async def handle_info(self, message: object) -> Stop | None:
        """End with the application, unless it has none of the events: then it has ended already."""
        if type(message) is Exited and message.pid is self.running:
            self.running = None
            if self.talk.supported:
                self.hosted.ready = False
                return Stop("lifespan_ended" if is_atom(message.reason, SHUTDOWN) else message.reason)
        return None

    async def terminate(self, reason: Reason) -> None:
        """Tell the application to stop, and wait for it."""
        self.hosted.ready = False
        running = self.running
        if running is None or not running.alive:
            return
        talk, application = self.talk, self.hosted.application
        talk.tell("lifespan.shutdown")
        with self_pid().runtime.patience.move_on_after(application.shutdown_timeout) as scope:
            await talk.ended.wait()
        why = talk.failed
        if scope.cancelled_caught:
            why = f"it took more than {application.shutdown_timeout:g} s"
            running.exit(SHUTDOWN)
            await self_pid().runtime.ended(running)
        if why is not None and talk.error is None and events.stop_failed.handlers:
            events.stop_failed.emit(path=application.path, why=why)


class _Conversation:
    """The lifespan events between the server and the application."""

    def __init__(self, hosted: HostedApplication) -> None:
        self._hosted = hosted
        self._inbox: deque[str] = deque()
        self._some = trio.Event()
        self._asked = False
        self._complete = False
        self.started = trio.Event()
        """Set when the application has started or failed."""
        self.ended = trio.Event()
        """Set when the application has returned or raised."""
        self.supported = True
        """Whether the application takes the events."""
        self.failed: str | None = None
        """Why the start or the end failed, in one line; None if it did not."""
        self.told: str | None = None
        """The application's own words for it, often a whole traceback."""
        self.error: BaseException | None = None
        """The exception that ended the application before it had started."""

    def tell(self, kind: str) -> None:
        """Put an event into the application's inbox."""
        self._inbox.append(kind)
        self._some.set()

    async def run(self) -> None:
        """Run the application: the body of its process."""
        hosted = self._hosted
        hosted.state = {}
        scope = {"type": "lifespan", "asgi": {**VERSIONS, "spec_version": "2.0"}, "state": hosted.state}
        optional = hosted.application.lifespan == "auto"
        try:
            await hosted.application.app(scope, self._receive, self._send)
            if not self.started.is_set():
                self._give_up(None if optional else "it returned before startup.complete")
            elif self._complete:
                raise Exit(SHUTDOWN)  # noqa: TRY301 - so that the processes that it has linked to end with it
        except BaseException as error:
            fork.leave(error)
            if self._complete or not self_pid().alive:
                raise
            if self.failed is None and not self._asked and optional and isinstance(error, Exception):
                self._give_up(None)
            else:
                self.error = error
                self._give_up(self.failed or _brief(error))
        finally:
            self.ended.set()

    def _give_up(self, why: str | None) -> None:
        self.supported = why is not None
        self.failed = why
        self.started.set()

    async def _receive(self) -> Message:
        self._asked = True
        while not self._inbox:
            self._some = trio.Event()
            await self._some.wait()
        return {"type": self._inbox.popleft()}

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "lifespan.startup.complete" and not self.started.is_set():
            self._complete = True
            self.started.set()
        elif kind == "lifespan.startup.failed" and not self.started.is_set():
            self._fail(message)
            self.started.set()
        elif kind == "lifespan.shutdown.failed" and self._complete:
            self._fail(message)
        elif kind != "lifespan.shutdown.complete":
            raise RuntimeError(f"unexpected ASGI message {kind!r} in the lifespan")

    def _fail(self, message: Message) -> None:
        self.told = str(message.get("message") or "") or None
        self.failed = (self.told or "it gave no reason").strip().splitlines()[-1]


def _brief(error: BaseException) -> str:
    """Return an exception in one line; of a group, what `reason_of_failure` takes for the reason."""
    reason = reason_of_failure(error)[0]
    cause = exception_of(reason)
    if cause is None:
        return format_reason(reason)
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__qualname__}: {lines[0]}" if lines else type(cause).__qualname__
