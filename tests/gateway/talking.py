"""A client of applications under an endpoint, over a stream in memory. It speaks HTTP by h11."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import h11
import trio
from trio.testing import lockstep_stream_pair, memory_stream_pair, wait_all_tasks_blocked

from phxactor import Endpoint
from phxactor.gateway import WebApplication
from phxactor.runtime import Runtime, open_runtime


@attrs.frozen
class Answer:
    """What a server has answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Talk:
    """One connection."""

    def __init__(self, stream: trio.StapledStream[Any, Any]) -> None:
        self.stream = stream
        self.h11 = h11.Connection(h11.CLIENT)

    async def send(self, data: bytes) -> None:
        """Send raw bytes."""
        await self.stream.send_all(data)

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", /, **headers: str) -> Answer:
        """Send a request, and read its answer."""
        await self.begin(target, method, body, **headers)
        return await self.answer()

    async def begin(self, target: str, method: str = "GET", body: bytes = b"", /, **headers: str) -> None:
        """Send a request."""
        if self.h11.our_state is h11.DONE:
            self.h11.start_next_cycle()
        pairs = {"host": "app.test"} | {name.replace("_", "-"): value for name, value in headers.items()}
        if body:
            pairs["content-length"] = str(len(body))
        request = h11.Request(method=method, target=target, headers=list(pairs.items()))
        data = self.h11.send(request) or b""
        if "transfer-encoding" not in pairs and pairs.get("content-length", str(len(body))) == str(len(body)):
            if body:
                data += self.h11.send(h11.Data(data=body)) or b""
            data += self.h11.send(h11.EndOfMessage()) or b""
        await self.send(data)

    async def more(self, body: bytes, *, last: bool = False) -> None:
        """Send a part of a body."""
        data = self.h11.send(h11.Data(data=body)) or b"" if body else b""
        if last:
            data += self.h11.send(h11.EndOfMessage()) or b""
        await self.send(data)

    async def event(self) -> Any:  # noqa: ANN401 - one of h11's events
        """Read the next event of the answer."""
        with trio.fail_after(1000):
            while (event := self.h11.next_event()) is h11.NEED_DATA:
                self.h11.receive_data(bytes(await self.stream.receive_some(65536)))
        return event

    async def head(self) -> h11.Response:
        """Read the head of the answer."""
        while isinstance(event := await self.event(), h11.InformationalResponse):
            pass
        assert isinstance(event, h11.Response), event
        return event

    async def answer(self) -> Answer:
        """Read the answer."""
        head, body = await self.head(), b""
        while isinstance(event := await self.event(), h11.Data):
            body += bytes(event.data)
        assert isinstance(event, h11.EndOfMessage), event
        return Answer(head.status_code, {name.decode(): value.decode() for name, value in head.headers}, body)

    async def closed(self) -> bool:
        """Say whether the server closes the connection without another byte."""
        with trio.fail_after(1000):
            return await self.stream.receive_some(1) == b""

    async def leave(self) -> None:
        """Close the connection, and wait until the server has seen it."""
        await self.stream.aclose()
        await wait_all_tasks_blocked()


@attrs.frozen
class House:
    """An endpoint that runs in the test."""

    endpoint: Endpoint
    runtime: Runtime
    talks: list[Talk] = attrs.field(factory=list)

    async def connect(self, *, lockstep: bool = False, **options: Any) -> Talk:  # noqa: ANN401
        """Connect a client; with `lockstep`, each side waits until the other has taken what it sends."""
        near, far = lockstep_stream_pair() if lockstep else memory_stream_pair()
        (await self.endpoint.serve_stream(far, **options)).unwrap()
        self.talks.append(talk := Talk(near))
        return talk

    async def ask(self, target: str, method: str = "GET", body: bytes = b"", /, **headers: str) -> Answer:
        """Ask on a connection of its own."""
        talk = await self.connect()
        answer = await talk.ask(target, method, body, **headers)
        await talk.leave()
        return answer

    def running(self, what: str = "Request") -> list[str]:
        """List the labels of the processes with an initial call."""
        return [str(pid.label) for pid in self.runtime.processes.values() if pid.initial_call == what]


@asynccontextmanager
async def hosting(*applications: WebApplication, **options: Any) -> AsyncIterator[House]:  # noqa: ANN401
    """Run an endpoint with these applications that listens nowhere."""
    endpoint = Endpoint(routes=[*options.pop("routes", ()), *applications], **options)
    async with open_runtime() as runtime:
        (await endpoint.start_link(server=False)).unwrap()
        house = House(endpoint, runtime)
        yield house
        for talk in house.talks:  # else the endpoint would give them a second to close
            await talk.stream.aclose()
