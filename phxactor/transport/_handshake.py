"""The WebSocket handshake (RFC 6455 section 4.2): from a request and the options to an answer, without I/O.

The library `websockets` negotiates extensions. Phoenix 1.8.12 differs from most servers, and so does this module, in
the choice of a subprotocol, in the auth token among the subprotocols, and in the status of a refusal.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import a2b_base64, b2a_base64
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha1
from http import HTTPStatus
from typing import Final

import attrs
from websockets.exceptions import InvalidHeaderFormat, NegotiationError
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.headers import build_extension, parse_extension

from phxactor.http import HeaderPairs, Request, Response
from phxactor.transport._options import WebSocketOptions

AUTH_TOKEN_PREFIX: Final = "base64url.bearer.phx."  # noqa: S105 - the prefix of a secret
"""Prefix of a subprotocol that carries an auth token: in standard base64 without padding, despite its name."""
AUTH_TOKEN_SUBPROTOCOL: Final = "phoenix"  # noqa: S105 - a subprotocol, no secret
"""The subprotocol in the answer to a client that sent a token: browsers want one of their subprotocols back."""
GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""The text that is hashed with the client's key (RFC 6455 section 1.3)."""
KEY_SIZE: Final = 16
"""Bytes of a client's key."""
MAX_EXTENSIONS: Final = 1024
"""Most characters of Sec-WebSocket-Extensions: browsers send about 60, and parsing a long header takes long."""
VERSION: Final = "13"
"""The only version of the WebSocket protocol (RFC 6455 section 4.1)."""

_UPGRADE: Final = (("upgrade", "websocket"), ("connection", "upgrade"), ("sec-websocket-version", VERSION))

# Windows of 4 KiB instead of 32 and less memory for zlib: messages are small, connections are many.
_DEFLATE: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
)
_HEAD: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
)


@attrs.define(eq=False)
class Accepted:
    """An accepted handshake; sending `head` completes it."""

    head: bytes
    """The head of the answer, `101 Switching Protocols`."""
    extensions: Sequence[Extension]
    """The negotiated extensions, for the `websockets` protocol object that reads and writes frames."""
    subprotocol: str | None
    """The subprotocol in the answer; None for none."""
    auth_token: str | None = attrs.field(repr=False)
    """The token that came among the subprotocols; None without one."""


@attrs.frozen
class Refused:
    """A refused handshake."""

    response: Response
    """The answer to the request."""
    why: str
    """The reason, for the log."""


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, why: str, headers: HeaderPairs = ()) -> None:
        super().__init__(why)
        self.refused = Refused(Response.text(f"{why}\n", status=status, headers=headers), why)


def handshake(request: Request, options: WebSocketOptions) -> Accepted | Refused:
    """Accept or refuse an upgrade request; the origin is checked elsewhere (`origin`).

    A refusal has the status 400 for a method other than GET, and for a missing or malformed handshake; 426 for a
    version other than 13 (RFC 6455 section 4.2.2); 403 if the options have none of the client's subprotocols.
    """
    try:
        key = _accept_key(request)
        extensions, agreed = _extensions(request) if options.compress else ([], None)
        subprotocol, token = _subprotocol(request, options)
    except _RefusedError as error:
        return error.refused
    head = _HEAD + key
    if agreed is not None:
        head += b"\r\nSec-WebSocket-Extensions: " + agreed.encode()
    if subprotocol is not None:
        head += b"\r\nSec-WebSocket-Protocol: " + subprotocol.encode("latin-1")
    return Accepted(head + b"\r\n\r\n", extensions, subprotocol, token)


def _accept_key(request: Request) -> bytes:
    """Check that the request asks for a WebSocket; return the value of Sec-WebSocket-Accept (RFC 6455 section 4.2)."""
    if request.method != "GET":
        raise _RefusedError(HTTPStatus.BAD_REQUEST, f"a WebSocket handshake must be a GET, not {request.method:.20}")
    if request.http_version < "1.1":
        raise _RefusedError(HTTPStatus.BAD_REQUEST, f"a WebSocket needs HTTP/1.1, not HTTP/{request.http_version}")
    if not (_lists(request.header("upgrade"), "websocket") and _lists(request.header("connection"), "upgrade")):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "this path is for WebSockets, but the request asks for no upgrade")
    key = (request.header("sec-websocket-key") or "").encode("latin-1")
    try:
        whole = len(a2b_base64(key, strict_mode=True)) == KEY_SIZE
    except ValueError:
        whole = False
    if not whole:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the header Sec-WebSocket-Key is missing or malformed")
    if request.header("sec-websocket-version") != VERSION:
        raise _RefusedError(HTTPStatus.UPGRADE_REQUIRED, f"the WebSocket version must be {VERSION}", _UPGRADE)
    return b2a_base64(sha1(key + GUID, usedforsecurity=False).digest(), newline=False)


def _lists(header: str | None, token: str) -> bool:
    """Return whether a header lists a token, in any case; nearly always, it is the only one."""
    value = (header or "").lower()
    return value == token or token in [other.strip() for other in value.split(",")]


def _extensions(request: Request) -> tuple[list[Extension], str | None]:
    """Return the extension for the first acceptable deflate offer, and the header that answers it."""
    offered = request.header("sec-websocket-extensions")
    if offered is None:
        return [], None
    if len(offered) > MAX_EXTENSIONS:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, f"Sec-WebSocket-Extensions is over {MAX_EXTENSIONS} characters")
    try:
        for name, parameters in parse_extension(offered):
            if name == _DEFLATE.name:
                with suppress(NegotiationError):
                    agreed, extension = _DEFLATE.process_request_params(parameters, [])
                    return [extension], build_extension([(name, agreed)])
    except InvalidHeaderFormat:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the header Sec-WebSocket-Extensions is malformed") from None
    return [], None


def _subprotocol(request: Request, options: WebSocketOptions) -> tuple[str | None, str | None]:
    """Return the chosen subprotocol, and the auth token from among the offered subprotocols."""
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
        raise _RefusedError(HTTPStatus.FORBIDDEN, "this server speaks none of the requested subprotocols")
    return chosen, token


def _decode_token(encoded: str) -> str:
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True).decode()
    except ValueError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the auth token is not the base64 of a text") from None
