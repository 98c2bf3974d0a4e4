"""The clients of a scenario: they do what a step says, and keep what comes of it as a transcript writes it."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode, urlsplit

import attrs
import h11
import orjson
import trio

from tests.conformance.client import CHUNK, Client, Closed, Event, Pong, Rejected
from tests.patience import PATIENCE

VOLATILE: Final = frozenset({"phx_ref", "phx_ref_prev", "token"})
"""Fields whose text is never the same twice."""

Step: TypeAlias = Mapping[str, Any]
Record: TypeAlias = dict[str, Any]


class Actor(ABC):
    """A client of a scenario, and what it has got since the last record."""

    def __init__(self, url: str, spec: Mapping[str, Any], nursery: trio.Nursery) -> None:
        self._url = url
        self._spec = spec
        self._nursery = nursery
        self.opened = False
        self.events: list[Record] = []
        self.stirred = trio.Event()

    async def open(self) -> None:
        """Begin anew."""
        self.opened = True

    @abstractmethod
    async def act(self, step: Step) -> None:
        """Do what a step says."""

    def _params(self) -> dict[str, str]:
        params = dict(self._spec.get("params", {}))
        if self._spec.get("vsn", "2.0.0") is not None:
            params["vsn"] = self._spec.get("vsn", "2.0.0")
        return params

    def _add(self, record: Record) -> None:
        self.events.append(record)
        self.stirred.set()
        self.stirred = trio.Event()


class WebSocketActor(Actor):
    """One with a WebSocket."""

    def __init__(self, url: str, spec: Mapping[str, Any], nursery: trio.Nursery, stack: AsyncExitStack) -> None:
        super().__init__(url, spec, nursery)
        self._stack = stack
        self._client: Client | None = None

    async def open(self) -> None:
        """Connect; a refusal is an event too."""
        await super().open()
        spec = self._spec
        path = spec.get("path", "/socket/websocket")
        try:
            client = await Client.open(
                f"{self._url.replace('http', 'ws', 1)}{path}?{urlencode(self._params())}",
                origin=spec.get("origin"),
                subprotocols=spec.get("subprotocols"),
                headers=spec.get("headers"),
                user_agent=spec.get("user_agent"),
                compress=spec.get("compress", False),
            )
        except Rejected as rejected:
            self._client = None
            self._add({"rejected": rejected.status})
            return
        self._client = await self._stack.enter_async_context(client)
        chosen = {} if client.subprotocol is None else {"subprotocol": client.subprotocol}
        self._add({"open": True} | chosen)
        self._nursery.start_soon(self._listen, client)

    async def act(self, step: Step) -> None:
        """Send something."""
        client = self._client
        if client is None:
            return
        try:
            match step:
                case {"send": message}:
                    await client.send(orjson.dumps(message).decode())
                case {"text": text}:
                    await client.send(str(text))
                case {"binary": data}:
                    await client.send(base64.b64decode(data))
                case {"fragments": parts}:
                    await client.send_fragments(parts)
                case {"ping": data}:
                    await client.ping(data.encode())
                case {"close": code}:
                    await client.close(code or 1000)
                case {"abort": _}:
                    await client.abort()
                case _:
                    raise ValueError(f"nobody knows how to play {step} on a WebSocket")
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self._add({"send_failed": True})

    async def _listen(self, client: Client) -> None:
        event: Event | None = None
        while not isinstance(event, Closed):
            event = await client.receive()
            self._add(_recorded(event))


class LongPollActor(Actor):
    """One that polls; each request has a connection of its own. It keeps the last token that it was told."""

    _token: str | None = None

    async def act(self, step: Step) -> None:
        """Send a request; the answer to a poll may take its time."""
        match step:
            case {"poll": _}:
                self._nursery.start_soon(self._ask, "GET")
            case {"publish": message}:
                body = message.encode() if isinstance(message, str) else orjson.dumps(message)
                await self._ask("POST", [("content-type", step.get("content_type", "application/json"))], body)
            case {"method": method}:
                answer = await self._request(method, step.get("with", ()))
                self._add({"http": answer.status} | {name: answer.header(name) for name in step.get("show", ())})
            case {"set_token": token}:
                self._token = token
            case _:
                raise ValueError(f"nobody knows how to play {step} by long polling")

    async def _ask(self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> None:
        answer = await self._request(method, headers, body)
        try:
            said = orjson.loads(answer.body)
        except ValueError:
            self._add({"http": answer.status, "raw": answer.body.decode(errors="replace")[:80]})
            return
        if said.get("token"):
            self._token = said["token"]
        if "messages" in said:
            said["messages"] = [orjson.loads(one) if one.startswith(("[", "{")) else one for one in said["messages"]]
        self._add({"http": answer.status, "body": _stable(said)})

    async def _request(self, method: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b"") -> Answer:
        spec = self._spec
        params = self._params() | ({} if self._token is None else {"token": self._token})
        target = f"{spec.get('path', '/socket/longpoll')}?{urlencode(params)}"
        origin = [("origin", spec["origin"])] if "origin" in spec else []
        return await exchange(self._url, method, target, [*spec.get("headers", {}).items(), *origin, *headers], body)


# ------------------------------------------------------------------------------------------- plain requests


@attrs.frozen
class Answer:
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


async def exchange(
    url: str, method: str, target: str, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
) -> Answer:
    """Send a request on a connection of its own, and wait for the answer as long as it takes."""
    parts = urlsplit(url)
    connection = h11.Connection(h11.CLIENT)
    head = [("host", parts.netloc), ("connection", "close"), ("content-length", str(len(body))), *headers]
    data = connection.send(h11.Request(method=method, target=target, headers=head)) or b""
    data += connection.send(h11.Data(data=body)) or b""
    data += connection.send(h11.EndOfMessage()) or b""
    status, fields, received = 0, {}, bytearray()
    async with await trio.open_tcp_stream(parts.hostname or "", parts.port or 80) as stream:
        await stream.send_all(data)
        while type(event := connection.next_event()) is not h11.EndOfMessage:
            if isinstance(event, h11.Response):
                status = event.status_code
                fields = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                received += event.data
            else:
                connection.receive_data(await stream.receive_some(CHUNK))
    return Answer(status, fields, bytes(received))


async def request(url: str, step: Step) -> Record:
    """Send an HTTP request, or raw bytes; return the status and the headers that the step wants to see."""
    parts = urlsplit(url)
    if "raw_http" in step:
        data = step["raw_http"].replace("\n", "\r\n").replace("$HOST", parts.netloc).encode()
    else:
        (method, path), body = step["http"], step.get("body", "").encode()
        head = f"{method} {path} HTTP/1.1\r\nhost: {parts.netloc}\r\nconnection: close\r\ncontent-length: {len(body)}"
        data = head.encode() + b"\r\n\r\n" + body
    stream = await trio.open_tcp_stream(parts.hostname or "", parts.port or 80)
    answer = b""
    async with stream:
        await stream.send_all(data)
        with trio.fail_after(PATIENCE):
            while some := await stream.receive_some():
                answer += some
                if b"\r\n\r\n" in answer and answer.startswith(b"HTTP/1.1 101"):
                    break  # the end of a WebSocket would have to be waited for
    head, _, payload = answer.decode().partition("\r\n\r\n")
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    record: Record = {"http": int(status.split()[1])}
    if step.get("body_shown"):
        record["body"] = payload
    return record | {name: headers.get(name.lower(), "").lower() or None for name in step.get("show", ())}


# ------------------------------------------------------------------------------------------------- records


def _stable(value: object) -> object:
    """Replace what is never the same twice."""
    match value:
        case dict():
            return {
                key: f"<{key}>" if key in VOLATILE and isinstance(item, str) else _stable(item)
                for key, item in value.items()
            }
        case list():
            return [_stable(item) for item in value]
        case _:
            return value


def _recorded(event: Event) -> Record:
    """Write an event as transcripts do."""
    match event:
        case Closed(code=code):
            return {"closed": code}
        case Pong(data=data):
            return {"pong": data.decode()}
        case bytes():
            return {"binary": base64.b64encode(event).decode()}
    try:
        return {"text": _stable(orjson.loads(event))}
    except ValueError:
        return {"raw": event}
