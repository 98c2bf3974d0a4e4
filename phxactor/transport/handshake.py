"""The WebSocket handshake: from a request and the options to an answer, without I/O.

RFC 6455 and the extensions are the concern of `websockets`. What is decided here is what Phoenix 1.8.12 does otherwise:
how a sub-protocol is chosen, the token that may hide among the sub-protocols, and the status of a refusal.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import attrs
from websockets.datastructures import Headers
from websockets.exceptions import InvalidHeader, InvalidUpgrade
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request as HandshakeRequest
from websockets.http11 import Response as HandshakeResponse
from websockets.server import ServerProtocol

from phxactor.transport.options import WebSocketOptions
from phxactor.transport.request import Request
from phxactor.transport.response import HeaderPairs, Response

AUTH_TOKEN_PREFIX: Final = "base64url.bearer.phx."  # noqa: S105 - what stands before the secret
"""A sub-protocol that begins so carries a token: in standard base64 without padding, whatever it says."""
AUTH_TOKEN_SUBPROTOCOL: Final = "phoenix"  # noqa: S105 - the one that is offered beside the secret
"""What is answered to a client that offered a token, for a browser wants one of its sub-protocols back."""
VERSION: Final = "13"
"""The only version of the WebSocket protocol (RFC 6455 section 4.1)."""

_UPGRADE: Final = (("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", VERSION))

# Windows of 4 KiB instead of 32 and less memory for zlib: messages are small, connections are many.
_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
_READ_BY_WEBSOCKETS: Final = frozenset(
    {
        b"connection",
        b"upgrade",
        b"origin",
        b"sec-websocket-key",
        b"sec-websocket-version",
        b"sec-websocket-extensions",
    }
)


@attrs.frozen
class Accepted:
    """A handshake that is completed by sending `head`, and is not until then."""

    head: bytes
    """The head of the answer, `101 Switching Protocols`."""
    extensions: Sequence[Extension]
    """What was negotiated, for the `websockets` protocol object that will read and write frames."""
    subprotocol: str | None
    """The sub-protocol of the answer."""
    auth_token: str | None = attrs.field(repr=False)
    """The token that came among the sub-protocols."""


@attrs.frozen
class Refused:
    """A request that does not become a WebSocket."""

    response: Response
    why: str
    """For a line in the log."""


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, why: str, headers: HeaderPairs = ()) -> None:
        super().__init__(why)
        self.refused = Refused(Response.text(f"{why}\n", status=status, headers=headers), why)


def handshake(request: Request, options: WebSocketOptions) -> Accepted | Refused:
    """Decide on a request for a WebSocket; the origin is not looked at.

    A refusal is 400 for another method than GET, and for no or a malformed handshake; 426 for a version that is not 13
    (RFC 6455 section 4.2.2), 403 when none of the sub-protocols that the client wants is among the options.
    """
    try:
        protocol, answer = _upgrade(request, options)
        subprotocol, token = _subprotocol(request, options)
    except _RefusedError as error:
        return error.refused
    if subprotocol is not None:
        answer.headers["Sec-WebSocket-Protocol"] = subprotocol
    return Accepted(answer.serialize(), protocol.extensions, subprotocol, token)


def _upgrade(request: Request, options: WebSocketOptions) -> tuple[ServerProtocol, HandshakeResponse]:
    if request.method != "GET":
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "a WebSocket begins with GET")
    if request.http_version < "1.1":
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "a WebSocket needs HTTP/1.1")
    protocol = ServerProtocol(extensions=[_DEFLATE] if options.compress else None)
    headers = Headers()
    try:
        for name, value in request.headers:
            if name in _READ_BY_WEBSOCKETS:
                headers[name.decode()] = value.decode("latin-1")
    except InvalidHeader as invalid:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the header {invalid.name} is malformed") from None
    answer = protocol.accept(HandshakeRequest(request.target, headers))
    error = protocol.handshake_exc
    if isinstance(error, InvalidUpgrade):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "this path is a WebSocket's, and no upgrade to one was asked for")
    if isinstance(error, InvalidHeader) and error.name == "Sec-WebSocket-Version":
        raise _RefusedError(HTTPStatus.UPGRADE_REQUIRED, f"only WebSocket version {VERSION} is spoken", _UPGRADE)
    if error is not None:
        header = f"the header {error.name}" if isinstance(error, InvalidHeader) else "a header"
        raise _RefusedError(HTTPStatus.BAD_REQUEST, f"{header} is missing or malformed")
    return protocol, answer


def _subprotocol(request: Request, options: WebSocketOptions) -> tuple[str | None, str | None]:
    """Choose the sub-protocol, and take the token from among those offered."""
    header = request.header("sec-websocket-protocol") or ""
    offered = [name for part in header.split(",") if (name := part.strip())]
    known = options.subprotocols
    token = None
    if options.auth_token:
        known = (AUTH_TOKEN_SUBPROTOCOL, *known)
        hidden = [name for name in offered if name.startswith(AUTH_TOKEN_PREFIX)]
        if len(hidden) == 1:
            offered.remove(hidden[0])
            token = _decode_token(hidden[0].removeprefix(AUTH_TOKEN_PREFIX))
    chosen = next((name for name in known if name in offered), None)
    if chosen is None and known and offered:
        raise _RefusedError(HTTPStatus.FORBIDDEN, "none of the sub-protocols that were asked for is spoken")
    return chosen, token


def _decode_token(encoded: str) -> str:
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except ValueError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the auth token is not the base64 of a text") from None
