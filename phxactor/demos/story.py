"""Prints the events of a tree of processes as they happen: the common part of the demos for a terminal."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Final, Self

import trio

import phxactor
from phxactor import DynamicSupervisor, Endpoint, Pid
from phxactor.observer import observer_routes, open_page
from phxactor.otp.supervisor_events import child_started, gave_up
from phxactor.runtime import format_reason
from phxactor.runtime.events import exited
from phxactor.telemetry import Event
from phxactor.transport.events import connected

PATIENCE: Final = 60.0
"""Seconds for which a demo waits for somebody who looks at its page."""


def perform(main: Callable[[], Awaitable[None]], page: Page | None = None) -> None:
    """Run a demo until it ends by itself or by Ctrl-C; with a page, it begins when somebody looks, and stays."""
    finished = False

    async def perform() -> None:
        nonlocal finished
        if page is not None:
            await page.open()
        await main()
        finished = True
        if page is not None:
            print("the story is over; the page stays until Ctrl-C", flush=True)
            await trio.sleep_forever()

    phxactor.run(perform)
    print("the end" if finished else "stopped")


class Page:
    """The observer's page beside a demo."""

    def __init__(self, host: str, port: int) -> None:
        self.endpoint = Endpoint(routes=observer_routes(actions=True), name="page", host=host, port=port)

    async def open(self) -> None:
        """Serve the page, open it, and wait until somebody looks, so that no one misses the beginning."""
        started = await DynamicSupervisor.start_link(name="the page's supervisor")
        await DynamicSupervisor.start_child(started.unwrap(), self.endpoint)
        print(open_page(f"{self.endpoint.address}"), flush=True)
        looked = trio.Event()

        def look(_: Event, fields: Mapping[str, object]) -> None:
            if str(fields["socket"]) == "ObserverSocket":
                looked.set()

        connected.attach(look)
        with trio.move_on_after(PATIENCE):
            await looked.wait()
        connected.detach(look)


def called(pid: Pid) -> str:
    """Return the name of a process, with its number."""
    return f"{pid.name or pid.initial_call} <{pid.number}>"


class Story:
    """Prints lines with the seconds since it began.

    As a context manager it also prints the starts and ends of processes, if `processes`. Meanwhile the log is off,
    since it would report the same events.
    """

    def __init__(self, *, processes: bool = True) -> None:
        self.processes = processes
        self.began = trio.current_time()
        self.logger = logging.getLogger("phxactor")
        self.level = self.logger.level

    def tell(self, line: str) -> None:
        """Print a line."""
        print(f"{trio.current_time() - self.began:5.1f} s  {line}", flush=True)

    def __enter__(self) -> Self:
        self.logger.setLevel(logging.CRITICAL + 1)
        if self.processes:
            exited.attach(self.on_exited)
            child_started.attach(self.on_child_started)
            gave_up.attach(self.on_gave_up)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        exited.detach(self.on_exited)
        child_started.detach(self.on_child_started)
        gave_up.detach(self.on_gave_up)
        self.logger.setLevel(self.level)

    def on_exited(self, _: Event, fields: Mapping[str, object]) -> None:
        """Print the end of a process."""
        if isinstance(pid := fields["pid"], Pid):
            self.tell(f"- {called(pid)} ended: {format_reason(fields['reason'])}")

    def on_child_started(self, _: Event, fields: Mapping[str, object]) -> None:
        """Print the start of a child."""
        if isinstance(pid := fields["pid"], Pid):
            self.tell(f"+ {called(pid)} started")

    def on_gave_up(self, _: Event, fields: Mapping[str, object]) -> None:
        """Print that a supervisor gave up."""
        if isinstance(pid := fields["supervisor"], Pid):
            self.tell(f"! {called(pid)} gives up: too many restarts")
