"""The requests to a long-poll session: polls and publish requests, and the delivery of a poll's messages."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from phxactor.endpoint._longpoll_answers import answer_of
from phxactor.endpoint._sessions import Publication, SessionAccess
from phxactor.http import KEEP_ALIVE, SEND_TIMEOUT, Answering, HTTPConnection, Request, Response
from phxactor.net import BaseConnection
from phxactor.runtime import self_pid
from phxactor.transport import Delivery, Poll

if TYPE_CHECKING:
    from phxactor.endpoint._serving import Serving

_BY_PROXIES: Final = ("x-forwarded-for", "forwarded", "via")
"""Headers that a proxy adds, whether it is trusted or not."""
_NDJSON: Final = "application/x-ndjson"


def polling(
    session: SessionAccess, token: str | None, most: int, reopen: Callable[[], Coroutine[Any, Any, Response]]
) -> Answering:
    """Return how to answer a poll; the answer repeats the token.

    `reopen` opens a new session: if another node says that it has none of this name, as if the token had been invalid.
    """
    poll = session.new_poll()
    return Answering(
        answer=lambda _: _poll(session, poll, token, reopen),
        seconds=math.inf,
        max_body_bytes=most,
        end=lambda: session.settle(poll),
    )


async def _poll(
    session: SessionAccess, poll: Poll, token: str | None, reopen: Callable[[], Coroutine[Any, Any, Response]]
) -> Response:
    messages = await session.poll(poll)
    if messages is HTTPStatus.NOT_FOUND:
        return await reopen()
    if isinstance(messages, HTTPStatus):
        return answer_of(messages)
    if not messages:
        return answer_of(HTTPStatus.NO_CONTENT, token=token, messages=[])
    texts = [message.decode(errors="replace") for message in messages]
    found = answer_of(HTTPStatus.OK, token=token, messages=texts)
    return Delivery(found.status, found.body, found.headers, poll=poll)


def publishing(session: SessionAccess, request: Request, most: int) -> Answering | Response:
    """Return how to answer a publish request; 429, before its body is read, if the session has no room for it."""
    size = (
        most
        if request.header("transfer-encoding") is not None
        else max(int(request.header("content-length") or 0), len(request.body))
    )
    kind = (request.header("content-type") or "").split(";")[0].strip().lower()
    publication = session.publication(min(size, most), lines=kind == _NDJSON)
    if publication is None:
        return answer_of(HTTPStatus.TOO_MANY_REQUESTS)
    return Answering(
        admit=None if publication.admit is None else lambda: _admit(publication),
        answer=lambda request: _publish(publication, request),
        seconds=math.inf,
        max_body_bytes=most,
        end=publication.end,
    )


async def _admit(publication: Publication) -> Response | None:
    assert publication.admit is not None  # noqa: S101 - see `publishing`
    refused = await publication.admit()
    return None if refused is None else answer_of(refused)


async def _publish(publication: Publication, request: Request) -> Response:
    return answer_of(await publication.publish(request.body))


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
                    if await connection.acknowledged():
                        poll.acknowledge()
            if direct and poll.arrived and talk.is_idle and not serving.draining:
                with move_on_after(KEEP_ALIVE):
                    poll.arrived = await serving.while_idle(connection.read())
    finally:
        if not poll.arrived:
            talk.give_up()
            connection.abort()
