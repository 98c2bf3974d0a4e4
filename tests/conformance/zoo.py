"""The conformance app: every behaviour that the recorded transcripts of Phoenix play against, and the benchmarks drive.

    python -m tests.conformance.zoo --port 4100
    python -m tests.conformance.zoo --port 4100 --workers 4
    python -m tests.conformance.zoo --port 4100 --redis redis://127.0.0.1     as often as wanted: all share the port

Its first line of output says where it listens, once all workers do.
"""

from __future__ import annotations

import argparse
import gc
import logging
import math
import os
import resource
import socket
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Final, cast

import attrs
import orjson
import trio

import phxactor
import phxactor.token
from phxactor import (
    Application,
    Channel,
    Endpoint,
    Error,
    Exit,
    LongPollOptions,
    Ok,
    RawSocket,
    Request,
    Response,
    Shutdown,
    Socket,
    Status,
    Stop,
    WebSocketOptions,
    channel,
    get,
    intercept,
    mount,
    on,
    post,
    reply,
    self_pid,
    spawn,
    trap_exit,
)
from phxactor.channels import HandleResult, JoinResult, Payload
from phxactor.cluster import Cluster
from phxactor.cluster.carriers.redis import Redis
from phxactor.cluster.carriers.workers import this_worker
from phxactor.net.events import listening
from phxactor.otp import Child, Supervisor
from phxactor.runtime import Crash, Reason
from phxactor.telemetry import Event
from tests.conformance.custom import CustomChannel
from tests.conformance.presence import CHANNELS, PRESENCES, ROUTES
from tests.conformance.tallies import TALLIES, TallyChannel

SECRET_KEY_BASE = "phxactor-reference-secret-key-base-0123456789-0123456789-01234567"


class BenchChannel(Channel):
    """What benchmarks measure."""

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("shout")
    async def shout(self, payload: Payload) -> None:
        self.broadcast("shout", payload)

    @on("noreply")
    async def noreply(self, payload: Payload) -> None:
        pass

    @on("where")
    async def where(self, payload: Payload) -> Ok[Payload]:
        return Ok({"os_pid": os.getpid()})


def plain(reason: Reason) -> Payload:
    """Write an exit reason as data."""
    match reason:
        case Shutdown(detail=detail):
            return ["shutdown", plain(detail)]
        case Crash(exception=exception):
            return type(exception).__name__
        case _:
            return reason


async def _answer_later(socket_ref: phxactor.SocketRef, payload: object) -> None:
    await trio.sleep(0.05)
    reply(socket_ref, Ok(payload))


class RoomChannel(Channel):
    """One event for each thing that a channel can do."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        self.count = 0
        self.value: object = None
        match topic.removeprefix("room:"):
            case "lobby":
                return Ok({"hello": "lobby"})
            case "error":
                return Error({"reason": "unauthorized"})
            case "raise":
                raise RuntimeError("raised in join")
            case "slow":
                await trio.sleep(0.3)
            case "afterjoin":
                self_pid().send("after_join")
            case "join_echo":
                return Ok(payload)
            case "join_binary":
                return Ok(bytes((4, 5, 6)))
            case "join_bad_return":
                return cast("JoinResult", "no join result")
            case "join_exit":
                raise Exit("normal")
            case name if name.startswith("terminate:trap"):
                trap_exit()
        return Ok()

    async def handle_info(self, message: object) -> None:
        if message == "after_join":
            self.push("after_join", {"n": 1})

    async def terminate(self, reason: Reason) -> None:
        if self.topic.startswith("room:terminate:"):
            terminated = {"topic": self.topic, "reason": plain(reason)}
            self.socket.endpoint.broadcast("audit:log", "terminated", terminated)

    # ------------------------------------------------------------------------------------------- replies

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("reply_error")
    async def reply_error(self, payload: Payload) -> Error:
        return Error(payload)

    @on("reply_bare")
    async def reply_bare(self, payload: Payload) -> Ok[None]:
        return Ok()

    @on("reply_bare_error")
    async def reply_bare_error(self, payload: Payload) -> Error:
        return Error()

    @on("reply_odd_status")
    async def reply_odd_status(self, payload: Payload) -> Status:
        return Status("maybe", payload)

    @on("noreply")
    async def noreply(self, payload: Payload) -> None:
        pass

    @on("push")
    async def pushed(self, payload: Payload) -> None:
        self.push("pushed", payload)

    @on("push_then_reply")
    async def push_then_reply(self, payload: Payload) -> Ok[Payload]:
        self.push("pushed", payload)
        return Ok(payload)

    @on("async_reply")
    async def async_reply(self, payload: Payload) -> None:
        spawn(_answer_later, self.socket_ref(), payload)

    @on("bad_return")
    async def bad_return(self, payload: Payload) -> HandleResult:
        return cast("HandleResult", "no result")

    # ---------------------------------------------------------------------------------------- broadcasts

    @on("broadcast")
    async def to_all(self, payload: Payload) -> None:
        self.broadcast("broadcast", payload)

    @on("broadcast_then_reply")
    async def broadcast_then_reply(self, payload: Payload) -> Ok[Payload]:
        self.broadcast("broadcast", payload)
        return Ok(payload)

    @on("broadcast_from")
    async def to_others(self, payload: Payload) -> None:
        self.broadcast_from("broadcast_from", payload)

    @on("intercepted")
    async def intercepted(self, payload: Payload) -> None:
        self.broadcast("intercepted", payload)

    @on("swallowed")
    async def swallowed(self, payload: Payload) -> None:
        self.broadcast("swallowed", payload)

    @intercept("intercepted")
    async def push_intercepted(self, payload: Payload) -> None:
        self.push("intercepted", payload | {"via": "handle_out"})

    @intercept("swallowed")
    async def swallow(self, payload: Payload) -> None:
        pass

    # ---------------------------------------------------------------------------------------------- ends

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("crashed on demand")

    @on("throw")
    async def throw(self, payload: Payload) -> None:
        raise ValueError("thrown on demand")

    @on("exit_normal")
    async def exit_normal(self, payload: Payload) -> None:
        raise Exit("normal")

    @on("exit_shutdown")
    async def exit_shutdown(self, payload: Payload) -> None:
        raise Exit("shutdown")

    @on("exit_error")
    async def exit_error(self, payload: Payload) -> None:
        raise Exit("boom")

    @on("kill_self")
    async def kill_self(self, payload: Payload) -> None:
        self_pid().exit("kill")

    @on("stop_normal")
    async def stop_normal(self, payload: Payload) -> Stop:
        return Stop("normal")

    @on("stop_shutdown")
    async def stop_shutdown(self, payload: Payload) -> Stop:
        return Stop("shutdown")

    @on("stop_shutdown_reason")
    async def stop_shutdown_reason(self, payload: Payload) -> Stop:
        return Stop(Shutdown("kicked"))

    @on("stop_error")
    async def stop_error(self, payload: Payload) -> Stop:
        return Stop("boom")

    @on("stop_reply")
    async def stop_reply(self, payload: Payload) -> Stop:
        return Stop("normal", reply=Ok({"bye": True}))

    @on("stop_shutdown_reply")
    async def stop_shutdown_reply(self, payload: Payload) -> Stop:
        return Stop("shutdown", reply=Ok({"bye": True}))

    @on("stop_error_reply")
    async def stop_error_reply(self, payload: Payload) -> Stop:
        return Stop("boom", reply=Error({"bye": False}))

    # -------------------------------------------------------------------------------------------- binary

    @on("binary_push")
    async def binary_push(self, payload: Payload) -> None:
        self.push("bin", bytes((0, 1, 2, 255)))

    @on("binary_reply")
    async def binary_reply(self, payload: Payload) -> Ok[bytes]:
        return Ok(bytes((1, 2, 3)))

    @on("binary_error_reply")
    async def binary_error_reply(self, payload: Payload) -> Error:
        return Error(bytes((3, 2, 1)))

    @on("binary_echo")
    async def binary_echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("binary_broadcast")
    async def binary_broadcast(self, payload: Payload) -> None:
        self.broadcast("binb", bytes((9, 8, 7)))

    # --------------------------------------------------------------------------------------------- state

    @on("assign")
    async def assign_value(self, payload: Payload) -> Ok[Payload]:
        self.assign(value=payload["value"])
        return Ok({"value": self.assigns.value})

    @on("get")
    async def get_value(self, payload: Payload) -> Ok[Payload]:
        return Ok({"value": self.assigns.get("value")})

    @on("count")
    async def count_up(self, payload: Payload) -> Ok[Payload]:
        self.count += 1
        return Ok({"count": self.count})

    @on("sleep")
    async def sleep(self, payload: Payload) -> Ok[Payload]:
        await trio.sleep(payload.get("ms", 100) / 1000)
        return Ok(payload)

    @on("hibernate")
    async def hibernate(self, payload: Payload) -> phxactor.NoReply:
        self.push("hibernated", payload)
        return phxactor.NoReply(phxactor.HIBERNATE)

    @on("info")
    async def info(self, payload: Payload) -> Ok[Payload]:
        socket = self.socket
        return Ok(
            {
                "topic": socket.topic,
                "join_ref": socket.join_ref,
                "ref": socket.ref,
                "user_id": self.assigns.user_id,
                "joined": socket.joined,
                "id": socket.id,
                "transport": socket.transport,
            }
        )

    @on("connect_info")
    async def connect_info(self, payload: Payload) -> Ok[Payload]:
        return Ok({"params": self.assigns.get("params"), "connect_info": self.assigns.get("connect_info")})


class JoinOnly(Channel):
    """Lets everybody in, and has no events."""


class AssignedChannel(Channel):
    """Shows what the route assigned."""

    async def join(self, topic: str, payload: Payload) -> Ok[Payload]:
        return Ok({"from_socket": self.assigns.get("from_socket")})


class UserSocket(Socket):
    """The socket of nearly all scenarios."""

    channels = (
        channel("bench:*", BenchChannel),
        channel("room:*", RoomChannel),
        channel("audit:*", JoinOnly),
        channel("exact", JoinOnly),
        channel("assigned:*", AssignedChannel, assigns={"from_socket": "yes"}),
        channel("custom:*", CustomChannel),
        channel("tally:*", TallyChannel),
        *(channel(pattern, handler) for pattern, handler in CHANNELS.items()),
    )

    async def connect(self, params: Payload, connect_info: Payload) -> Error | None:
        if params.get("reject") == "true":
            return Error()
        if params.get("reject") == "reason":
            return Error("unauthorized")
        self.assign(user_id=params.get("user_id"))
        if params.get("keep_info") == "true":
            self.assign(params=params, connect_info=connect_info)
        return None

    def identify(self) -> str | None:
        user_id = self.assigns.user_id
        return None if user_id is None else f"users_socket:{user_id}"


class EchoSocket(RawSocket):
    """Every message comes back as it came."""

    async def handle_in(self, data: str | bytes) -> str | bytes:
        return data


def refused(request: Request, reason: object) -> Response:
    """Answer a refused connect of the strict socket."""
    return Response.text(f"refused: {reason}", status=HTTPStatus.UNAUTHORIZED)


CONNECT_INFO: Final = ("peer_data", "uri", "user_agent", "x_headers")
OPEN = WebSocketOptions(check_origin=False, connect_info=CONNECT_INFO)
OPEN_POLL = LongPollOptions(check_origin=False, connect_info=CONNECT_INFO)
STRICT_POLL = LongPollOptions(check_origin=["//example.com", "//*.example.org"], window=1.0, auth_token=True)
ECHO = WebSocketOptions(
    check_origin=False,
    compress=True,
    max_frame_size=32 * 1024 * 1024,
    max_output_bytes=64 * 1024 * 1024,
    timeout=math.inf,
)
STRICT = WebSocketOptions(
    check_origin=["//example.com", "//*.example.org"],
    timeout=2.0,
    max_frame_size=65536,
    subprotocols=["ref.v1"],
    auth_token=True,
    error_handler=refused,
)


async def disconnect(request: Request) -> Response:
    """End all connections of an id."""
    endpoint.broadcast(str(request.params.get("id")), "disconnect", {})
    return Response.text("ok")


async def broadcast(request: Request) -> Response:
    """Broadcast a JSON body from outside of the channels."""
    topic, event = str(request.params.get("topic")), str(request.params.get("event"))
    endpoint.broadcast(topic, event, orjson.loads(request.body))
    return Response.text("ok")


async def stats(request: Request) -> Response:
    """Weigh this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])  # noqa: ASYNC240 - the kernel's: at once there
    return Response.json(
        {
            "process_count": self_pid().runtime.statistics().processes,
            "os_pid": os.getpid(),
            "rss_bytes": pages * resource.getpagesize(),
        }
    )


async def token(request: Request) -> Response:
    """Sign, verify, encrypt or decrypt, with what the query says."""
    params = request.params
    operation = getattr(phxactor.token, request.path_params["operation"], None)
    if operation is None or "salt" not in params:
        return Response.text("not found\n", status=HTTPStatus.NOT_FOUND)
    options = {name: int(str(params[name])) for name in ("max_age", "signed_at") if name in params}
    if "data" in params:
        data = orjson.loads(str(params["data"])) if params.get("json") == "1" else params["data"]
        return Response.text(operation(SECRET_KEY_BASE, str(params["salt"]), data, **options))
    verified = operation(SECRET_KEY_BASE, str(params["salt"]), params.get("token"), **options)
    if isinstance(verified, Ok):
        return Response.json({"ok": verified.value})
    return Response.json({"error": verified.reason})


async def nothing(request: Request) -> Response:
    """Answer what the reference app has no route for: it knows no 405."""
    return Response.text("not found\n", status=HTTPStatus.NOT_FOUND)


endpoint = Endpoint(
    secret_key_base=SECRET_KEY_BASE,
    sockets=[
        mount("/socket", UserSocket, websocket=OPEN, longpoll=OPEN_POLL),
        mount("/strict", UserSocket, websocket=STRICT, longpoll=STRICT_POLL),
        mount("/few", UserSocket, websocket=attrs.evolve(OPEN, compress=True, max_channels=3)),
        mount("/many", UserSocket, websocket=attrs.evolve(OPEN, max_channels=1_000_000), longpoll=OPEN_POLL),
        mount("/echo", EchoSocket, websocket=ECHO),
    ],
    routes=[
        post("/admin/disconnect", disconnect),
        post("/admin/broadcast", broadcast),
        get("/admin/stats", stats),
        get("/admin/disconnect", nothing),
        get("/admin/broadcast", nothing),
        post("/admin/stats", nothing),
        get("/token/{operation}", token),
        *ROUTES,
    ],
)
CHILDREN: tuple[Child, ...] = (*PRESENCES, TALLIES)
application = Application(children=CHILDREN, endpoints=[endpoint])


def print_address(_: Event, fields: Mapping[str, object]) -> None:
    """Tell whoever has started this program where it listens."""
    print(fields["url"], flush=True)  # noqa: T201 - for people and for the tests alike


async def serve_node(url: str, sock: socket.socket) -> None:
    """Serve as one of several nodes that hear of one another by Redis."""
    cluster = Cluster(Redis(url, prefix="zoo"), secret=SECRET_KEY_BASE)
    children = [cluster, *CHILDREN, endpoint.child_spec(listen=[sock])]
    (await Supervisor.start_link(children, strategy="rest_for_one")).unwrap()
    await phxactor.receive()


def shared_socket(host: str, port: int) -> socket.socket:
    """Open a socket that listens beside those of other processes on the same port."""
    return socket.create_server((host, port), backlog=4096, reuse_port=True)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="serve the conformance app")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=4100, help="0 takes any that is free")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--workers", type=int, help="serve by so many worker processes")
    which.add_argument("--redis", metavar="URL", help="be a node of all that have the same Redis")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    if this_worker() is None:
        listening.attach(print_address)
    host, port = arguments.host, arguments.port
    if arguments.redis is None:
        phxactor.run(application, host=host, port=port, workers=arguments.workers)
    else:
        phxactor.run(serve_node, arguments.redis, shared_socket(host, port))


if __name__ == "__main__":
    main()
