"""Clients that poll an endpoint in the process of the test: without connections, so all of it is in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import orjson
import trio

from phxactor import (
    SHUTDOWN,
    Channel,
    Endpoint,
    Error,
    Exited,
    LongPollOptions,
    Ok,
    Pid,
    Request,
    Response,
    Socket,
    channel,
    mount,
    on,
    open_runtime,
    receive,
    spawn,
    trap_exit,
)
from phxactor.channels import Payload
from phxactor.endpoint import DrainOptions
from phxactor.http import PeerData
from phxactor.runtime import Runtime

PEER: Final = PeerData("192.0.2.7", 50000)
NDJSON: Final = "application/x-ndjson"
PATIENCE: Final = 1000.0
"""Seconds after which no answer will come any more; they cost nothing."""
OPENED: Final = {"status": 410, "token": "<token>", "messages": []}
TAKEN: Final = {"status": 200}
GONE: Final = {"status": 410}
MALFORMED: Final = {"status": 400}


class Room(Channel):
    """Answers, echoes, crashes, sleeps."""

    async def join(self, topic: str, payload: Payload) -> Error | None:
        if topic == "room:slow":
            await trio.sleep(2)
        return Error({"reason": "no"}) if topic == "room:refuse" else None

    @on("echo")
    async def echo(self, payload: Payload) -> Ok[Payload]:
        return Ok(payload)

    @on("sleep")
    async def sleep(self, seconds: float) -> Ok[float]:
        await trio.sleep(seconds)
        return Ok(seconds)

    @on("shout")
    async def shout(self, payload: Payload) -> None:
        self.broadcast("shout", payload)

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("crashed")

    @on("transport")
    async def transport(self, payload: Payload) -> Ok[str]:
        return Ok(self.socket.transport)


class UserSocket(Socket, log=False):
    """Lets in whoever does not ask to be refused."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> Error | None:
        if params.get("reject"):
            return Error("rejected")
        self.assign(params=params, info=connect_info)
        return None

    def identify(self) -> str | None:
        user: str | None = self.assigns.params.get("user")
        return user and f"user:{user}"


@attrs.define
class Client:
    """One client; it keeps the token that it was told."""

    endpoint: Endpoint
    params: Mapping[str, str] = attrs.field(factory=dict)
    headers: Mapping[str, str] = attrs.field(factory=dict)
    token: str | None = None
    path: str = "/socket/longpoll"

    async def request(
        self, method: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None, query: str | None = None
    ) -> Response:
        """Send a request, in a process of its own, as each connection is one."""
        params = {"vsn": "2.0.0", **self.params} | ({} if self.token is None else {"token": self.token})
        pairs = tuple((name.encode(), value.encode()) for name, value in {**self.headers, **(headers or {})}.items())
        target = f"{self.path}?{urlencode(params) if query is None else query}"
        answers: list[Response] = []
        done = trio.Event()

        async def ask() -> None:
            answers.append(await self.endpoint.answer(Request(method, target, pairs, body, peer=PEER)))
            done.set()

        spawn(ask)
        with trio.fail_after(PATIENCE):
            await done.wait()
        return answers[0]

    async def open(self) -> None:
        """Open a session."""
        assert await self.poll() == OPENED
        assert self.token is not None

    async def poll(self, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Poll; return the body with its messages decoded, and keep its token."""
        said = body_of(await self.request("GET", headers=headers))
        if "messages" in said:
            said["messages"] = [orjson.loads(one) if one.startswith(("[", "{")) else one for one in said["messages"]]
        if "token" in said:
            self.token = said["token"]
            said["token"] = "<token>"
        return said

    async def messages(self) -> list[Any]:
        """Poll for messages, and have some."""
        said = await self.poll()
        assert said["status"] == 200, said
        return list(said["messages"])

    async def publish(self, message: object, content_type: str = "application/json") -> dict[str, Any]:
        """Publish JSON, or a body as it is."""
        body = message if isinstance(message, bytes) else orjson.dumps(message)
        return body_of(await self.request("POST", body, headers={"content-type": content_type}))

    async def publish_lines(self, *messages: object) -> dict[str, Any]:
        """Publish some at once."""
        lines = [message if isinstance(message, bytes) else orjson.dumps(message) for message in messages]
        return await self.publish(b"\n".join(lines), NDJSON)

    async def join(self, topic: str, ref: str = "1") -> None:
        """Join, and hear that it was done."""
        assert await self.publish([ref, ref, topic, "phx_join", {}]) == TAKEN
        assert await self.messages() == [reply(ref, ref, topic)]


def body_of(response: Response) -> dict[str, Any]:
    """Decode the body of an answer, whose HTTP says nothing."""
    assert response.status == 200
    headers = dict(response.headers)
    assert headers[b"access-control-allow-origin"] == b"*"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-type"] == b"application/json"
    said: dict[str, Any] = orjson.loads(response.body)
    return said


def reply(join_ref: str, ref: str, topic: str, response: object = None, status: str = "ok") -> list[object]:
    payload = {"status": status, "response": {} if response is None else response}
    return [join_ref, ref, topic, "phx_reply", payload]


@attrs.frozen
class House:
    """An endpoint that is open."""

    endpoint: Endpoint
    pid: Pid
    runtime: Runtime

    def client(self, **params: str) -> Client:
        return Client(self.endpoint, params)

    async def opened(self, **params: str) -> Client:
        """Open a session."""
        client = self.client(**params)
        await client.open()
        return client

    async def stop(self) -> float:
        """Tell the endpoint to stop; return how long it took."""
        trap_exit()  # the test is linked to it
        since = trio.current_time()
        self.pid.exit(SHUTDOWN)
        ended = await receive(lambda message: isinstance(message, Exited) and message.pid is self.pid)
        assert isinstance(ended, Exited)
        assert ended.reason == SHUTDOWN
        return trio.current_time() - since

    def sessions(self) -> list[Pid]:
        """List the processes of sessions."""
        return [pid for pid in self.runtime.processes.values() if pid.initial_call == "LongPollSession"]

    def channels(self) -> list[Pid]:
        return [pid for pid in self.runtime.processes.values() if pid.initial_call == "Room"]


@asynccontextmanager
async def house(
    options: LongPollOptions | None = None, handler: type[Socket] = UserSocket, drain: DrainOptions | None = None
) -> AsyncIterator[House]:
    """Open an endpoint with one socket."""
    longpoll = options or LongPollOptions(check_origin=False)
    endpoint = Endpoint(sockets=[mount("/socket", handler, longpoll=longpoll)], drain=drain, port=0)
    async with open_runtime() as runtime:
        yield House(endpoint, (await endpoint.start_link()).unwrap(), runtime)
