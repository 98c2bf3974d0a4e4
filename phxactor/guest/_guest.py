"""The guest: a runtime whose trio run is carried by asyncio's loop (trio's guest mode).

    asyncio's loop                     trio, in the same thread
    ──────────────                     ────────────────────────
    start ── start_guest_run ────────▶ runtime ── main ── the application's tree
          ◀── started ──────────────── the tree stands
    stop ── exit signal to main ─────▶ the tree stops, all clients are let go
          ◀── ended ────────────────── no task of trio is left; only then may the loop end

The loop must not end first: no `finally` of a process would run, and no trio could run in that thread again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from threading import get_ident
from types import TracebackType
from typing import Any, Final

import attrs
import trio

from phxactor import runtime as processes
from phxactor.asyncio import AsyncioHost
from phxactor.endpoint import READY, Application, Endpoint, serve
from phxactor.guest._errors import GuestError
from phxactor.runtime import STOP_TIMEOUT, STUCK_AFTER, Collector, Exit, Runtime

_guests: Final[dict[int, Guest]] = {}
"""The guests that have not ended, by thread."""


@attrs.frozen
class Care:
    """How the guest's runtime is run; see `open_guest`."""

    stop_timeout: float | None = None
    stuck_after: float = STUCK_AFTER
    collector: Collector = "processes"


class Guest:
    """A runtime within an asyncio program, from its start to its end. `open_guest` holds one."""

    def __init__(self, application: Application, care: Care, *, server: bool) -> None:
        self.application = application
        _check_thread()  # first: with trio-asyncio imported, a task of trio that is also one of asyncio has no loop
        self.loop = asyncio.get_running_loop()
        self.runtime: Runtime | None = None
        """The runtime; None until it is open."""
        self.ended: asyncio.Future[None] = self.loop.create_future()
        """Done when all processes have ended; `failure` says why."""
        self.failure: BaseException | None = None
        """Why the guest did not start, or has ended by itself; None after an orderly stop."""
        self.stopping = False
        """Whether it has been told to stop."""
        self.stop_timeout = STOP_TIMEOUT + application.drain_limit() if care.stop_timeout is None else care.stop_timeout
        """Seconds that an orderly stop may take."""
        self.abandon: Callable[[Runtime, BaseException | None], None] | None = None
        """Ends the program while tasks of killed processes still run; if None, the guest waits for them."""
        self._care = care
        self._server = server
        self._started = asyncio.Event()
        self._carrying = ExitStack()

    async def start(self) -> None:
        """Start trio and the application's tree. Raises GuestError if it does not start, RuntimeError for a second."""
        processes.check_care(self._care.stuck_after, self._care.collector)
        _check_thread()
        trio.lowlevel.start_guest_run(
            self._run,
            run_sync_soon_threadsafe=self.loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=self.loop.call_soon,
            done_callback=self._done,
            host_uses_signal_set_wakeup_fd=True,  # else asyncio would hear of no signal any more
        )
        _guests[get_ident()] = self
        self.ended.add_done_callback(lambda _: self._started.set())
        try:
            await self._started.wait()
        except BaseException:
            await self.end()
            raise
        if self.ended.done():
            raise self.error()

    def ready(self) -> None:
        """Tell systemd that the program is ready, for a guest whose endpoints do not listen themselves."""
        if self.runtime is not None:
            self.runtime.main.send(READY)

    def stop(self) -> None:
        """Begin an orderly stop, in the loop's thread: clients are let go, then the processes end. Does not wait."""
        if not self.stopping:
            self.stopping = True
            if self.runtime is not None and not self.ended.done():
                processes.stop(self.runtime)

    def kill(self) -> None:
        """Kill all processes, in the loop's thread. Does not wait."""
        self.stopping = True
        if self.runtime is not None and not self.ended.done():
            processes.kill(self.runtime)

    async def end(self) -> None:
        """Stop, and wait until all processes have ended; a cancellation kills them, and is raised after their end."""
        self.stop()
        cancelled: asyncio.CancelledError | None = None
        while not self.ended.done():
            try:
                await asyncio.wait([self.ended])
            except asyncio.CancelledError as error:
                cancelled = error
                self.kill()
        if cancelled is not None:
            raise cancelled

    def error(self) -> GuestError:
        """Make the exception that tells the failure."""
        failure = self.failure
        if isinstance(failure, SystemExit):  # the text that `phxactor.run` would end with
            return GuestError(str(failure))
        error = GuestError(f"phxactor has ended: {failure}" if isinstance(failure, Exit) else "phxactor has ended")
        error.__cause__ = failure
        return error

    async def _run(self) -> None:
        start = partial(self.application.start_link, server=self._server)
        await processes.run_hosted(
            partial(serve, self.application, start, self._started.set, ready=self._server),
            self._opened,
            stop_timeout=self.stop_timeout,
            stuck_after=self._care.stuck_after,
            collector=self._care.collector,
        )

    def _opened(self, runtime: Runtime) -> None:
        self.runtime = runtime
        if self.abandon is not None:
            runtime.abandon = partial(self.abandon, runtime)
        self._carrying.enter_context(AsyncioHost(runtime, self.loop, guest=True).taking_calls())
        if self.stopping:
            processes.stop(runtime)

    def _done(self, outcome: Any) -> None:  # noqa: ANN401 - outcome's types need its package
        """Note how the trio run has ended; asyncio's loop calls this."""
        self._carrying.close()
        del _guests[get_ident()]
        try:
            outcome.unwrap()
        except BaseException as error:  # noqa: BLE001 - the task that waits for the end raises it
            self.failure = error
        self.ended.set_result(None)


def _check_thread() -> None:
    """Raise RuntimeError, in words, if this thread cannot have a guest."""
    other = _guests.get(get_ident())
    if other is not None and other.loop.is_closed():
        raise RuntimeError(
            "an earlier guest of this thread was abandoned: its asyncio loop was closed before it had ended. No "
            "`finally` of its processes has run, and no trio can run in this thread any more. Hold a guest by "
            "`async with`, in the loop's main task"
        )
    if other is not None:
        raise RuntimeError(
            "phxactor is a guest in this thread already, and a thread has one: give all children and endpoints to one "
            "Application"
        )
    if trio.lowlevel.in_trio_run():
        raise RuntimeError("trio runs in this thread already: a guest is for programs that run on asyncio")


class open_guest:  # noqa: N801 - used as a function
    """Run an application's processes within an asyncio program: `async with open_guest(application) as guest`.

    The block begins when all children and endpoints have started. When it is left, the endpoints let their clients go,
    and all processes end in order. If the application ends by itself, the task of the block is cancelled, and the block
    raises GuestError.

    In the block, processes reach asyncio's libraries by `asyncio_call`. Tasks of asyncio reach processes by
    `process_call`, and may `send`, `broadcast` and spawn (`guest.runtime.spawn`) at once.

    Args:
        main: an application or an endpoint.
        server: whether the endpoints listen. If not, their clients come by `serve_socket` or `serve_stream`, and
            `guest.ready()` tells systemd that the program is ready.
        stop_timeout: seconds that a stop may take before processes are killed; by default 60, plus the endpoints'
            limits for draining.
        stuck_after: seconds after which a process, or a task of asyncio, that lets nothing else run is logged, with its
            stack. `math.inf` for never.
        collector: "processes" tunes Python's garbage collector for many processes; "python" leaves it as it is.

    Raises:
        GuestError: a child or an endpoint cannot start, or the application has ended by itself.
        RuntimeError: the thread has a guest already, or runs trio.
        TypeError: `main` is neither an Application nor an Endpoint.

    """

    def __init__(
        self,
        main: Application | Endpoint,
        *,
        server: bool = True,
        stop_timeout: float | None = None,
        stuck_after: float = STUCK_AFTER,
        collector: Collector = "processes",
    ) -> None:
        self._application = as_application(main)
        self._care = Care(stop_timeout, stuck_after, collector)
        self._server = server
        self._interrupted = False

    async def __aenter__(self) -> Guest:
        """Start the guest."""
        self._guest = Guest(self._application, self._care, server=self._server)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of asyncio runs in a task
        await self._guest.start()
        self._guest.ended.add_done_callback(partial(self._interrupt, task))
        return self._guest

    def _interrupt(self, task: asyncio.Task[Any], _: object) -> None:
        if not self._guest.stopping:
            self._interrupted = True
            task.cancel("phxactor has ended")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the guest."""
        if self._interrupted:
            await self._absorb(kind)
            if error is None or isinstance(error, asyncio.CancelledError):
                raise self._guest.error()
            return
        await self._guest.end()
        if self._guest.failure is not None and error is None:
            raise self._guest.error()

    @staticmethod
    async def _absorb(kind: type[BaseException] | None) -> None:
        """Take back the cancellation by `_interrupt`."""
        task = asyncio.current_task()
        if task is not None:
            task.uncancel()
        if kind is None or not issubclass(kind, asyncio.CancelledError):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)


def as_application(main: object) -> Application:
    """Return an application, or the application of one endpoint. Raises TypeError for anything else."""
    if isinstance(main, Endpoint):
        return Application(endpoints=[main])
    if not isinstance(main, Application):
        raise TypeError(f"give an Application or an Endpoint, not {main!r:.200}")
    return main
