"""One request and its answer, by a route or a hosted application: what goes wrong is answered too, and told."""

from __future__ import annotations

import math
from collections.abc import Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import attrs

from phxactor.endpoint import _access as access
from phxactor.endpoint import events
from phxactor.endpoint._answers import answering_of, refusal
from phxactor.endpoint._longpoll_requests import deliver
from phxactor.gateway import HostedApplication, serve_request
from phxactor.http import Answering, HTTPConnection, Request, RequestError, Response, last_answer
from phxactor.net import BaseConnection
from phxactor.runtime import explain, fork, self_pid
from phxactor.transport import Attended, Delivery

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving


async def exchange(serving: Serving, connection: BaseConnection, talk: HTTPConnection, request: Request) -> None:
    """Answer a request; its head is judged before its body is read."""
    if events.request_started.handlers and request.path != serving.endpoint.health:
        access.begin(serving, request)
    try:
        answering = answering_of(serving, request)
    except BaseException as error:  # noqa: BLE001 - a program's check_origin function may raise anything
        answering = _failure(request, error)
    if isinstance(answering, Response):
        await talk.respond(answering)
        return
    if isinstance(answering, HostedApplication):
        await serve_request(answering, connection, talk, request)
        return
    try:
        if talk.has_body:
            if answering.admit is not None and (refused := await _admitted(connection, answering.admit())) is not None:
                await talk.respond(refused)
                return
            body = await serving.while_idle(talk.read_body(answering.max_body_bytes))
            request = attrs.evolve(request, body=body)
        response = await _answer(serving, connection, request, answering)
        if isinstance(response, Delivery):
            await deliver(serving, connection, talk, response, request)
        else:
            await talk.respond(response)
    finally:
        answering.end()


async def _admitted(connection: BaseConnection, admit: Coroutine[Any, Any, Response | None]) -> Response | None:
    """Ask whether a body may be read; the process ends if the client leaves meanwhile."""
    return await Attended(admit, connection, math.inf, lambda: None)


async def _answer(serving: Serving, connection: BaseConnection, request: Request, answering: Answering) -> Response:
    answer, seconds = answering.answer(request), answering.seconds
    try:
        return await Attended(answer, connection, seconds, lambda: _too_late(serving, connection, request, seconds))
    except RequestError as error:
        return refusal(request, error)
    except BaseException as error:  # the route's: the client is answered with 500
        if not self_pid().alive:
            fork.leave(error)
            raise
        return _failure(request, error)


def _failure(request: Request, error: BaseException) -> Response:
    """Emit `events.handler_failed` for an exception of the program; return the 500 that answers the request."""
    fork.leave(error)
    explain(error)
    if events.handler_failed.handlers:
        events.handler_failed.emit(method=request.method, path=request.path, exception=error)
    return Response.text("internal server error\n", status=HTTPStatus.INTERNAL_SERVER_ERROR)


def _too_late(serving: Serving, connection: BaseConnection, request: Request, seconds: float) -> None:
    """Answer 503 for a handler that takes too long, and close; the handler itself may still run."""
    connection.write(last_answer(HTTPStatus.SERVICE_UNAVAILABLE))
    serving.flusher.finish(connection)
    if events.handler_late.handlers:
        events.handler_late.emit(method=request.method, path=request.path, seconds=seconds)
