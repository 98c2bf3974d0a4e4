"""A client in a test: a connection without a network port. Its channels are in `_channel`."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import trio

from phxactor.client import encode
from phxactor.runtime import Pid, Reason, format_reason, own
from phxactor.socket import Broadcast, Message, Ref, Reply, Socket
from phxactor.testing._channel import ClientChannel
from phxactor.testing._client_inbox import ClientInbox, Item
from phxactor.testing._expectations import show
from phxactor.testing._settle import settle
from phxactor.testing._transport import HANG_UP, FromClient, MemoryTransport
from phxactor.transport import CloseCode, close_code

if TYPE_CHECKING:
    from phxactor.endpoint import Endpoint


class Client:
    """A connected client; `connect` returns one. Its connection ends by `close`, or with the runtime."""

    def __init__(self, endpoint: Endpoint, transport: MemoryTransport, join_timeout: float) -> None:
        self.endpoint = endpoint
        """The endpoint of the connection, e.g. for `client.endpoint.broadcast(...)`."""
        self.join_timeout = join_timeout
        """Seconds that a join may take, from the socket's options."""
        self.transport = transport
        self.descriptions: dict[Ref, str] = {}
        """Descriptions of the sent messages, by ref, for error texts."""
        self.sent: list[Message] = []
        """The sent messages, in order."""
        self.inbox = ClientInbox(self._show)
        """The messages that the client has received."""
        self.broadcasts = ClientInbox(self._show)
        """The broadcasts on topics that the test is subscribed to."""
        self._refs = count(1)
        self._channels: dict[str, ClientChannel] = {}
        """The latest channel of each topic."""
        transport.on_message = self._receive
        own(transport.pid, lambda _: self._end())

    def __repr__(self) -> str:
        """Show the socket's class and the process."""
        return f"<Client of {self.socket.handler.__name__}, {self.transport_pid!r}>"

    @property
    def transport_pid(self) -> Pid:
        """The transport process of the connection."""
        return self.transport.pid

    @property
    def socket(self) -> Socket:
        """The connection's socket, as `connect` has left it: `client.socket.assigns`, `client.socket.id`."""
        return self.transport.socket

    # ---------------------------------------------------------------------------------------------- topics

    async def subscribe_and_join(self, topic: str, payload: object = None) -> ClientChannel:
        """Subscribe the test to a topic's broadcasts, then join the topic. Raises Refused if the join is refused."""
        __tracebackhide__ = True
        self.subscribe(topic)
        return await self.join(topic, payload)

    async def join(self, topic: str, payload: object = None) -> ClientChannel:
        """Join a topic, and wait for the answer up to `join_timeout`. Raises Refused if the join is refused."""
        __tracebackhide__ = True
        joining = self.begin_join(topic, payload)
        await joining.assert_joined()
        return joining

    def begin_join(self, topic: str, payload: object = None) -> ClientChannel:
        """Send a join without waiting for its answer; `assert_joined` waits."""
        ref = self.next_ref()
        joining = self._channels[topic] = ClientChannel(self, topic, ref)
        self.send(Message(topic, "phx_join", {} if payload is None else payload, ref, ref))
        return joining

    def subscribe(self, topic: str) -> None:
        """Subscribe the test to a topic's broadcasts, for `assert_broadcast`. Subscribing again changes nothing."""
        self.transport.listen(topic)

    # -------------------------------------------------------------------------------------------- messages

    def next_ref(self) -> str:
        """Return a ref that no message of this client has."""
        return str(next(self._refs))

    def send(self, message: Message) -> None:
        """Send any message, with the test's own refs: for messages that a correct client does not send.

        Raises EncodeError if the payload is not `bytes` and JSON cannot hold it.
        """
        data = encode(message)
        self.descriptions[message.ref] = f"{message.event!r} of ref {message.ref!r}"
        self.sent.append(message)
        self.transport_pid.send(FromClient(data))

    @property
    def received(self) -> list[Message | Reply]:
        """All messages received so far, in order, whether an assertion has matched them or not; for invariants."""
        items = [arrival.item for arrival in self.inbox.all]
        return [item for item in items if not isinstance(item, Broadcast)]

    async def receive_all(self) -> list[Message | Reply]:
        """Wait until nothing more happens, and return all messages received since the last call, in order.

        Messages that an assertion has matched are left out.
        """
        return [item for item in await self.inbox.new(lambda _: True) if not isinstance(item, Broadcast)]

    # ------------------------------------------------------------------------------------------------- end

    async def close(self) -> None:
        """Disconnect, like a closed browser tab, and wait until nothing more happens."""
        self.transport_pid.send(HANG_UP)
        await settle()

    @property
    def connected(self) -> bool:
        """Whether the transport process is alive."""
        return self.transport_pid.alive

    async def assert_closed(self, code: CloseCode | int | None = None, *, within: float = 0.0) -> Reason:
        """Assert that the connection has ended, with this close code if one is given. Return the exit reason.

        It waits as `assert_push` does. Raises AssertionError.
        """
        __tracebackhide__ = True
        await settle()
        with trio.move_on_after(within):
            await self.transport_pid.runtime.ended(self.transport_pid)
        if self.connected:
            raise AssertionError("\n".join([f"{self!r} is connected", *self.inbox.story()]))
        reason = self.transport_pid.exit_reason
        if code is not None and close_code(reason) != code:
            closed = f"{self!r} was closed with {close_code(reason)!r}, not {code!r}: {format_reason(reason)}"
            raise AssertionError("\n".join([closed, *self.inbox.story()]))
        return reason

    def _receive(self, item: Item) -> None:
        if isinstance(item, Broadcast):
            self.broadcasts.add(item)
            return
        self.inbox.add(item)
        channel = self._channels.get(item.topic)
        if channel is not None:
            channel.look()

    def _end(self) -> None:
        self.inbox.end()
        self.broadcasts.end()

    def _show(self, item: Item) -> str:
        return show(item, self.descriptions)
