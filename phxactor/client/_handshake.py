"""Opens a WebSocket for a URL by trio-websocket, and turns each kind of failed handshake into an error."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeAlias, cast

import attrs
import h11
import trio
import wsproto.utilities
from trio_websocket import ConnectionRejected, WebSocketConnection, wrap_client_stream

from phxactor.client._errors import ConnectRefused
from phxactor.client._factories import ValueOrFactory, resolve
from phxactor.client._handshake_stream import HandshakeStream
from phxactor.client._nursery import open_nursery
from phxactor.client._url import URL, Params, subprotocols
from phxactor.runtime import Patience, forget_handshake

OpenStream: TypeAlias = Callable[[], Awaitable[trio.abc.Stream]]
"""A function that opens the byte stream below the WebSocket (and below TLS, for a `wss:` URL)."""


@attrs.frozen
class _Request:
    """The parts of a handshake request that depend on the options."""

    target: str
    subprotocols: list[str]
    headers: list[tuple[bytes, bytes]]


@attrs.frozen
class Server:
    """The server's URL, and the options of the handshake."""

    url: URL
    params: ValueOrFactory[Params]
    auth_token: ValueOrFactory[str | None]
    headers: ValueOrFactory[Mapping[str, str]]
    ssl_context: ssl.SSLContext | None
    """None for a `ws:` URL."""
    open_stream: OpenStream | None
    max_message_size: int

    @asynccontextmanager
    async def call(self, timeout: float, patience: Patience) -> AsyncIterator[WebSocketConnection]:
        """Connect within `timeout` seconds. At the end of the block, a connection that is still open is cut off.

        Raises:
            ConnectRefused: the server answered with an HTTP status other than 101.
            ConnectionLost: the server does not speak WebSocket, or hung up.
            OSError: there was no answer, or TLS failed; TimeoutError after `timeout` seconds.

        """
        request = await self._request()
        stream: HandshakeStream | None = None
        websocket: WebSocketConnection | None = None
        try:
            async with open_nursery() as nursery:
                with patience.move_on_after(timeout):
                    stream = HandshakeStream(await self._dial())
                    websocket = await self._shake_hands(nursery, stream, request)
                if websocket is None:
                    raise TimeoutError(f"{self.url} did not complete the handshake within {timeout:g} s")
                yield websocket
                nursery.cancel_scope.cancel()
        except ConnectionRejected as rejected:
            raise ConnectRefused(str(self.url), rejected.status_code, rejected.body or b"") from None
        except (h11.LocalProtocolError, wsproto.utilities.LocalProtocolError) as error:
            # trio-websocket raises these for an answer that it cannot read, and also for an invalid header option.
            if stream is None or not stream.answer:
                raise
            raise stream.no_websocket(error) from error
        finally:
            if stream is not None:
                await trio.aclose_forcefully(stream)

    async def _request(self) -> _Request:
        return _Request(
            self.url.target(await resolve(self.params)),
            subprotocols(await resolve(self.auth_token)),
            [(name.encode(), value.encode()) for name, value in (await resolve(self.headers)).items()],
        )

    async def _dial(self) -> trio.abc.Stream:
        if self.open_stream is None:
            stream: trio.abc.Stream = await trio.open_tcp_stream(self.url.host, self.url.port)
        else:
            stream = await self.open_stream()
        if self.ssl_context is None:
            return stream
        tls = trio.SSLStream(stream, self.ssl_context, server_hostname=self.url.host, https_compatible=True)
        try:
            await tls.do_handshake()
        except BaseException as error:
            await trio.aclose_forcefully(tls)
            if isinstance(error.__cause__, ssl.SSLError):  # more telling than trio's BrokenResourceError
                raise error.__cause__ from None
            raise
        finally:
            forget_handshake(tls)
        return tls

    async def _shake_hands(
        self, nursery: trio.Nursery, stream: HandshakeStream, request: _Request
    ) -> WebSocketConnection:
        websocket = None
        async with open_nursery() as attempt:
            attempt.start_soon(stream.cancel_at_end, attempt.cancel_scope)
            websocket = await wrap_client_stream(
                nursery,
                cast("trio.SocketStream", stream),  # any stream will do
                self.url.netloc,
                request.target,
                subprotocols=request.subprotocols,
                extra_headers=request.headers,
                max_message_size=self.max_message_size,
            )
            attempt.cancel_scope.cancel()
        if websocket is None:
            raise stream.refusal(str(self.url))
        stream.is_open = True
        return websocket
