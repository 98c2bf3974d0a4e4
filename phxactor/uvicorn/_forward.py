"""The application that uvicorn runs: requests for long polls and routes of an endpoint go there, all others on.

phoenix.js falls back to long polls where WebSockets do not come through. Their requests share connections with those
of the application, so they are forwarded one by one: a request becomes HTTP on a stream in memory, and the endpoint
answers it as from its own listener. If the client leaves, the stream breaks, and messages of its poll are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import h11

from phxactor.guest import AsyncioSide, HostStream
from phxactor.net import peer_of

if TYPE_CHECKING:
    from phxactor.endpoint import Entrance
    from phxactor.uvicorn._door import Door

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

CONNECTION_HEADERS: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"upgrade", b"te", b"trailer", b"expect"}
)
"""Headers of a request that concern its connection (RFC 9110 section 7.6.1), which is uvicorn's."""
UVICORN_HEADERS: Final = CONNECTION_HEADERS | {b"date", b"transfer-encoding"}
"""Headers of a response that uvicorn writes itself."""


def forward(app: App, door: Door) -> App:
    """Return the application with the endpoints' requests taken out."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["raw_path"].decode("latin-1").removeprefix(scope.get("root_path", ""))
            endpoint = door.of_request(path)
            if endpoint is not None:
                entrance = door.entrance(endpoint)
                if entrance is None:
                    await _refuse(send, HTTPStatus.SERVICE_UNAVAILABLE)
                else:
                    await Exchange(send).run(entrance, scope, path, receive)
                return
        await app(scope, receive, send)

    return answer


async def _refuse(send: Send, status: HTTPStatus) -> None:
    await send({"type": "http.response.start", "status": int(status), "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})


class Exchange(AsyncioSide):
    """One request and its response, as HTTP on a stream: asyncio's side is the client's of that HTTP."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._http = h11.Connection(h11.CLIENT)
        self._stream = HostStream(self)
        self._output = bytearray()
        self._ended = False
        self._begun = False
        """Whether uvicorn has the head of the response."""
        self._news = asyncio.Event()
        """Set when the endpoint has written something, or has ended its side."""
        self._room = asyncio.Event()
        """Set when the endpoint has read what waited for it."""

    async def run(self, entrance: Entrance, scope: Scope, path: str, receive: Receive) -> None:
        """Have the endpoint answer the request."""
        query, scope["query_string"] = scope["query_string"], b""  # a session's token, which uvicorn's log would show
        target = path.encode("latin-1") + (b"?" + query if query else b"")
        headers = [(name, value) for name, value in scope["headers"] if name not in CONNECTION_HEADERS]
        headers.append((b"connection", b"close"))
        try:
            head = self._http.send(h11.Request(method=scope["method"], target=target, headers=headers))
        except h11.LocalProtocolError:  # uvicorn's parser allows more than h11
            await _refuse(self._send, HTTPStatus.BAD_REQUEST)
            return
        entrance.hand_over(self._stream, peer_of(scope.get("client")), head, scope["scheme"])
        reading = asyncio.create_task(self._pass_body(receive))
        try:
            await self._pass_response()
        except h11.RemoteProtocolError:  # the endpoint has closed in the middle: it was killed, or drops a late client
            if not self._begun:
                await _refuse(self._send, HTTPStatus.SERVICE_UNAVAILABLE)
        finally:
            reading.cancel()
            self._stream.lose(reset=False)

    async def _pass_body(self, receive: Receive) -> None:
        """Give the request's body to the endpoint; then wait for the client to leave."""
        more = True
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                self._stream.lose(reset=True)
                self.close()
                return
            if more:
                body = message.get("body", b"")
                more = message.get("more_body", False)
                data = self._http.send(h11.Data(data=body)) if body else b""
                if not more:
                    data += self._http.send(h11.EndOfMessage())
                if not self._stream.feed(data):
                    self._room.clear()
                    await self._room.wait()

    async def _pass_response(self) -> None:
        """Give the endpoint's response to uvicorn."""
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._stream.resume()
                await self._news.wait()
                self._news.clear()
                data, self._output = bytes(self._output), bytearray()
                if data:
                    self._http.receive_data(data)
                elif self._ended:
                    self._http.receive_data(b"")
            elif isinstance(event, h11.Response):
                self._begun = True
                kept = [(name, value) for name, value in event.headers if name not in UVICORN_HEADERS]
                await self._send({"type": "http.response.start", "status": event.status_code, "headers": kept})
            elif isinstance(event, h11.Data):
                await self._send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            elif isinstance(event, h11.EndOfMessage):
                await self._send({"type": "http.response.body"})
                self._stream.resume()  # so the endpoint knows that the response is on its way
                return
            elif not isinstance(event, h11.InformationalResponse):
                raise h11.RemoteProtocolError("closed without a response")

    # ------------------------------------------------------------------------ what the endpoint does (AsyncioSide)

    def write(self, data: bytes) -> None:
        """Take a part of the response; the endpoint waits until uvicorn has taken it."""
        self._output += data
        self._news.set()
        self._stream.pause()

    def write_eof(self) -> None:
        """Take the end of the response's connection."""
        self._ended = True
        self._news.set()

    def close(self) -> None:
        """Take the end of the connection."""
        self.write_eof()

    def wants_input(self) -> None:
        """Go on with the body."""
        self._room.set()
