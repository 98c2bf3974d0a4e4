"""PubSub: messages to all processes that are subscribed to a topic.

    pubsub = PubSub("news")                    only the name: nothing runs yet
    run(endpoint, children=[pubsub])           a supervisor starts it

    pubsub.subscribe("weather")                in any process of that runtime
    pubsub.broadcast("weather", "rain")

A message is any object. The dispatcher of a broadcast decides how the message reaches each subscriber, and may read the
subscriber's metadata. Channels use this: their broadcasts go straight to the transport and do not wake the channel.
"""

from __future__ import annotations

import attrs

from phxactor.otp import ChildSpec, Error, Ignore, Ok
from phxactor.pubsub._server import PubSubServer
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


@attrs.frozen(repr=False)
class PubSub:
    """A PubSub, referred to by its name in the caller's runtime. Two objects with the same name are equal.

    The object holds no topics. A process registered under the name owns them (`child_spec`, `start_link`).

    Raises, in all methods that need the topics:
        NoProcessError: that process does not run.
        NotAProcessError: the caller is no process, and not exactly one runtime is open.
        WrongThreadError: the caller is in another thread than the runtime.

    """

    name: str = attrs.field(default="pubsub", validator=lambda _self, _field, name: check_name(name))

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
        return await PubSubServer.start_link(name=self.name)

    def runs(self) -> bool:
        """Return whether the PubSub's process runs in this runtime."""
        return self._found(current_runtime()) is not None

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

    def subscribers(self, topic: str) -> list[Subscriber]:
        """Return the subscriptions of a topic, oldest first."""
        return list(self._tables(current_runtime()).topics.get(topic, ()))

    def broadcast(self, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Hand a message to all subscribers of the topic. Never waits."""
        found = self._tables(current_runtime()).topics.get(topic)
        if found is not None:
            dispatcher(list(found), None, message)

    local_broadcast = broadcast

    def broadcast_from(self, pid: Pid, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Hand a message to all subscribers of the topic except the process `pid`. Never waits."""
        found = self._tables(of_this_thread(pid).runtime).topics.get(topic)
        if found is not None:
            dispatcher(list(found), pid, message)

    def _tables(self, runtime: Runtime) -> Tables:
        tables = self._found(runtime)
        if tables is None:
            raise NoProcessError(
                f"the PubSub {self.name!r} does not run: start it as a child of a supervisor, or give it to an endpoint"
            )
        return tables

    def _found(self, runtime: Runtime) -> Tables | None:
        server = runtime.names.whereis(self.name)
        if server is None or server.dictionary is None:
            return None
        tables = server.dictionary.get(Tables)
        return tables if isinstance(tables, Tables) else None
