"""PubSub: messages to all processes that are subscribed to a topic, here and on the other nodes of a cluster.

    pubsub = PubSub("news")                    only the name: nothing runs yet
    run(endpoint, children=[pubsub])           a supervisor starts it

    pubsub.subscribe("weather")                in any process of that runtime
    pubsub.broadcast("weather", "rain")

A message is any object; in a cluster, one that JSON holds as it is. The dispatcher of a broadcast decides how the
message reaches each subscriber, and may read the subscriber's metadata. Channels use this: their broadcasts go straight
to the transport and do not wake the channel.

In a cluster, the PubSubs of one name belong together. Subscribers on the same node get a message first and in any
case; other nodes get it at most once, those that have subscribers of its topic. What one node broadcasts to a topic
arrives in order.
"""

from __future__ import annotations

from typing import Final

import attrs

from phxactor.cluster import Node
from phxactor.otp import ChildSpec, Error, Ignore, Ok
from phxactor.pubsub import _crossing as across
from phxactor.pubsub._measuring import spans
from phxactor.pubsub._server import PubSubServer, find
from phxactor.pubsub._subscriber import Dispatcher, Subscriber, to_mailboxes
from phxactor.pubsub._tables import PubSubStatistics, Tables
from phxactor.runtime import (
    NoProcessError,
    Pid,
    Runtime,
    check_name,
    current_runtime,
    of_this_thread,
    self_pid,
    wrong_thread,
)
from phxactor.telemetry import brief

MAX_NAME: Final = 255
"""The most bytes of a PubSub's name: messages between nodes have one byte for its length."""


@attrs.frozen(repr=False)
class PubSub:
    """A PubSub, referred to by its name in the caller's runtime. Two objects with the same name are equal.

    The object holds no topics. A process registered under the name owns them (`child_spec`, `start_link`).

    Raises, in all methods that need the topics:
        NoProcessError: that process does not run.
        NotAProcessError: the caller is no process, and not exactly one runtime is open.
        WrongThreadError: the caller is in another thread than the runtime.

    """

    name: str = attrs.field(default="pubsub", validator=lambda _self, _field, name: _check(name))

    def __repr__(self) -> str:
        """Show the name."""
        return f"<PubSub {self.name}>"

    # ------------------------------------------------------------------------------------------ its process

    def child_spec(self) -> ChildSpec:
        """Return the child specification for a supervisor. Children that use the PubSub come after it in the list."""
        return ChildSpec(id=self.name, start=(self.start_link, (), {}))

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start the PubSub's process without subscriptions, linked to the caller.

        When that process ends, each subscriber gets an exit signal with its reason, as if it were linked.

        Returns `Ok(pid)`, or `Error(("already_started", pid))` if the name is taken in this runtime.
        """
        return await PubSubServer.start_link(self.name, name=self.name)

    def runs(self) -> bool:
        """Return whether the PubSub's process runs in this runtime."""
        return find(self.name, current_runtime()) is not None

    def statistics(self) -> PubSubStatistics:
        """Return the current counts. A thread started by `trio.to_thread` may call it too."""
        return self._tables(current_runtime(look_only=True)).statistics()

    # -------------------------------------------------------------------------------------------- its topics

    def subscribe(
        self, topic: str, metadata: object = None, *, pid: Pid | None = None, through: Pid | None = None
    ) -> None:
        """Subscribe a process to a topic. A process that subscribes twice gets each message twice.

        Args:
            topic: any text.
            metadata: any object, for dispatchers that read it; the default dispatcher (`to_mailboxes`) does not.
            pid: the subscriber; by default the current process.
            through: a process of the same runtime; a dispatcher may hand messages to it instead of the subscriber.
                By default the subscriber. The default dispatcher does not read it.

        """
        owner = self_pid() if pid is None else of_this_thread(pid)
        if through is None:
            through = owner
        elif through.thread != owner.thread:
            raise wrong_thread(through)
        self._tables(owner.runtime).add(topic, Subscriber(owner, metadata, through))

    def unsubscribe(self, topic: str, *, pid: Pid | None = None) -> None:
        """Remove all subscriptions of a process (by default the current one) to a topic. Having none is no error."""
        owner = self_pid() if pid is None else of_this_thread(pid)
        self._tables(owner.runtime).remove_all(topic, owner)

    def topics(self) -> list[str]:
        """Return the topics that have subscriptions."""
        return list(self._tables(current_runtime()).topics)

    def sizes(self) -> list[tuple[str, int]]:
        """List the topics with the number of their subscriptions."""
        return [(topic, len(held)) for topic, held in self._tables(current_runtime(look_only=True)).topics.items()]

    def subscribers(self, topic: str) -> list[Subscriber]:
        """Return the subscriptions of a topic, oldest first."""
        return list(self._tables(current_runtime()).topics.get(topic, ()))

    async def confirmed(self, topic: str) -> None:
        """Wait until the other nodes know that this one has subscribers of a topic, at most 1 s.

        From then on, what they broadcast arrives. It returns at once without a cluster, and as soon as each carrier
        that is not away has confirmed. Channels are confirmed before their `join` is called.
        """
        tables = self._tables(current_runtime())
        node = tables.node
        if node is not None and not node.is_confirmed(tables.scope, topic):
            await node.confirmed(tables.scope, topic)

    async def hold(self, topic: str) -> None:
        """Have other nodes bring a topic here before the current process is subscribed; wait as `confirmed` does.

        So nothing is missed between reading a state and subscribing to its changes: the subscription takes the place
        of the hold. `release` undoes it, and so does the end of the process. Without a cluster it does nothing.
        """
        owner = self_pid()
        self._tables(owner.runtime).hold(topic, owner)
        await self.confirmed(topic)

    def release(self, topic: str) -> None:
        """Undo a `hold` of the current process; a process that has none changes nothing."""
        owner = self_pid()
        self._tables(owner.runtime).release(topic, owner)

    def broadcast(self, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Hand a message to all subscribers of the topic, those here first. Never waits.

        In a cluster, the message also goes to other nodes, if the dispatcher is the default one or that of channels;
        with any other, it stays here. Errors come in a cluster only, and after the subscribers here have the message.

        Raises:
            TypeError: JSON does not hold the message as it is: None, bool, int of 64 bits, finite float, str, list,
                and dict with str as keys may cross. `local_broadcast` takes any object.
            ValueError: it is larger than the cluster's `max_message_bytes`.

        """
        tables = self._tables(current_runtime())
        if spans.on:
            self._measured(tables, topic, None, message, dispatcher, crosses=tables.node is not None)
            return
        if tables.node is not None:
            across.broadcast(tables, topic, None, message, dispatcher)
            return
        found = tables.topics.get(topic)
        if found is not None:
            dispatcher(list(found), None, message)

    def broadcast_from(self, pid: Pid, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Do as `broadcast`, but leave out the process `pid`, which is one of this node."""
        tables = self._tables(of_this_thread(pid).runtime)
        if spans.on:
            self._measured(tables, topic, pid, message, dispatcher, crosses=tables.node is not None)
            return
        if tables.node is not None:
            across.broadcast(tables, topic, pid, message, dispatcher)
            return
        found = tables.topics.get(topic)
        if found is not None:
            dispatcher(list(found), pid, message)

    def local_broadcast(self, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Hand a message, any object, to all subscribers of the topic on this node. Never waits."""
        tables = self._tables(current_runtime())
        if spans.on:
            self._measured(tables, topic, None, message, dispatcher, crosses=False)
            return
        found = tables.topics.get(topic)
        if found is not None:
            dispatcher(list(found), None, message)

    def local_broadcast_from(
        self, pid: Pid, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes
    ) -> None:
        """Do as `local_broadcast`, but leave out the process `pid`."""
        tables = self._tables(of_this_thread(pid).runtime)
        if spans.on:
            self._measured(tables, topic, pid, message, dispatcher, crosses=False)
            return
        found = tables.topics.get(topic)
        if found is not None:
            dispatcher(list(found), pid, message)

    def direct_broadcast(self, node: Node, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> bool:
        """Hand a message to all subscribers of the topic on one node. Never waits.

        Returns whether there is a way to that node now; whether the message arrives, nobody tells. For this node itself
        it is a `local_broadcast`. Raises as `broadcast` does, and TypeError for what is no `Node`, and for a dispatcher
        that does not cross.
        """
        if not isinstance(node, Node):
            raise TypeError(f"give a Node, such as one of phxactor.cluster.nodes(), not {brief(node):.200}")
        tables = self._tables(current_runtime())
        if tables.node is None:
            return False
        if node == tables.node.identity:
            self.local_broadcast(topic, message, dispatcher)
            return True
        return across.send(tables, node, topic, message, dispatcher)

    @staticmethod
    def _measured(
        tables: Tables, topic: str, left_out: Pid | None, message: object, dispatcher: Dispatcher, *, crosses: bool
    ) -> None:
        """Hand a message out as `broadcast` does; somebody listens to how long it takes."""

        def hand_out() -> None:
            if crosses:
                across.broadcast(tables, topic, left_out, message, dispatcher)
            elif (found := tables.topics.get(topic)) is not None:
                dispatcher(list(found), left_out, message)

        spans.around(tables, topic, left_out, message, hand_out, crosses=crosses)

    def _tables(self, runtime: Runtime) -> Tables:
        tables = find(self.name, runtime)
        if tables is None:
            raise NoProcessError(
                f"the PubSub {self.name!r} does not run: start it as a child of a supervisor, or give it to an endpoint"
            )
        return tables


def _check(name: str) -> None:
    """Raise for what is no name of a process, and for one that no message to other nodes has room for."""
    check_name(name)
    if len(name.encode(errors="replace")) > MAX_NAME:
        raise ValueError(f"the name of a PubSub has at most {MAX_NAME} bytes, and {name!r:.40}... has more")
