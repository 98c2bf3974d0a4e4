"""A program that mypy and pyright accept, without a cast and without `type: ignore`. Nobody runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeGuard, assert_type

import attrs

from phxactor import (
    Application,
    Channel,
    Down,
    Endpoint,
    From,
    GenServer,
    Ok,
    Pid,
    PubSub,
    Resource,
    Socket,
    call,
    channel,
    from_thread,
    mount,
    on,
    receive,
)
from phxactor.cluster import monitor_nodes, nodes
from phxactor.otp import (
    Agent,
    Error,
    Ignore,
    NoReply,
    Reply,
    Stop,
    Supervisor,
    Task,
    TypedRequest,
    async_stream,
    system,
)

# ------------------------------------------------------------------------------------------------ servers


@attrs.frozen
class Pop(TypedRequest[int]):
    """Asks for the last number."""


@attrs.frozen
class Push(TypedRequest[None]):
    """Asks to keep a number."""

    number: int


class Stack(GenServer):
    """A server whose callbacks say what they take."""

    async def init(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    async def handle_call(self, request: Pop | Push, from_: From) -> Reply | Stop:
        match request:
            case Pop() if not self.numbers:
                return Stop("empty")
            case Pop():
                return Reply(self.numbers.pop())
            case Push(number=number):
                self.numbers.append(number)
                return Reply()

    async def handle_cast(self, request: tuple[str, int]) -> NoReply | None:
        self.numbers.append(request[1])
        return None

    async def handle_info(self, message: Down) -> None:
        assert_type(message, Down)


async def ask(stack: Pid) -> None:
    """A typed request says its answer; the answer of any other is what the caller says it is."""
    assert_type(await call(stack, Pop()), int)
    assert_type(await Stack.call("stack", Pop(), 1.0), int)
    await call(stack, Push(2))
    size: int = await call(stack, "size")
    state: dict[str, object] = await system.get_state(stack)
    assert size == len(state)


async def start() -> None:
    """What has started is a pid, once it is unwrapped."""
    assert_type((await Stack.start_link(1, 2)).unwrap(), Pid)
    match await Stack.start():
        case Ok(pid):
            assert_type(pid, Pid)
        case Error(reason):
            assert reason
    supervisor = (await Supervisor.start_link([Stack, Stack.child_spec(1)])).unwrap()
    assert_type(supervisor, Pid)


# ----------------------------------------------------------------------------------------------- messages


def is_down(message: object) -> TypeGuard[Down]:
    """Tell whether it is a `Down`."""
    return isinstance(message, Down)


async def count() -> None:
    """A message is what its receiver takes it for."""
    total = 0
    while True:
        match await receive():
            case ("add", number):
                total += number
            case ("get", caller):
                caller.send(total)
            case Down(reason=reason):
                total += len(str(reason))
                break
    down = await receive(is_down, timeout=1)
    assert_type(down, Down)
    size: int = await receive(lambda message: isinstance(message, int))
    assert size


# ------------------------------------------------------------------------------------------ agents, tasks


async def length(text: str) -> int:
    """Count."""
    return len(text)


async def others() -> None:
    """A function says what comes back."""
    agent = (await Agent.start_link(dict[str, int])).unwrap()
    value: int = await Agent.get(agent, lambda values: values["a"])
    assert_type(await Agent.get(agent, len), int)
    await Agent.update(agent, lambda values: {**values, "a": value})

    task = Task.async_(length, "four")
    assert_type(await task, int)
    assert_type(await Task.async_(len, "four").await_(1), int)
    assert_type(await Task.await_many([task]), list[int])
    assert_type(await Task.completed("four"), str)
    outcome = await task.yield_()
    assert_type(outcome, Ok[int] | Error | None)
    async with async_stream(["a", "bc"], length) as lengths:
        async for found in lengths:
            assert_type(found, Ok[int] | Error)
            total = found.unwrap() + 1
            assert total


# ---------------------------------------------------------------------------------------------- resources


class Pool:
    """What a resource holds."""


@asynccontextmanager
async def open_pool(dsn: str, *, size: int = 1) -> AsyncIterator[Pool]:
    """Open it."""
    yield Pool()


POOL = Resource("pool", open_pool, "dsn", size=5)
application = Application(children=[POOL, Stack, (Stack, 1)], endpoints=[])


def look() -> None:
    """A resource knows the type of its value."""
    assert_type(POOL.value, Pool)


def work_in_a_thread(pid: Pid) -> None:
    """What a thread asks has the types that it has in a process."""
    from_thread.send(pid, 1)
    assert_type(from_thread.call(pid, Pop()), int)
    assert_type(from_thread.run_sync(len, "room"), int)
    assert_type(from_thread.run(Stack.start_link), Ok[Pid] | Error | Ignore)
    assert_type(from_thread.spawn(ask, pid), Pid)
    from_thread.broadcast(endpoint, "room:1", "news", {"n": 1})
    from_thread.broadcast(PubSub("news"), "weather", "rain")


async def everywhere() -> list[bool]:
    """Broadcast to other nodes."""
    news = PubSub("news")
    await news.hold("weather")
    news.broadcast("weather", {"storm": True, "wind": [1.5, None]})
    monitor_nodes(gaps=False)
    return [endpoint.direct_broadcast(node, "room:1", "news", b"bytes") for node in nodes()]


# ----------------------------------------------------------------------------------------------- channels


@attrs.frozen
class NewMessage:
    """A payload of a program's own."""

    body: str


class Room(Channel):
    """A channel with values of its own and typed payloads."""

    async def join(self, topic: str, payload: dict[str, str]) -> Ok[dict[str, int]] | Error:
        if not payload:
            return Error({"reason": "empty"})
        self.assign(visits=1)
        return Ok({"visits": self.assigns.visits})

    @on("new_msg")
    async def new_msg(self, message: NewMessage) -> Ok[dict[str, str]]:
        name: str = self.assigns.name
        self.broadcast("new_msg", {"body": message.body})
        return Ok({"name": name})

    @on("count")
    async def count(self, payload: dict[str, int]) -> Ok[None] | Error | NoReply:
        if self.assigns["visits"] > payload["most"]:
            return Error()
        return NoReply()


class UserSocket(Socket):
    """A socket with a value of its own."""

    channels = (channel("room:*", Room),)

    async def connect(self, params: dict[str, str], connect_info: object) -> Error | None:
        if "name" not in params:
            return Error()
        self.assign(name=params["name"])
        return None

    def identify(self) -> str | None:
        return f"users:{self.assigns.name}"


endpoint = Endpoint(sockets=[mount("/socket", UserSocket)])
