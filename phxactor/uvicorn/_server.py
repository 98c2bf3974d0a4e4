"""uvicorn with phxactor around it: both are told to stop at once, and neither is left without the other.

serve ── the guest starts ── uvicorn: lifespan, listening ... requests, WebSockets ...
SIGTERM ─┬─▶ the guest: its clients are told 1012 and let go, its processes end
         └─▶ uvicorn: accepts no connection, waits for its requests (at most `timeout_graceful_shutdown`)
both have done so ── the application's lifespan ends ── serve returns
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from phxactor.endpoint import Application, Endpoint
from phxactor.guest import Care, Guest, GuestError, as_application
from phxactor.runtime import STUCK_AFTER, Collector, HardStop, SystemSignals, abandon
from phxactor.telemetry import end_log
from phxactor.uvicorn._door import Door
from phxactor.uvicorn._forward import forward
from phxactor.uvicorn._take_over import TakeOver

if TYPE_CHECKING:
    import asyncio
    import socket
    from collections.abc import Callable

AFTER_CRASH: Final = 5
"""Seconds that uvicorn's requests have, at most, when phxactor has ended by itself."""


def run(
    app: Any,  # noqa: ANN401 - any of the applications that uvicorn takes
    main: Application | Endpoint,
    *,
    stop_timeout: float | None = None,
    stuck_after: float = STUCK_AFTER,
    collector: Collector = "processes",
    **options: Any,  # noqa: ANN401 - uvicorn's own
) -> None:
    """Serve an ASGI application and phxactor's sockets on one port, until SIGTERM or SIGINT.

        phxactor.uvicorn.run(app, endpoint, host="127.0.0.1", port=8000)

    WebSockets and long polls at the paths of an endpoint's sockets are phxactor's, and so are its routes; all other
    requests are the application's. The application runs on asyncio, as under uvicorn alone. Its handlers reach
    processes by `phxactor.guest.process_call`, processes reach asyncio by `phxactor.asyncio.asyncio_call`.

    A stop closes phxactor's clients with 1012 at once, and waits for uvicorn's requests for
    `timeout_graceful_shutdown` seconds, by default the endpoints' limits for draining. A second signal kills.

    Args:
        app: the ASGI application, or its name `"module:app"`.
        main: an application or an endpoint of phxactor. Its own address and `listen` are not used.
        stop_timeout: seconds that a stop may take in all; by default 60, plus the endpoints' limits for draining.
        stuck_after: seconds after which a process or a task that lets nothing else run is logged, with its stack.
        collector: "processes" tunes Python's garbage collector for many processes; "python" leaves it as it is.
        options: options of `uvicorn.Config`, such as `host`, `port`, `loop`, `ssl_certfile`.

    Raises:
        SystemExit: a child, an endpoint or the ASGI application cannot start, or phxactor has ended by itself.
        ValueError: `workers` or `reload` is given; two endpoints have one path; an endpoint has `tls`.

    """
    application = as_application(main)
    if math.isfinite(application.drain_limit()):
        options.setdefault("timeout_graceful_shutdown", math.ceil(application.drain_limit()))
    config = uvicorn.Config(app, **options)
    if config.should_reload or config.workers > 1:
        raise ValueError(
            "workers and reload start other programs, each with a runtime of its own: start several programs behind a "
            "proxy, or one program by a tool that restarts it"
        )
    server = Server(config, application, stop_timeout=stop_timeout, stuck_after=stuck_after, collector=collector)
    try:
        server.run()
    except GuestError as error:
        raise SystemExit(str(error)) from error.__cause__
    finally:
        end_log(failed=sys.exception() is not None)


class Server(uvicorn.Server):
    """A server of uvicorn with phxactor around it, for a program with an asyncio loop of its own: `await serve()`.

    `serve` returns after an orderly stop, and does not raise the signal again. It raises GuestError if phxactor does
    not start or ends by itself.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        main: Application | Endpoint,
        *,
        stop_timeout: float | None = None,
        stuck_after: float = STUCK_AFTER,
        collector: Collector = "processes",
    ) -> None:
        super().__init__(config)
        self._application = as_application(main)
        self._care = Care(stop_timeout, stuck_after, collector)
        self._door = Door(self._application)
        self._guest: Guest

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal comes, `should_exit` is set, or phxactor ends by itself."""
        self._open_door()
        guest = self._door.guest = self._guest = Guest(self._application, self._care, server=False)
        signals: SystemSignals | None = None
        with ExitStack() as stack:
            if threading.current_thread() is threading.main_thread():
                signals = stack.enter_context(self._signals(guest))
            await guest.start()
            guest.ended.add_done_callback(self._guest_ended)
            try:
                await super().serve(sockets)
            finally:
                await guest.end()
        if signals is not None and signals.forced:
            raise GuestError("a second signal has killed what had not ended")
        if guest.failure is not None:
            raise guest.error()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing, in place of uvicorn's own: `serve` handles the signals for both."""
        yield

    def _open_door(self) -> None:
        """Have uvicorn give the endpoints' connections and requests away."""
        config, door = self.config, self._door
        if not config.loaded:
            config.load()
        other: Callable[..., asyncio.Protocol] | None = config.ws_protocol_class

        def take_over(**arguments: object) -> asyncio.Protocol:
            return TakeOver(door, None if other is None else partial(other, **arguments))

        config.ws_protocol_class = take_over  # type: ignore[assignment]  # uvicorn only calls it
        config.loaded_app = forward(config.loaded_app, door)
        config.lifespan_class = partial(Lifespan, config.lifespan_class, self)

    @contextmanager
    def _signals(self, guest: Guest) -> Iterator[SystemSignals]:
        hard_stop = HardStop()
        guest.abandon = partial(abandon, hard_stop)

        def soon(act: Callable[[], None]) -> None:
            guest.loop.call_soon_threadsafe(act)

        stop, kill = partial(soon, self._stop), partial(soon, self._kill)
        try:
            with SystemSignals(guest.stop_timeout, hard_stop, stop=stop, kill=kill) as signals:
                yield signals
        finally:
            hard_stop.ended()

    def _stop(self) -> None:
        self.should_exit = True
        self._guest.stop()

    def _kill(self) -> None:
        self.force_exit = True
        self._guest.kill()

    def _guest_ended(self, _: object) -> None:
        """Stop uvicorn if phxactor has ended by itself: a program without its sockets must not go on in silence."""
        if not self._guest.stopping:
            limit = self.config.timeout_graceful_shutdown
            self.config.timeout_graceful_shutdown = AFTER_CRASH if limit is None else min(limit, AFTER_CRASH)
            self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start uvicorn, and tell systemd once it listens."""
        await super().startup(sockets)
        if self.started:
            self._guest.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop phxactor beside uvicorn, whatever has made uvicorn stop."""
        self._guest.stop()
        await super().shutdown(sockets)

    async def let_guest_end(self) -> None:
        """Wait until all processes have ended."""
        await self._guest.end()


class Lifespan:
    """The lifespan of the ASGI application, which outlives phxactor's processes: they may use what it holds."""

    def __init__(self, make: Callable[[uvicorn.Config], Any], server: Server, config: uvicorn.Config) -> None:
        self._lifespan = make(config)
        self._server = server

    @property
    def should_exit(self) -> bool:
        """Whether the application has failed to start."""
        return bool(self._lifespan.should_exit)

    @property
    def state(self) -> dict[str, Any]:
        """What the lifespan hands to all requests."""
        state: dict[str, Any] = self._lifespan.state
        return state

    async def startup(self) -> None:
        """Start the application."""
        await self._lifespan.startup()

    async def shutdown(self) -> None:
        """End the application, after the processes have ended."""
        await self._server.let_guest_end()
        await self._lifespan.shutdown()
