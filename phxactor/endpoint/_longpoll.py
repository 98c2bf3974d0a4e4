"""Long polling over HTTP: requests open, poll and publish to sessions (Phoenix.Transports.LongPoll of Phoenix 1.8).

The HTTP status of these answers is 200, and the body has the real status: `{"status", "token", "messages"}`.
"""

from __future__ import annotations

import math
from collections.abc import Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import attrs

from phxactor.endpoint._admission import Admission, RefusedError, tell_answered
from phxactor.endpoint._longpoll_answers import answer_of, preflight
from phxactor.endpoint._longpoll_requests import polling, publishing
from phxactor.http import Answering, BadParams, Request, Response
from phxactor.net import TooManyError
from phxactor.otp import Call, ChildSpec, DynamicSupervisor, Ok, call
from phxactor.runtime import NORMAL, Exit, Pid, fatal, own, self_pid
from phxactor.socket import Socket
from phxactor.token import sign, verify
from phxactor.transport import LATE, LEFT, LongPollOptions, LongPollSession

if TYPE_CHECKING:
    from phxactor.endpoint._mount import Mount
    from phxactor.endpoint._options import EndpointOptions
    from phxactor.endpoint._serving import Serving
    from phxactor.endpoint._sessions import SessionAccess

TOKEN_AGE: Final = 14 * 86400
"""Seconds for which a session's token is valid (Phoenix 1.8)."""
SALT: Final = "phxactor long-poll session"


def answering(serving: Serving, mount: Mount, options: LongPollOptions, request: Request) -> Answering | Response:
    """Return how to answer a request on the path of a long poll, or the response that refuses it by its head."""
    admission = Admission(serving, mount.handler, options, request, "longpoll")
    began = self_pid().runtime.now()
    try:
        admission.check_origin()
        found = _answering(admission, mount, options)
    except RefusedError as refused:
        admission.tell_refused(refused.why)
        found = answer_of(refused.response.status)
    if isinstance(found, Response):
        tell_answered(options, request, "longpoll", began, found.status)
        return found
    answer = found.answer

    async def tell(request: Request) -> Response:
        response = await answer(request)
        tell_answered(options, request, "longpoll", began, response.status)
        return response

    return attrs.evolve(found, answer=tell)


def max_body_bytes(endpoint: EndpointOptions, options: LongPollOptions) -> int:
    """Return the limit for the body of a request on the path of a long poll."""
    return endpoint.max_body_bytes if options.max_body_bytes is None else options.max_body_bytes


def _answering(admission: Admission, mount: Mount, options: LongPollOptions) -> Answering | Response:
    serving, request = admission.serving, admission.request
    most = max_body_bytes(serving.endpoint, options)
    if request.method == "OPTIONS":
        return preflight(request)
    if request.method not in ("GET", "POST"):
        return Response(HTTPStatus.BAD_REQUEST)
    session = _resume(serving, mount, request)
    if request.method == "POST":
        return answer_of(HTTPStatus.GONE) if session is None else publishing(session, request, most)

    def reopen() -> Coroutine[Any, Any, Response]:
        return _open(admission, mount, options)

    if session is not None:
        return polling(session, _token(request), most, reopen)
    return Answering(answer=lambda _: reopen(), seconds=math.inf, max_body_bytes=most)


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
        return answer_of(HTTPStatus.INTERNAL_SERVER_ERROR)
    if isinstance(refused, RefusedError):
        admission.tell_refused(refused.why)
        return answer_of(refused.response.status)
    endpoint = serving.endpoint
    name = serving.sessions.add(started, mount, max_body_bytes(endpoint, options))
    token = sign(endpoint.secret_key_base, SALT, name if serving.relay is None else serving.relay.name_here(name))
    return answer_of(HTTPStatus.GONE, token=token, messages=[])


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
    admission.tell_connected(pid, began, socket.log_level, opening.from_.owner)
    session = LongPollSession(socket, options, admission.serving.pool_of, admission.peer, began)
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


def _resume(serving: Serving, mount: Mount, request: Request) -> SessionAccess | None:
    """Return the session that a request's token names, on this node or another; None without a valid token."""
    token = _token(request)
    verified = verify(serving.endpoint.secret_key_base, SALT, token, max_age=TOKEN_AGE) if token else None
    if not isinstance(verified, Ok):
        return None
    if serving.relay is None:
        return serving.sessions.find(verified.value, mount)
    return serving.relay.find(verified.value, mount)


def _token(request: Request) -> str | None:
    """Return the token of a request; the header overrides the query. Raises RefusedError for a bad query."""
    header = request.header("x-phoenix-longpoll-token")
    if header is not None:
        return header
    try:
        token = request.params.get("token")
    except BadParams as error:
        raise RefusedError(Response(HTTPStatus.BAD_REQUEST), str(error)) from None
    return token if isinstance(token, str) else None
