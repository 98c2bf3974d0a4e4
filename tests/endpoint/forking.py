"""A program whose handlers fork, wherever they are asked to: `python forking.py [tls]`."""

from __future__ import annotations

import logging
import os
import ssl
import sys
from pathlib import Path
from typing import Any

import trio

import phxactor
from phxactor import (
    Channel,
    Endpoint,
    Error,
    GenServer,
    LongPollOptions,
    Ok,
    RawSocket,
    Response,
    Socket,
    WebSocketOptions,
    call,
    channel,
    get,
    mount,
    on,
)
from phxactor.otp import Reply

HANDLED = Path(os.environ["HANDLED"])
"""Where each message that is handled is written down, by parent and child alike."""


async def fork(how: str) -> int:
    """Fork, be the child that ends in this way, or the parent that waits for it and returns its status."""
    pid = os.fork()
    if pid:
        return wait_for(pid)
    match how:
        case "exits":
            sys.exit(3)
        case "exits well":
            sys.exit()
        case "says why":
            sys.exit("why")
        case "raises":
            raise ValueError("in the child")
        case "waits":
            await trio.sleep(0.1)
        case "exits in a nursery":
            async with trio.open_nursery():
                sys.exit(3)
        case "exits in a scope":
            with trio.CancelScope():  # noqa: ASYNC100 - it is left open
                sys.exit(3)
        case "ends at once":
            os._exit(4)
        case "ends its process":
            raise phxactor.Exit("normal")
        case _:
            pass  # it returns
    return -1


def wait_for(pid: int) -> int:
    """Wait for a child, and hold everybody up."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def note(payload: object) -> None:
    """Write down what is handled."""
    with HANDLED.open("a") as file:
        file.write(f"{payload}\n")


class Room(Channel):
    """Forks, and broadcasts from the child as well."""

    async def join(self, topic: str, payload: Any) -> Ok[Any]:  # noqa: ANN401
        return Ok({"status": await fork(payload["how"])}) if "how" in payload else Ok()

    @on("fork")
    async def fork(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        status = await fork(payload["how"])
        self.broadcast("forked", {"x": "x" * payload.get("size", 1)})
        return Ok({"status": status})

    @on("echo")
    async def echo(self, payload: Any) -> Ok[Any]:  # noqa: ANN401
        note(payload)
        return Ok(payload)


class Forks(GenServer):
    """Forks in a process that has nothing to do with a client."""

    async def handle_call(self, request: Any, from_: Any) -> Reply:  # noqa: ANN401
        return Reply(await fork(request))


class UserSocket(Socket):
    """Forks, if asked to."""

    channels = (channel("room", Room),)

    async def connect(self, params: Any) -> Error | None:  # noqa: ANN401
        return Error(await fork(params["how"])) if "how" in params else None


class Raw(RawSocket):
    """Answers with the status."""

    async def handle_in(self, data: str | bytes) -> str:
        return str(await fork(str(data)))


async def page(request: Any) -> Response:  # noqa: ANN401
    return Response.text(str(await fork(request.params["how"])))


async def slow(request: Any) -> Response:  # noqa: ANN401
    await trio.sleep(0.01)
    return await page(request)


async def server(request: Any) -> Response:  # noqa: ANN401
    return Response.text(str(await call("forks", request.params["how"])))


def refused(_: object, status: object) -> Response:
    return Response.text(str(status), status=403)


def main() -> None:
    """Serve."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(levelname)s %(message)s")
    context = None
    if len(sys.argv) > 1:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[1])
    websocket = WebSocketOptions(check_origin=False, error_handler=refused, max_output_bytes=100_000)
    endpoint = Endpoint(
        sockets=[
            mount("/socket", UserSocket, websocket=websocket, longpoll=LongPollOptions(check_origin=False)),
            mount("/raw", Raw, websocket=websocket),
        ],
        routes=[get("/page", page), get("/slow", slow), get("/server", server)],
        tls=context,
    )
    phxactor.run(endpoint, port=0, children=[Forks.child_spec(name="forks")])
    sys.stdout.write("stopped\n")


if __name__ == "__main__":
    main()
