"""What the listener does with each error of `accept`, by its meaning (Linux, accept(2))."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import suppress

import pytest
import trio

from phxactor import Endpoint, get
from phxactor.http import Request, Response
from phxactor.net import Repeated, _listener, events
from phxactor.net._listener import EXHAUSTED, LOST
from phxactor.otp import supervisor_events
from tests.runtime.actors import emitted
from tests.sockets.serving import Server, eventually, serving

pytestmark = pytest.mark.socket

HELLO = b"GET /hello HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n"


class Accepting:
    """Stands for `accept`: raises what it is given, one each time, then accepts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.errors: list[BaseException] = []
        accept = socket.socket.accept

        def fail_first(sock: socket.socket) -> object:
            if self.errors:
                raise self.errors.pop(0)
            return accept(sock)

        monkeypatch.setattr(socket.socket, "accept", fail_first)


async def hello(request: Request) -> Response:
    return Response.text("hello")


async def greet(server: Server) -> None:
    assert (await server.request(HELLO))[0] == 200


def failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", sorted(LOST), ids=errno.errorcode.get)
async def test_a_connection_that_is_lost_before_it_is_accepted_is_nobodys_matter(
    number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accepting = Accepting(monkeypatch)
    async with serving(Endpoint(routes=[get("/hello", hello)])) as server:
        await greet(server)
        accepting.errors = [failure(number) for _ in range(3)]
        with emitted(events.accept_failed) as told, emitted(events.listening) as again:
            await greet(server)
        assert not accepting.errors
        assert told == again == []


@pytest.mark.parametrize("number", sorted(EXHAUSTED), ids=errno.errorcode.get)
async def test_it_waits_while_the_system_has_no_room(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    accepting = Accepting(monkeypatch)
    async with serving(Endpoint(routes=[get("/hello", hello)])) as server:
        await greet(server)
        accepting.errors = [failure(number), failure(number)]
        with emitted(events.accept_failed) as told, emitted(events.listening) as again:
            began = trio.current_time()
            await greet(server)
        assert trio.current_time() - began >= 0.2
        assert [fields["why"] for fields in told] == [str(failure(number))] * 2
        assert again == []


async def test_it_is_told_once_and_what_follows_once_a_minute_with_a_count(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_listener, "PAUSE", 0.001)
    accepting = Accepting(monkeypatch)
    async with serving(Endpoint(routes=[get("/hello", hello)])) as server:
        accepting.errors = [failure(errno.EMFILE)] * 50
        await greet(server)
        told = ["cannot accept a connection: [Errno 24] Too many open files"]
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == told
        monkeypatch.setattr(_listener, "now", lambda: trio.current_time() + 61)
        await greet(server)
        told.append("could not accept connections, 49 times since this was told: [Errno 24] Too many open files")
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == told


def test_a_fault_that_repeats() -> None:
    repeated = Repeated()
    told = {tenth: times for tenth in range(1300) if (times := repeated.note(tenth / 10))}
    assert told == {0: 1, 600: 600, 1200: 600}
    assert (repeated.untold, repeated.due(179.9)) == (99, 0)
    assert repeated.due(180.0) == 99
    assert repeated.due(1000.0) == 0
    assert repeated.note(1000.0) == 1


@pytest.mark.parametrize("number", [errno.EBADF, errno.EINVAL, errno.ENOTSOCK, errno.EFAULT], ids=errno.errorcode.get)
async def test_a_socket_that_is_none_any_more_is_opened_again(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    accepting = Accepting(monkeypatch)
    async with serving(Endpoint(routes=[get("/hello", hello)])) as server:
        await greet(server)
        accepting.errors = [failure(number)]
        with emitted(supervisor_events.child_terminated) as ended, emitted(events.listening) as again:
            with suppress(OSError):  # it may be reset as soon as it is there
                await (await trio.open_tcp_stream("127.0.0.1", server.port)).aclose()
            await eventually(lambda: again)
        await greet(server)
        assert str(failure(number)) in str(ended[0]["reason"])
