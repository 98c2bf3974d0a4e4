"""WSGI applications (PEP 3333) as ASGI applications: each request is a call in a thread.

    receive the body ──▶ wait for a thread ──▶ app(environ, start_response) ──▶ send its blocks, from the thread

The body is received before a thread is taken, so a client that sends slowly holds no thread. A block of the answer is
sent as soon as it is there, and the thread waits while too much output waits for the client. If the request is
cancelled, its thread is given up: it runs on, counts until it ends, and what it sends is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import trio

from phxactor.gateway._environ import environ

if TYPE_CHECKING:
    from types import TracebackType

    from phxactor.gateway._types import Message, Receive, Scope, Send, WSGIApp

IN_MEMORY: Final = 65536
"""Bytes of a request's body that are kept in memory; a longer body goes to a temporary file."""

Headers: TypeAlias = list[tuple[str, str]]
ExcInfo: TypeAlias = "tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]"


class WSGIAdapter:
    """An ASGI application that calls a WSGI application in threads, at most `threads` at once in each trio run."""

    def __init__(self, app: WSGIApp, threads: int) -> None:
        self.app = app
        self._threads = threads
        self._limiter: trio.lowlevel.RunVar[trio.CapacityLimiter] = trio.lowlevel.RunVar("threads of a WSGI app")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        with SpooledTemporaryFile(max_size=IN_MEMORY) as body:
            size = await _receive_body(receive, body)
            if size is None:
                return
            body.seek(0)
            call = _Call(self.app, environ(scope, body, size), send)
            rest = await trio.to_thread.run_sync(call.run, limiter=self._threads_of_this_run(), abandon_on_cancel=True)
        for message in rest:
            await send(message)

    def _threads_of_this_run(self) -> trio.CapacityLimiter:
        try:
            return self._limiter.get()
        except LookupError:
            limiter = trio.CapacityLimiter(self._threads)
            self._limiter.set(limiter)
            return limiter


async def _receive_body(receive: Receive, body: SpooledTemporaryFile[bytes]) -> int | None:
    """Put the body of a request into a file; return its size in bytes, None if the client has left."""
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        piece = message["body"]
        size += len(piece)
        if size > IN_MEMORY and piece:
            await trio.to_thread.run_sync(body.write, piece)
        else:
            body.write(piece)
        if not message["more_body"]:
            return size


class _Call:
    """The call of an application in its thread."""

    def __init__(self, app: WSGIApp, variables: dict[str, Any], send: Send) -> None:
        self._app = app
        self._variables = variables
        self._send_message = send
        self._status = 0
        self._headers: Headers | None = None
        self._sent = False
        """Whether the head has been sent."""
        self._held: list[bytes] = []
        """Blocks that are not sent yet, since they may be all."""

    def run(self) -> list[Message]:
        """Call the application and send its blocks; return the messages that are left to be sent."""
        blocks: Iterable[bytes] = self._app(self._variables, self._start_response)
        try:
            for block in blocks:
                self._held.append(block)
                if block and (self._sent or not (isinstance(blocks, list | tuple) or self._is_all())):
                    self._send_held()
        finally:
            close = getattr(blocks, "close", None)
            if close is not None:
                close()
        return [*self._start(), {"type": "http.response.body", "body": b"".join(self._held), "more_body": False}]

    def _is_all(self) -> bool:
        """Say whether the blocks so far are the whole body, as its length says."""
        size = sum(map(len, self._held))
        return any(name.lower() == "content-length" and value == str(size) for name, value in self._headers or ())

    def _start_response(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], object]:
        if exc_info is not None and exc_info[1] is not None and self._sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if exc_info is None and self._headers is not None:
            raise RuntimeError("start_response was called twice, without exc_info (PEP 3333)")
        self._status, self._headers = int(status[:3]), headers
        return self._write

    def _write(self, block: bytes) -> None:
        """Send a block of an application that writes in the old way (PEP 3333, "The write() Callable")."""
        self._held.append(block)
        self._send_held()

    def _send_held(self) -> None:
        messages = [*self._start(), {"type": "http.response.body", "body": b"".join(self._held), "more_body": True}]
        self._held.clear()
        trio.from_thread.run(self._send, messages)

    async def _send(self, messages: list[Message]) -> None:
        for message in messages:
            await self._send_message(message)

    def _start(self) -> list[Message]:
        """Return the message with the head, unless it has been sent."""
        if self._sent:
            return []
        if self._headers is None:
            raise RuntimeError("the application returned without calling start_response (PEP 3333)")
        self._sent = True
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._headers]
        return [{"type": "http.response.start", "status": self._status, "headers": headers}]
