"""The part of an endpoint that answers a request without an upgrade: a long poll or a route."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from phxactor.endpoint import _longpoll as longpoll
from phxactor.endpoint import events
from phxactor.endpoint._health import health
from phxactor.http import Answering, RequestError, Response
from phxactor.transport import Delivery

if TYPE_CHECKING:
    from phxactor.endpoint._options import EndpointOptions
    from phxactor.endpoint._serving import Serving
    from phxactor.gateway import HostedApplication
    from phxactor.http import Request


def answering_of(serving: Serving, request: Request) -> Answering | HostedApplication | Response:
    """Return how to answer a request, judged by its head; or the response itself, if the head is enough.

    A web application gets the requests that no route answers.
    """
    if request.path == serving.endpoint.health or request.path in serving.endpoint.longpolls:
        return own_answering_of(serving, request)
    answering = route_of(serving.endpoint, request)
    if isinstance(answering, Response) and serving.applications:
        return serving.application_at(request.path) or answering
    return answering


def application_of(serving: Serving, request: Request) -> HostedApplication | None:
    """Return the web application that gets a request; None if a route or a long poll answers it, or nothing does."""
    answering = route_of(serving.endpoint, request)
    if request.path in serving.endpoint.longpolls or not isinstance(answering, Response):
        return None
    return serving.application_at(request.path)


def own_answering_of(serving: Serving, request: Request) -> Answering | Response:
    """Do the same for a request on the health path, or on the path of a long poll."""
    if request.path == serving.endpoint.health:
        return health(serving, request)
    mount = serving.endpoint.longpolls[request.path]
    assert mount.longpoll is not None  # noqa: S101 - so it is in this table
    return longpoll.answering(serving, mount, mount.longpoll, request)


def route_of(endpoint: EndpointOptions, request: Request) -> Answering | Response:
    """Do the same with the routes only; the endpoint need not run."""
    found = endpoint.routes.find(request)
    if isinstance(found, Response):
        return found
    seconds, most = found.route.timeout, found.route.max_body_bytes
    return Answering(
        answer=found.answer,
        seconds=endpoint.request_timeout if seconds is None else seconds,
        max_body_bytes=endpoint.max_body_bytes if most is None else most,
    )


async def answer(answering: Answering | Response, request: Request) -> Response:
    """Answer a request that has its whole body already. A long poll's messages count as arrived."""
    if isinstance(answering, Response):
        return answering
    try:
        if len(request.body) > answering.max_body_bytes:
            return Response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        if answering.admit is not None and request.body and (refused := await answering.admit()) is not None:
            return refused
        try:
            response = await answering.answer(request)
        except RequestError as error:
            return refusal(request, error)
        if isinstance(response, Delivery):
            response.poll.arrived = True
        return response
    finally:
        answering.end()


def refusal(request: Request, error: RequestError) -> Response:
    """Emit `events.bad_request` for a request that a handler could not read; return the answer to it."""
    if events.bad_request.handlers:
        events.bad_request.emit(peer=str(request.peer), status=int(error.status), why=error.why)
    return Response.text(f"{error.why}\n", status=error.status)
