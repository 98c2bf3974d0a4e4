"""Long polling over HTTP: requests open, poll and publish to sessions (Phoenix.Transports.LongPoll of Phoenix 1.8).

The HTTP status of these answers is 200, and the body has the real status: `{"status", "token", "messages"}`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import attrs

from phxactor.endpoint._admission import Admission, RefusedError, tell_answered
from phxactor.http import KEEP_ALIVE, SEND_TIMEOUT, Answering, BadParams, HTTPConnection, Request, Response
from phxactor.net import BaseConnection, Flusher, TooManyError
from phxactor.otp import Call, ChildSpec, DynamicSupervisor, Ok, call
from phxactor.runtime import NORMAL, Exit, Pid, fatal, own, self_pid
from phxactor.socket import Socket
from phxactor.token import sign, verify
from phxactor.transport import LATE, LEFT, Delivery, GaveUp, LongPollOptions, LongPollSession, Poll, Publish, Settled

if TYPE_CHECKING:
    from phxactor.endpoint._mount import Mount
    from phxactor.endpoint._serving import Serving
    from phxactor.endpoint._sessions import Session

TOKEN_AGE: Final = 14 * 86400
"""Seconds for which a session's token is valid (Phoenix 1.8)."""
REQUEST_WEIGHT: Final = 16 * 1024
"""Bytes that a waiting publish request counts for, in addition to its body."""
SPARE: Final = 1024 * 1024
"""A session's waiting publish requests may hold the limit for one body plus this many bytes."""
SALT: Final = "phxactor long-poll session"
MUCH: Final = 1024
"""A body of more bytes than this waits for a turn before it goes to its session, since decoding may take long."""
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""A header's name (RFC 9110 section 5.1)."""
_BY_PROXIES: Final = ("x-forwarded-for", "forwarded", "via")
"""Headers that a proxy adds, whether it is trusted or not."""
_NDJSON: Final = "application/x-ndjson"


def answering(serving: Serving, mount: Mount, options: LongPollOptions, request: Request) -> Answering | Response:
    """Return how to answer a request on the path of a long poll, or the response that refuses it by its head."""
    admission = Admission(serving, mount.handler, options, request, "longpoll")
    began = self_pid().runtime.now()
    try:
        admission.check_origin()
        found = _answering(admission, mount, options)
    except RefusedError as refused:
        admission.tell_refused(refused.why)
        found = _status(refused.response.status)
    if isinstance(found, Response):
        tell_answered(options, request, "longpoll", began, found.status)
        return found
    answer = found.answer

    async def tell(request: Request) -> Response:
        response = await answer(request)
        tell_answered(options, request, "longpoll", began, response.status)
        return response

    return attrs.evolve(found, answer=tell)


def _answering(admission: Admission, mount: Mount, options: LongPollOptions) -> Answering | Response:
    serving, request = admission.serving, admission.request
    endpoint = serving.endpoint
    most = endpoint.max_body_bytes if options.max_body_bytes is None else options.max_body_bytes
    if request.method == "OPTIONS":
        return _preflight(request)
    if request.method not in ("GET", "POST"):
        return Response(HTTPStatus.BAD_REQUEST)
    session = _resume(serving, mount, request)
    if request.method == "POST":
        return _status(HTTPStatus.GONE) if session is None else _publishing(session, request, most, serving.flusher)
    if session is not None:
        return _polling(session.pid, most)
    return Answering(answer=lambda _: _open(admission, mount, options), seconds=math.inf, max_body_bytes=most)


# ----------------------------------------------------------------------------------------------- sessions


async def _open(admission: Admission, mount: Mount, options: LongPollOptions) -> Response:
    """Start a session and answer with its token; the session's process decides whether to admit the client."""
    serving = admission.serving
    auth_token = admission.request.header("x-phoenix-authtoken") if options.auth_token else None
    handler = cast("type[Socket]", mount.handler)
    spec = ChildSpec(id="session", start=(_start, (admission, options, handler, auth_token), {}), restart="temporary")
    try:
        started = (await DynamicSupervisor.start_child(serving.sessions_supervisor, spec)).unwrap()
        refused = await _connected(started, admission, options.connect_timeout)
    except Exit:  # the endpoint stops, or `connect` exited: with this status phoenix.js tries again
        return _status(HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(refused, RefusedError):
        admission.tell_refused(refused.why)
        return _status(refused.response.status)
    name = serving.sessions.add(started, mount)
    token = sign(serving.endpoint.secret_key_base, SALT, name)
    return _status(HTTPStatus.GONE, token=token, messages=[])


async def _connected(session: Pid, admission: Admission, seconds: float) -> object:
    """Wait for the session to admit the client; return None, or its RefusedError. Raises `Exit` if the session exits.

    If this wait ends early, because the client left or `connect` took too long, the session is ended too.
    """
    try:
        return await call(session, "connect", timeout=None if seconds == math.inf else seconds)
    except BaseException as error:
        late = isinstance(error, Exit) and self_pid().alive  # otherwise the client has left, or the endpoint stops
        if late and session.alive:
            admission.tell_late(seconds)
        fatal(session, LATE if late else LEFT)
        raise


def _start(admission: Admission, options: LongPollOptions, handler: type[Socket], auth_token: str | None) -> Ok[Pid]:
    """Start the process of a session: a supervisor's start function, which must not wait."""
    runtime = self_pid().runtime
    return Ok(runtime.spawn(_run, admission, options, handler, auth_token, link=True, initial_call="LongPollSession"))


async def _run(admission: Admission, options: LongPollOptions, handler: type[Socket], auth_token: str | None) -> None:
    """Run the process of a session: admit the client, reply to the request that opened the session, and serve it."""
    pid = self_pid()
    began = pid.runtime.now()
    try:
        opening = await pid.receive(options.window)
    except TimeoutError:
        raise Exit(NORMAL) from None  # the request that opened the session is gone
    assert isinstance(opening, Call)  # noqa: S101 - no other process knows this one yet
    try:
        _take_place(admission, pid)
        socket = await admission.connect_multiplexed(handler, auth_token)
    except RefusedError as refused:
        opening.from_.reply(refused)
        raise Exit(NORMAL) from None
    admission.tell_connected(pid, began, socket.log_level)
    session = LongPollSession(socket, options, admission.serving.pool_of, admission.peer)
    opening.from_.reply(None)
    await session.run()


def _take_place(admission: Admission, pid: Pid) -> None:
    """Count the session as a connection, until its process ends. Raises RefusedError if that is over a limit."""
    limits = admission.serving.limits
    if limits is None:
        return
    try:
        address = limits.enter(admission.request.peer)
    except TooManyError as error:
        raise RefusedError(Response(error.status), error.why) from None
    own(pid, lambda _: limits.leave(address))


def _resume(serving: Serving, mount: Mount, request: Request) -> Session | None:
    """Return the session that a request's token names; None without a valid token. The header overrides the query."""
    token = _token(request)
    verified = verify(serving.endpoint.secret_key_base, SALT, token, max_age=TOKEN_AGE) if token else None
    return serving.sessions.find(verified.value, mount) if isinstance(verified, Ok) else None


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


def _polling(session: Pid, most: int) -> Answering:
    poll = Poll()
    return Answering(
        answer=lambda request: _poll(session, poll, request),
        seconds=math.inf,
        max_body_bytes=most,
        end=lambda: session.send(Settled(poll)),
    )


async def _poll(session: Pid, poll: Poll, request: Request) -> Response:
    try:
        messages = cast("list[bytes]", await call(session, poll, timeout=None))
    except Exit:
        return _status(HTTPStatus.GONE)
    if not messages:
        return _status(HTTPStatus.NO_CONTENT, token=_token(request), messages=[])
    texts = [message.decode(errors="replace") for message in messages]
    found = _status(HTTPStatus.OK, token=_token(request), messages=texts)
    return Delivery(found.status, found.body, found.headers, poll=poll)


def _publishing(session: Session, request: Request, most: int, flusher: Flusher) -> Answering | Response:
    """Reserve room for a publish request before its body is read, or answer 429 if the session has no room left."""
    size = most if request.header("transfer-encoding") is not None else int(request.header("content-length") or 0)
    size = min(size, most) + REQUEST_WEIGHT
    if session.waiting and session.waiting + size > most + SPARE:
        return _status(HTTPStatus.TOO_MANY_REQUESTS)
    session.waiting += size

    def leave() -> None:
        session.waiting -= size

    return Answering(
        answer=lambda request: _publish(session.pid, request, flusher), seconds=math.inf, max_body_bytes=most, end=leave
    )


async def _publish(session: Pid, request: Request, flusher: Flusher) -> Response:
    kind = (request.header("content-type") or "").split(";")[0].strip().lower()
    publish = Publish(request.body, lines=kind == _NDJSON)
    if len(request.body) > MUCH:
        await flusher.wait_for_turn()
    try:
        taken = await call(session, publish, timeout=None)
    except Exit:
        return _status(HTTPStatus.GONE)
    except BaseException:
        session.send(GaveUp(publish))
        raise
    return _status(HTTPStatus.OK if taken else HTTPStatus.BAD_REQUEST)


async def deliver(
    serving: Serving, connection: BaseConnection, talk: HTTPConnection, delivery: Delivery, request: Request
) -> None:
    """Write a poll's messages, and wait until they have arrived; if they have not, abort the connection.

    If the connection stays open, wait for the client's next bytes too: they show that the client has read the answer.
    A proxy has taken the answer when its system acknowledges it, and HAProxy resets connections in its ordinary course.
    A client that pretends to be a proxy harms nobody but itself.
    """
    direct = request.proxy is None and all(request.header(name) is None for name in _BY_PROXIES)
    poll, move_on_after = delivery.poll, self_pid().runtime.patience.move_on_after
    try:
        with poll.scope:
            poll.written = not connection.has_left() and await talk.respond(delivery)
            if poll.written:
                with move_on_after(SEND_TIMEOUT):
                    poll.arrived = await connection.acknowledged()
            if direct and poll.arrived and talk.is_idle and not serving.draining:
                with move_on_after(KEEP_ALIVE):
                    poll.arrived = await serving.while_idle(connection.read())
    finally:
        if not poll.arrived:
            talk.give_up()
            connection.abort()


# ----------------------------------------------------------------------------------------------- responses


def _status(status: int, **fields: object) -> Response:
    body: Mapping[str, object] = {"status": int(status), **fields}
    return Response.json(body, headers=[("access-control-allow-origin", "*"), ("cache-control", "no-store")])


def _preflight(request: Request) -> Response:
    """Answer a browser's CORS preflight request, for a page of another origin (Fetch standard)."""
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
    """Return the names in a list of header names; invalid names are left out."""
    return [name for part in (header or "").split(",") if _NAME.fullmatch(name := part.strip(" \t"))]
