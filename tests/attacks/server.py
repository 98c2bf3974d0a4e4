"""A program to be attacked: every way in which a client can fall behind, or ask for more than it may.

    python -m tests.attacks.server [--per-address N] [--most N] [--hurry SECONDS] [--no-collector] [certificate]

Its first line of output is the port that it listens on.
"""

from __future__ import annotations

import argparse
import gc
import logging
import ssl
from time import process_time
from typing import Any

import attrs
import trio

import phxactor
from phxactor import (
    Channel,
    Endpoint,
    LongPollOptions,
    Ok,
    RawSocket,
    Request,
    Response,
    Socket,
    WebSocketOptions,
    channel,
    get,
    mount,
    on,
    post,
)
from phxactor.endpoint import _connection_process
from phxactor.http import _http_connection
from phxactor.net import _tls
from phxactor.net.events import listening

BOUND = 1024 * 1024
"""Bytes that may wait for one client."""
DENSE_SIZE = 64 * 1024
"""Bytes of a message where they may take 40 times as many, once they are decoded."""
PIECE = 64_000
"""Bytes of one broadcast."""
TIMEOUT = 3.0
"""Seconds that a client may be silent where it must not be for long."""
MOST = 300
"""Connections that there may be."""


class Written(trio.abc.Instrument):
    """When an answer was written: the end of the pass of the scheduler in which it was made."""

    def __init__(self) -> None:
        self._waits = False
        self._at: float | None = None

    def ask(self) -> float:
        """Note when this pass ends; say when the last one did that was asked for."""
        if self._at is None:
            trio.lowlevel.add_instrument(self)  # behind the flusher, which does the same
        at, self._at = self._at or 0.0, process_time()
        self._waits = True
        return at

    def before_io_wait(self, timeout: float, /) -> None:
        """Note it."""
        if self._waits:
            self._at, self._waits = process_time(), False


WRITTEN = Written()


class Room(Channel):
    """Echoes, or takes for ever."""

    async def join(self, topic: str, payload: Any) -> None:  # noqa: ANN401
        if topic.startswith("room:pending"):
            await trio.sleep_forever()

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok(payload)

    @on("clock")
    async def clock(self, payload: Any) -> Ok[float]:  # noqa: ANN401
        """Say when the last answer to this was written, in seconds of this program's work."""
        return Ok(WRITTEN.ask())

    @on("quiet")
    async def quiet(self, payload: Any) -> None:  # noqa: ANN401
        await trio.sleep(0.001)

    @on("crash")
    async def crash(self, payload: Any) -> None:  # noqa: ANN401
        raise ValueError("crash")

    @on("nap")
    async def nap(self, payload: Any) -> None:  # noqa: ANN401
        await trio.sleep(0.2)

    @on("stuck")
    async def stuck(self, payload: Any) -> None:  # noqa: ANN401
        await trio.sleep_forever()


class UserSocket(Socket, log=False):
    """Any room."""

    channels = (channel("room:*", Room),)


class HangingSocket(Socket, log=False):
    """Lets nobody in, and sends nobody away."""

    async def connect(self, params: Any, connect_info: Any) -> None:  # noqa: ANN401
        await trio.sleep_forever()


class Stuck(RawSocket):
    """Takes for ever."""

    async def handle_in(self, data: str | bytes) -> None:
        await trio.sleep_forever()


async def hang(request: Request) -> Response:
    """Never answer."""
    await trio.sleep_forever()


async def processes(request: Request) -> Response:
    """Say how many processes there are, beside that of this connection."""
    return Response.text(str(phxactor.self_pid().runtime.statistics().processes - 1))


async def upload(request: Request) -> Response:
    """Say how much has come."""
    return Response.text(str(len(request.body)))


CLOSE = WebSocketOptions(check_origin=False, max_output_bytes=BOUND, max_input_bytes=BOUND)
DENSE = attrs.evolve(CLOSE, max_frame_size=DENSE_SIZE)
DROP = attrs.evolve(CLOSE, slow_consumer="drop")
RAW = WebSocketOptions(check_origin=False, max_output_bytes=BOUND)
LIMITED = attrs.evolve(CLOSE, max_messages_per_second=10)
HURRIED = attrs.evolve(CLOSE, max_joins_per_second=10)
PUNCTUAL = attrs.evolve(CLOSE, timeout=TIMEOUT, max_messages_per_second=5)
LARGE = attrs.evolve(CLOSE, max_frame_size=32 * BOUND, compress=True)
POLL = LongPollOptions(check_origin=False, max_output_bytes=BOUND, max_input_bytes=BOUND)
DROPPING_POLL = attrs.evolve(POLL, slow_consumer="drop")

SOCKETS = [
    mount("/close", UserSocket, websocket=CLOSE, longpoll=POLL),
    mount("/dense", UserSocket, websocket=DENSE),
    mount("/dense-compressed", UserSocket, websocket=attrs.evolve(DENSE, compress=True)),
    mount("/compressed", UserSocket, websocket=attrs.evolve(CLOSE, compress=True)),
    mount("/large", UserSocket, websocket=LARGE),
    mount("/drop", UserSocket, websocket=DROP, longpoll=DROPPING_POLL),
    mount("/limited", UserSocket, websocket=LIMITED),
    mount("/hurried", UserSocket, websocket=HURRIED),
    mount("/punctual", UserSocket, websocket=PUNCTUAL),
    mount("/hanging", HangingSocket, websocket=CLOSE, longpoll=POLL),
    mount("/raw", Stuck, websocket=RAW),
    mount("/raw-compressed", Stuck, websocket=attrs.evolve(RAW, compress=True)),
]


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("certificate", nargs="?", help="a file with a key and its certificate")
    parser.add_argument("--per-address", type=int, help="connections that there may be from one address")
    parser.add_argument("--most", type=int, default=MOST, help="connections that there may be")
    parser.add_argument("--hurry", type=float, help="seconds that a client has for a head, or a TLS handshake")
    parser.add_argument("--no-collector", action="store_true", help="free nothing that lies in a cycle")
    arguments = parser.parse_args()
    if arguments.no_collector:
        gc.disable()
    if arguments.hurry is not None:
        for module in (_http_connection, _connection_process):
            vars(module)["HEAD_TIMEOUT"] = arguments.hurry
        vars(_tls)["HANDSHAKE_TIMEOUT"] = arguments.hurry
    tls = None
    if arguments.certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(arguments.certificate)

    async def broadcast(request: Request) -> Response:
        """Broadcast so many megabytes to a topic, and say how many broadcasts that were."""
        count = int(str(request.params["megabytes"])) * 1_000_000 // PIECE
        for number in range(count):
            endpoint.broadcast("room:1", "news", [number, "x" * PIECE])
            await trio.lowlevel.checkpoint()
        return Response.text(str(count))

    endpoint = Endpoint(
        sockets=SOCKETS,
        routes=[
            get("/broadcast", broadcast),
            get("/hang", hang),
            get("/processes", processes),
            post("/upload", upload),
        ],
        port=0,
        tls=tls,
        max_connections=arguments.most,
        max_connections_per_address=arguments.per_address,
    )
    logging.basicConfig(level=logging.ERROR)
    listening.attach(lambda _, fields: print(str(fields["url"]).rpartition(":")[2], flush=True))  # noqa: T201 - for the tests
    phxactor.run(endpoint)


if __name__ == "__main__":
    main()
