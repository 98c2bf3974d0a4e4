"""The connection's side: starts the process of a request, and waits until its answer is complete."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import trio

from phxactor.gateway import events
from phxactor.gateway._exchange import Exchange
from phxactor.gateway._request_process import run_request
from phxactor.http import SEND_TIMEOUT, HTTPConnection, Request, Response
from phxactor.runtime import own, self_pid
from phxactor.socket import DRAIN

if TYPE_CHECKING:
    from phxactor.gateway._hosted import HostedApplication
    from phxactor.net import BaseConnection

STARTING = Response.text(
    "the application is starting again\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers=[("retry-after", "1")]
)
BUSY = Response.text(
    "the application has too many requests\n", status=HTTPStatus.SERVICE_UNAVAILABLE, headers=[("retry-after", "1")]
)


async def serve_request(
    hosted: HostedApplication, connection: BaseConnection, talk: HTTPConnection, request: Request
) -> None:
    """Answer a request by the application: the work of the connection's process.

    Returns when the answer is written, and the connection may be used again, or is given up.

    Raises:
        BadRequest: the client made a mistake in the body; it was answered.

    """
    refused = _refusal(hosted, talk)
    if refused is not None:
        await talk.respond(refused)
        return
    exchange = Exchange(hosted, connection, talk.lend(), request, body=talk.has_body)
    me = self_pid()
    pid = me.runtime.start(me, run_request, (hosted, exchange), False, "Request")  # noqa: FBT003
    pid.label = f"{request.method} {request.path}"
    hosted.requests.add(pid)
    own(pid, exchange.ended)
    try:
        while not exchange.over:
            if await me.receive_matching(lambda message: message is exchange or message is DRAIN) is DRAIN:
                exchange.drain()
        while exchange.reading is not None:
            await trio.lowlevel.checkpoint()
        if exchange.complete and not await hosted.flusher.drained(connection, 0, SEND_TIMEOUT):
            talk.give_up()
    finally:
        if not exchange.complete:
            talk.give_up()
            exchange.client_left()
        exchange.break_off()
        me.flush(lambda message: message is exchange)
    if exchange.bad is not None:
        raise exchange.bad


def _refusal(hosted: HostedApplication, talk: HTTPConnection) -> Response | None:
    """Return the answer to a request that the application does not get; None if it gets it."""
    if (talk.body_size or 0) > hosted.max_body_bytes:
        return Response.text(
            f"the body has more than {hosted.max_body_bytes} bytes\n", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        )
    if not hosted.ready:
        return STARTING
    limit = hosted.application.max_requests
    if len(hosted.requests) >= limit:
        if events.busy.handlers:
            events.busy.emit(path=hosted.application.path, limit=limit)
        return BUSY
    return None
