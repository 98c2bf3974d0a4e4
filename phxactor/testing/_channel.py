"""A topic that a test's client has joined, with assertions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

import trio

from phxactor.otp import Error
from phxactor.runtime import Pid, Reason, State, format_reason
from phxactor.socket import Broadcast, Message, Reply
from phxactor.testing._expectations import expect_broadcast, expect_push, expect_reply
from phxactor.testing._patterns import Fit, Pattern, brief, fit
from phxactor.testing._refusals import Refused
from phxactor.testing._settle import settle

if TYPE_CHECKING:
    from phxactor.testing._client import Client
    from phxactor.testing._client_inbox import ClientInbox, Expected, Item

T = TypeVar("T")


class ClientChannel:
    """A channel (a `Channel` or a custom one) as its client sees it. `Client.join` and `begin_join` return it.

    All assertions raise AssertionError, with the messages that came instead. An assertion waits until nothing more
    happens (`settle`), then up to `within` seconds of the test's clock. Each received message satisfies one assertion.
    Payload patterns: `...`, maps, lists, types, predicates, `exactly` and plain values (docs/testing.md). An assertion
    returns the payload; if the pattern is a type, structured into that type.
    """

    def __init__(self, client: Client, topic: str, join_ref: str) -> None:
        self.client = client
        self.topic = topic
        self.join_ref = join_ref
        self.response: Any = None
        """The payload of the answer to its join."""
        self._pid: Pid | None = None
        self._joined = False

    def __repr__(self) -> str:
        """Show the topic."""
        return f"<ClientChannel {self.topic!r} of {self.client!r}>"

    @property
    def pid(self) -> Pid:
        """The channel's process. Raises LookupError if the topic has not been joined."""
        self.look()
        if self._pid is None:
            raise LookupError(f"{self.topic!r} is not joined")
        return self._pid

    def look(self) -> None:
        """Ask the transport for the channel's process, if it is not known yet."""
        if self._pid is None:
            self._pid = self.client.transport.channel_of(self.topic)

    # ----------------------------------------------------------------------------------------- what it does

    def push(self, event: str, payload: object = None) -> str:
        """Send an event to the channel, and return its ref, for `assert_reply`.

        Raises EncodeError if the payload is not `bytes` and JSON cannot hold it.
        """
        ref = self.client.next_ref()
        self.client.send(Message(self.topic, event, {} if payload is None else payload, ref, self.join_ref))
        return ref

    async def ask(self, event: str, payload: object = None, *, within: float = 0.0) -> Reply:
        """Send an event, and return the reply, whatever its status."""
        __tracebackhide__ = True
        ref = self.push(event, payload)
        item, _ = await self._take(self.client.inbox, self._answer(ref, None, ...), within)
        assert isinstance(item, Reply)  # noqa: S101 - it was meant
        return item

    def leave(self) -> str:
        """Leave the topic, and return the message's ref. Check by `assert_reply(ref)` and `assert_left()`."""
        return self.push("phx_leave")

    def broadcast_from(self, event: str, payload: object) -> None:
        """Broadcast on the topic: all clients of the topic get the event, but not this test's own subscription."""
        self.client.endpoint.broadcast_from(self.client.transport_pid, self.topic, event, payload)

    # ------------------------------------------------------------------------------------------- assertions

    @overload
    async def assert_push(self, event: str, pattern: type[T], *, within: float = 0.0) -> T: ...
    @overload
    async def assert_push(self, event: str, pattern: Pattern = ..., *, within: float = 0.0) -> Any: ...  # noqa: ANN401
    async def assert_push(self, event: str, pattern: Pattern = ..., *, within: float = 0.0) -> Any:
        """Assert that the client receives an event, by a push or by a broadcast. Return the payload."""
        __tracebackhide__ = True
        return (await self._take(self.client.inbox, self._push(event, pattern), within))[1]

    async def refute_push(self, event: str, pattern: Pattern = ..., *, within: float = 0.0) -> None:
        """Assert that the client does not receive such an event."""
        __tracebackhide__ = True
        await self.client.inbox.refute(self._push(event, pattern), within)

    @overload
    async def assert_reply(self, ref: str, status: str, pattern: type[T], *, within: float = 0.0) -> T: ...
    @overload
    async def assert_reply(
        self, ref: str, status: str = "ok", pattern: Pattern = ..., *, within: float = 0.0
    ) -> Any: ...  # noqa: ANN401
    async def assert_reply(self, ref: str, status: str = "ok", pattern: Pattern = ..., *, within: float = 0.0) -> Any:
        """Assert that the message with this ref gets a reply with this status. Return the reply's payload."""
        __tracebackhide__ = True
        return (await self._take(self.client.inbox, self._answer(ref, status, pattern), within))[1]

    async def refute_reply(
        self, ref: str, status: str | None = None, pattern: Pattern = ..., *, within: float = 0.0
    ) -> None:
        """Assert that the message with this ref gets no reply, or none with this status and payload."""
        __tracebackhide__ = True
        await self.client.inbox.refute(self._answer(ref, status, pattern), within)

    @overload
    async def assert_broadcast(self, event: str, pattern: type[T], *, within: float = 0.0) -> T: ...
    @overload
    async def assert_broadcast(self, event: str, pattern: Pattern = ..., *, within: float = 0.0) -> Any: ...  # noqa: ANN401
    async def assert_broadcast(self, event: str, pattern: Pattern = ..., *, within: float = 0.0) -> Any:
        """Assert that an event is broadcast on the topic, whether this client receives it or not.

        The test must be subscribed, by `subscribe_and_join` or `Client.subscribe`; else it raises RuntimeError.
        """
        __tracebackhide__ = True
        return (await self._take(self._heard(), expect_broadcast(self.topic, event, pattern), within))[1]

    async def refute_broadcast(self, event: str, pattern: Pattern = ..., *, within: float = 0.0) -> None:
        """Assert that no such event is broadcast on the topic. The test must be subscribed, else RuntimeError."""
        __tracebackhide__ = True
        await self._heard().refute(expect_broadcast(self.topic, event, pattern), within)

    async def assert_joined(self, pattern: Pattern = ..., *, within: float | None = None) -> Any:  # noqa: ANN401
        """Assert that the join is answered with ok and that the channel runs. Return the answer's payload.

        It waits `within` seconds for the answer, by default the socket's `join_timeout`. Raises Refused if the answer
        is an error.
        """
        __tracebackhide__ = True
        if not self._joined:
            seconds = self.client.join_timeout if within is None else within
            answer = expect_reply(self.join_ref, None, ..., f"the join of {self.topic!r}")
            item, self.response = await self._take(self.client.inbox, answer, seconds)
            if isinstance(item, Reply) and item.status != "ok":
                refused = f"the join of {self.topic!r} was refused: {brief(item.payload)}"
                raise Refused(refused, Error(item.payload))
            self._joined = True
            await settle()  # a custom channel may answer before it is known which process it is
            self.look()
        if not self.pid.alive:
            raise AssertionError("\n".join([f"{self.topic!r} is not joined any more", *self._state()]))
        compared = fit(pattern, self.response)
        if isinstance(compared, Fit):
            return compared.value
        raise AssertionError("\n".join([f"{self.topic!r} was joined with another answer", *compared]))

    async def assert_left(self, *, within: float = 0.0) -> Reason:
        """Assert that the channel has ended gracefully: its client receives phx_close. Return the exit reason."""
        __tracebackhide__ = True
        return await self._assert_ended("phx_close", within)

    async def assert_crashed(self, *, within: float = 0.0) -> Reason:
        """Assert that the channel has ended in any other way: its client receives phx_error. Return the exit reason."""
        __tracebackhide__ = True
        return await self._assert_ended("phx_error", within)

    async def receive_all(self) -> list[Message | Reply]:
        """Return the client's messages on this topic that no assertion has matched, as `Client.receive_all` does."""
        items = await self.client.inbox.new(lambda item: item.topic == self.topic)
        return [item for item in items if not isinstance(item, Broadcast)]

    # ------------------------------------------------------------------------------------------------------

    async def _assert_ended(self, event: str, within: float) -> Reason:
        __tracebackhide__ = True
        await self._take(self.client.inbox, self._push(event, ...), within)
        with trio.move_on_after(within):
            await self.pid.runtime.ended(self.pid)
        if self.pid.state is not State.DEAD:
            raise AssertionError(f"the client was told {event}, but {self.pid!r} has not ended")
        return self.pid.exit_reason

    async def _take(self, arrivals: ClientInbox, expected: Expected, within: float) -> tuple[Item, Any]:
        __tracebackhide__ = True
        return await arrivals.take(expected, within, self._state)

    def _push(self, event: str, pattern: Pattern) -> Expected:
        return expect_push(self.topic, event, pattern, (None, self.join_ref))

    def _answer(self, ref: str, status: str | None, pattern: Pattern) -> Expected:
        if not isinstance(ref, str):
            raise TypeError(f"a reply is looked for by the ref that `push` has returned, not by {ref!r:.100}")
        return expect_reply(ref, status, pattern, self.client.descriptions.get(ref, repr(ref)))

    def _heard(self) -> ClientInbox:
        if self.topic not in self.client.transport.listening:
            raise RuntimeError(f"the test is not subscribed to {self.topic!r}: use subscribe_and_join, or subscribe")
        return self.client.broadcasts

    def _state(self) -> list[str]:
        """Return a line that says that the connection or the channel has ended, if it has."""
        transport = self.client.transport_pid
        if not transport.alive:
            return [f"the connection has ended: {format_reason(transport.exit_reason)}"]
        if self._pid is not None and not self._pid.alive:
            return [f"the channel has ended: {format_reason(self._pid.exit_reason)}"]
        return []
