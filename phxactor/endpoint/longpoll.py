"""Long polling over HTTP: sessions are opened, polled and published to (PROTOCOL of Phoenix.Transports.LongPoll 1.8).

Whatever happens, the status of HTTP is 200 and the real one stands in the body: `{"status", "token", "messages"}`.
"""

from __future__ import annotations

import binascii
import math
import re
import secrets
from base64 import b64decode
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from phxactor.endpoint.admission import Admission, RefusedError
from phxactor.endpoint.connection_limits import TooManyError
from phxactor.otp import ChildSpec, DynamicSupervisor, Ok, call
from phxactor.otp.call import Call
from phxactor.runtime import NORMAL, Exit, Pid, own, self_pid
from phxactor.runtime.signals import fatal
from phxactor.socket import BINARY, TEXT, DecodeError, Socket
from phxactor.token import sign, verify
from phxactor.transport.attended import LATE, LEFT
from phxactor.transport.longpoll import LongPollSession, Poll, Publish
from phxactor.transport.options import LongPollOptions
from phxactor.transport.params import BadParams
from phxactor.transport.request import Request
from phxactor.transport.response import Response

if TYPE_CHECKING:
    from phxactor.endpoint.endpoint import Endpoint
    from phxactor.endpoint.mount import Mount

MAX_LINES: Final = 100
"""Messages in one request (Phoenix 1.8)."""
TOKEN_AGE: Final = 14 * 86400
"""Seconds for which a session's token is good (Phoenix 1.8)."""
SALT: Final = "phxactor long-poll session"
_JSON: Final = (b"[", b"{")
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""Of a header (RFC 9110 section 5.1)."""
_NDJSON: Final = "application/x-ndjson"


class Sessions:
    """The sessions of one endpoint by their ids, which only their clients know."""

    def __init__(self) -> None:
        self._pids: dict[str, Pid] = {}

    def __len__(self) -> int:
        """Count the sessions."""
        return len(self._pids)

    def add(self, pid: Pid) -> str:
        """Give a session an id; it is forgotten when the session ends."""
        name = secrets.token_urlsafe(16)
        self._pids[name] = pid
        own(pid, lambda _: self._forget(name))
        return name

    def find(self, name: object) -> Pid | None:
        """Return the session with an id."""
        return self._pids.get(name) if isinstance(name, str) else None

    def _forget(self, name: str) -> None:
        self._pids.pop(name, None)


async def answer(endpoint: Endpoint, mount: Mount, options: LongPollOptions, request: Request) -> Response:
    """Answer one request on the path of a long poll."""
    handler = mount.handler
    admission = Admission(endpoint, handler, options, request, "longpoll")
    try:
        admission.check_origin()
        if request.method == "OPTIONS":
            return _preflight(request)
        if request.method not in ("GET", "POST"):
            return Response(HTTPStatus.BAD_REQUEST)
        session = _resume(endpoint, request)
        if request.method == "POST":
            return _status(HTTPStatus.GONE) if session is None else await _publish(session, request)
        if session is not None:
            return await _poll(session, request)
        return await _open(admission, options, cast("type[Socket]", handler))
    except RefusedError as refused:
        admission.tell_refused(refused.why)
        return _status(refused.response.status)


# ----------------------------------------------------------------------------------------------- sessions


async def _open(admission: Admission, options: LongPollOptions, handler: type[Socket]) -> Response:
    """Start a session; whether the client is let in is decided in its process."""
    endpoint = admission.endpoint
    auth_token = admission.request.header("x-phoenix-authtoken") if options.auth_token else None
    spec = ChildSpec(id="session", start=(_start, (admission, options, handler, auth_token), {}), restart="temporary")
    try:
        started = (await DynamicSupervisor.start_child(endpoint.sessions_supervisor, spec)).unwrap()
        refused = await _connected(started, admission, options.connect_timeout)
    except Exit:  # the endpoint stops, or `connect` exited: a status that makes phoenix.js try again
        return _status(HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(refused, RefusedError):
        raise refused
    name = endpoint.sessions.add(started)
    token = sign(endpoint.secret_key_base, SALT, name)
    return _status(HTTPStatus.GONE, token=token, messages=[])


async def _connected(session: Pid, admission: Admission, seconds: float) -> object:
    """Wait until the client has been let in. A session that nobody waits for any more ends. Raises `Exit`."""
    try:
        return await call(session, "connect", timeout=None if seconds == math.inf else seconds)
    except BaseException as error:
        late = isinstance(error, Exit) and self_pid().alive  # else it is the client who has left, or all ends
        if late and session.alive:
            admission.tell_late(seconds)
        fatal(session, LATE if late else LEFT)
        raise


def _start(admission: Admission, options: LongPollOptions, handler: type[Socket], auth_token: str | None) -> Ok[Pid]:
    """Start the process of a session: a start function, which cannot wait."""
    runtime = self_pid().runtime
    return Ok(runtime.spawn(_run, admission, options, handler, auth_token, link=True, initial_call="LongPollSession"))


async def _run(admission: Admission, options: LongPollOptions, handler: type[Socket], auth_token: str | None) -> None:
    """Be the process: let the client in, and tell the request that opened the session."""
    pid = self_pid()
    began = pid.runtime.now()
    try:
        opening = await pid.receive(options.window)
    except TimeoutError:
        raise Exit(NORMAL) from None  # who asked for it has gone
    assert isinstance(opening, Call)  # noqa: S101 - nobody else knows the process yet
    try:
        _take_place(admission, pid)
        socket = await admission.connect_multiplexed(handler, auth_token)
    except RefusedError as refused:
        opening.from_.reply(refused)
        raise Exit(NORMAL) from None
    admission.tell_connected(began, socket.log_level)
    session = LongPollSession(socket, options, admission.endpoint.pool_of, admission.peer)
    opening.from_.reply(None)
    await session.run()


def _take_place(admission: Admission, pid: Pid) -> None:
    """Count the session among the connections. Raises RefusedError when it is one too many."""
    limits = admission.endpoint.limits
    if limits is None:
        return
    try:
        address = limits.enter(admission.request.peer)
    except TooManyError as error:
        raise RefusedError(Response(error.status), error.why) from None
    own(pid, lambda _: limits.leave(address))


def _resume(endpoint: Endpoint, request: Request) -> Pid | None:
    """Find the session that a request's token names; the header goes before the query."""
    token = _token(request)
    verified = verify(endpoint.secret_key_base, SALT, token, max_age=TOKEN_AGE) if token else None
    return endpoint.sessions.find(verified.value) if isinstance(verified, Ok) else None


def _token(request: Request) -> str | None:
    header = request.header("x-phoenix-longpoll-token")
    if header is not None:
        return header
    try:
        token = request.params.get("token")
    except BadParams as error:
        raise RefusedError(Response(HTTPStatus.BAD_REQUEST), str(error)) from None
    return token if isinstance(token, str) else None


# --------------------------------------------------------------------------------------- poll and publish


async def _poll(session: Pid, request: Request) -> Response:
    try:
        messages = cast("list[str]", await call(session, Poll(), timeout=None))
    except Exit:
        return _status(HTTPStatus.GONE)
    status = HTTPStatus.OK if messages else HTTPStatus.NO_CONTENT
    return _status(status, token=_token(request), messages=messages)


async def _publish(session: Pid, request: Request) -> Response:
    messages = _messages(request)
    try:
        taken = await call(session, Publish(messages), timeout=None)
    except Exit:
        return _status(HTTPStatus.GONE)
    return _status(HTTPStatus.OK if taken else HTTPStatus.BAD_REQUEST)


def _messages(request: Request) -> list[tuple[int, bytes]] | DecodeError:
    """Split a body into messages; one that cannot be one is left for the session to refuse."""
    if (request.header("content-type") or "").split(";")[0].strip().lower() != _NDJSON:
        return [(TEXT, request.body)]
    lines = [line for line in request.body.splitlines() if line]
    if len(lines) > MAX_LINES:
        return DecodeError(f"{len(lines)} messages in one request, more than {MAX_LINES}")
    return [_message(line) for line in lines]


def _message(line: bytes) -> tuple[int, bytes]:
    if line.startswith(_JSON):
        return TEXT, line
    try:
        return BINARY, b64decode(line, validate=True)
    except binascii.Error:
        return TEXT, line


# ----------------------------------------------------------------------------------------------- responses


def _status(status: int, **fields: object) -> Response:
    body: Mapping[str, object] = {"status": int(status), **fields}
    return Response.json(body, headers=[("access-control-allow-origin", "*"), ("cache-control", "no-store")])


def _preflight(request: Request) -> Response:
    """Answer a browser that asks whether a page of another origin may (Fetch, CORS-preflight)."""
    return Response(
        HTTPStatus.OK,
        headers=[
            ("access-control-allow-origin", "*"),
            ("access-control-allow-headers", ", ".join(_names(request.header("access-control-request-headers")))),
            ("access-control-allow-methods", "get, post, options"),
            ("access-control-max-age", "3600"),
        ],
    )


def _names(header: str | None) -> list[str]:
    """Read a list of headers' names; what is no name is left out, as nobody could send it."""
    return [name for part in (header or "").split(",") if _NAME.fullmatch(name := part.strip(" \t"))]
