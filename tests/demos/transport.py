"""A transport without a connection: the test's process, whom channels send what their client is to get."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import attrs
import orjson

from phxactor import DynamicSupervisor, Error, From, Ok, Pid, PubSub, Socket, receive, self_pid
from phxactor.otp import ChildSpec
from phxactor.runtime import Answer
from phxactor.socket import Broadcaster, Message, SocketPush, V2JSONSerializer
from phxactor.socket.routes import channel


class Client:
    """One joined topic: what is pushed to it comes as `(event, payload)`."""

    def __init__(self, topic: str, broadcaster: Broadcaster) -> None:
        self.topic = topic
        self.broadcaster = broadcaster
        self.pid: Pid | None = None
        self.refs = count(2)

    async def join(self, handler: Any, payload: object = None) -> object:  # noqa: ANN401 - channels of any kind
        """Start the channel as the pool of a socket does; returns what it answers the client."""
        me = self_pid()
        socket = Socket(
            endpoint=self.broadcaster,
            pubsub=self.broadcaster.pubsub,
            serializer=V2JSONSerializer(),
            transport="test",
            transport_pid=me,
        ).for_channel(self.topic, channel(self.topic, handler), "1")
        from_ = From(me)
        spec: ChildSpec = handler.child_spec((payload, from_, socket))
        pool = (await DynamicSupervisor.start_link()).unwrap()
        started = await DynamicSupervisor.start_child(pool, attrs.evolve(spec, restart="temporary"))
        if isinstance(started, Ok):
            self.pid = started.value
        answer = await receive(lambda message: isinstance(message, Answer) and message.ref is from_)
        assert isinstance(answer, Answer)
        assert isinstance(answer.value, Ok | Error)
        return answer.value.value if isinstance(answer.value, Ok) else answer.value

    def send(self, event: str, payload: object = None) -> str:
        """Send what the client says; returns its ref."""
        assert self.pid is not None
        ref = str(next(self.refs))
        self.pid.send(Message(self.topic, event, payload, ref, "1"))
        return ref

    async def next(self, timeout: float = 5.0) -> tuple[str, Any]:
        """Wait for the next push; raises TimeoutError."""
        _, event, payload = await self._next(lambda ref: ref is None, timeout)
        return event, payload

    async def ask(self, event: str, payload: object = None) -> Any:  # noqa: ANN401 - JSON
        """Send, and wait for the reply."""
        wanted = self.send(event, payload)
        _, _, answer = await self._next(lambda ref: ref == wanted, 5.0)
        return answer

    async def _next(self, meant: Callable[[str | None], bool], timeout: float) -> tuple[str | None, str, Any]:
        push = await receive(
            lambda message: isinstance(message, SocketPush) and meant(orjson.loads(message.data)[1]), timeout=timeout
        )
        assert isinstance(push, SocketPush)
        _, ref, topic, event, payload = orjson.loads(push.data)
        assert topic == self.topic
        return ref, event, payload


def client(topic: str, broadcaster: Broadcaster | None = None) -> Client:
    """Make a client; those of one broadcaster hear one another."""
    return Client(topic, broadcaster or Broadcaster(PubSub()))
