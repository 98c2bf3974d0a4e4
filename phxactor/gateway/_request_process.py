"""The process of a request: it runs the application, and says how the application has ended.

A client that leaves does not end the process: the application hears of it, and cleans up as it likes. But a request
whose answer does not begin in time, or that does not end in time after its client has left, is cancelled.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Generator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from phxactor.gateway import events
from phxactor.gateway._exchange import Exchange
from phxactor.gateway._scope import http_scope, websocket_scope
from phxactor.gateway._types import ClientDisconnectedError
from phxactor.runtime import Exit, Pid, Shutdown, State, Timer, fatal, fork, reason_of_failure, self_pid

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.gateway._websocket_talk import WebSocketTalk

LATE: Final = Shutdown("late")
"""Exit reason of a request's process that took too long."""

_DISCONNECTS: Final = frozenset({"ClientDisconnect", "WebSocketDisconnect"})


async def run_request(hosted: HostedApplication, exchange: Exchange) -> None:
    """Run the process of a request."""
    me, request = self_pid(), exchange.request
    limit = _Limit(hosted, exchange, me)
    try:
        answering = hosted.application.app(http_scope(hosted, request), exchange.receive, exchange.send)
        await _Watching(answering, exchange, limit)
    except BaseException as error:
        fork.leave(error)
        if me.state is not State.ALIVE:
            raise
        reason, _ = reason_of_failure(error)  # it may also add a hint to the exception, so before it is told
        _tell_failure(exchange, error)
        if exchange.left and is_disconnect(error):
            return
        exchange.fail()
        raise Exit(reason) from None
    finally:
        limit.stop()
    if not exchange.complete and not exchange.left and not exchange.broken:
        if events.unanswered.handlers:
            events.unanswered.emit(method=request.method, path=request.path, begun=exchange.begun)
        exchange.fail()


async def run_websocket(hosted: HostedApplication, talk: WebSocketTalk) -> None:
    """Run the process of a WebSocket's application."""
    me, request = self_pid(), talk.request
    limit = _Limit(hosted, talk, me)
    limit.start()
    try:
        await hosted.application.app(websocket_scope(hosted, request), talk.receive, talk.send)
    except BaseException as error:
        fork.leave(error)
        if me.state is not State.ALIVE:
            raise
        reason, _ = reason_of_failure(error)  # as above
        _tell_failure(talk, error)
        if talk.left and is_disconnect(error):
            return
        talk.fail()
        raise Exit(reason) from None
    finally:
        limit.stop()
    if not talk.over and events.unanswered.handlers:
        events.unanswered.emit(method=request.method, path=request.path, begun=False)


def _tell_failure(conversation: Exchange | WebSocketTalk, error: BaseException) -> None:
    """Emit `events.failed`; `events.client_left` if the exception only says that the client has left."""
    request = conversation.request
    if conversation.left and is_disconnect(error):
        if events.client_left.handlers:
            events.client_left.emit(method=request.method, path=request.path)
    elif events.failed.handlers:
        events.failed.emit(method=request.method, path=request.path, exception=error)


class _Watching:
    """An awaitable that runs the application, and watches its client and its time from its first wait on."""

    __slots__ = ("_answering", "_exchange", "_limit")

    def __init__(self, answering: Awaitable[object], exchange: Exchange, limit: _Limit) -> None:
        self._answering = answering
        self._exchange = exchange
        self._limit = limit

    def __await__(self) -> Generator[Any, Any, None]:
        """Drive the application on, as `yield from` does (PEP 380)."""
        running = self._answering.__await__()
        exchange, sent = self._exchange, None
        try:
            trap = next(running)
            self._limit.start()
            while True:
                if not exchange.over:
                    exchange.watch()
                try:
                    sent = yield trap
                except BaseException as error:  # noqa: BLE001 - the application gets it
                    trap = running.throw(error)
                else:
                    trap = running.send(sent)
        except StopIteration:
            return
        finally:
            sent = None  # it may be an exception whose traceback has this frame: a reference cycle
            exchange.unwatch()


class _Limit:
    """The time that an application may take to begin an answer, and to end after its client has left."""

    __slots__ = ("_exchange", "_hosted", "_pid", "_since", "_timer")

    def __init__(self, hosted: HostedApplication, exchange: Exchange | WebSocketTalk, pid: Pid) -> None:
        self._hosted = hosted
        self._exchange = exchange
        self._pid = pid
        self._since = 0.0
        self._timer: Timer | None = None

    def start(self) -> None:
        """Count from now on."""
        self._since = self._pid.runtime.now()
        self._arm(self._hosted.timeout)

    def stop(self) -> None:
        """End the count."""
        if self._timer is not None:
            self._pid.runtime.patience.discard(self._timer)

    def _arm(self, seconds: float) -> None:
        if seconds != math.inf:
            self._timer = self._pid.runtime.patience.add(seconds, self._look, None)

    def _look(self, _: None) -> None:
        """End the process if its time is over; else look again later."""
        exchange, seconds = self._exchange, self._hosted.timeout
        self._timer = None
        if exchange.complete or (exchange.begun and not exchange.left) or self._pid.state is not State.ALIVE:
            if not exchange.complete:
                self._arm(seconds)
            return
        since = max(self._since, exchange.heard)
        left = since + seconds - self._pid.runtime.now()
        if left > 0:
            self._arm(left)
            return
        if events.late.handlers:
            request = exchange.request
            events.late.emit(method=request.method, path=request.path, seconds=seconds, left=exchange.left)
        fatal(self._pid, LATE)
        exchange.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "the application has not answered in time\n")


def is_disconnect(error: BaseException) -> bool:
    """Say whether an application's exception only says that its client has left.

    Frameworks have exceptions of their own for it, by these names: Starlette, FastAPI, Litestar.
    """
    if isinstance(error, BaseExceptionGroup):
        return all(is_disconnect(one) for one in error.exceptions)
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ClientDisconnectedError) or type(seen).__name__ in _DISCONNECTS:
            return True
        seen = seen.__cause__
    return False
