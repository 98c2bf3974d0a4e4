"""PubSub: messages to all processes that are subscribed to a topic.

    pubsub = PubSub("news")                    the name of one; nothing runs yet
    run(endpoint, children=[pubsub])           a supervisor starts it

    pubsub.subscribe("weather")                in any process of that runtime
    pubsub.broadcast("weather", "rain")

What a message is, and how it reaches a subscriber, is not known here: a dispatcher may know more about its subscribers
from the metadata that they gave, as channels do to be written to without being woken.
"""

from __future__ import annotations

import attrs

from phxactor.otp import ChildSpec, Error, Ignore, Ok
from phxactor.pubsub.server import PubSubServer
from phxactor.pubsub.subscriber import Dispatcher, Subscriber, to_mailboxes
from phxactor.pubsub.tables import PubSubStatistics, Tables
from phxactor.runtime import NoProcessError, Pid, Runtime, current_runtime, of_this_thread, self_pid, wrong_thread
from phxactor.runtime.names import check_name


@attrs.frozen(repr=False)
class PubSub:
    """The PubSub of a name, in whichever runtime it is used; two with one name are equal.

    It holds nothing: the topics live with a process that is registered under the name (`child_spec`, `start_link`).
    While that process does not run, everything but `repr` and `child_spec` raises NoProcessError; outside of a process,
    and where not just one runtime is open, NotAProcessError; in another thread than the runtime's, WrongThreadError.
    """

    name: str = attrs.field(default="pubsub", validator=lambda _self, _field, name: check_name(name))

    def __repr__(self) -> str:
        """Show the name."""
        return f"<PubSub {self.name}>"

    # ------------------------------------------------------------------------------------------ its process

    def child_spec(self) -> ChildSpec:
        """Say how a supervisor starts it; who uses it stands after it in the list of children."""
        return ChildSpec(id=self.name, start=(self.start_link, (), {}))

    async def start_link(self) -> Ok[Pid] | Error | Ignore:
        """Start it without subscriptions, linked to the caller; `Error(("already_started", pid))` if it runs here.

        Whoever is subscribed when its process ends gets an exit signal with the reason, as if they were linked.
        """
        return await PubSubServer.start_link(name=self.name)

    def runs(self) -> bool:
        """Say whether it runs here."""
        return self._found(current_runtime()) is not None

    def statistics(self) -> PubSubStatistics:
        """Count what there is now; a thread of `trio.to_thread` may do so too."""
        return self._tables(current_runtime(look_only=True)).statistics()

    # -------------------------------------------------------------------------------------------- its topics

    def subscribe(
        self, topic: str, metadata: object = None, *, pid: Pid | None = None, through: Pid | None = None
    ) -> None:
        """Subscribe a process, by default the current one; twice means that each message comes twice.

        `metadata` is for dispatchers that know of it, and so is `through`: a process, by default the subscriber
        itself, to which such a dispatcher may hand messages in the subscriber's place. `to_mailboxes`, the default
        dispatcher, uses neither.
        """
        owner = self_pid() if pid is None else of_this_thread(pid)
        if through is None:
            through = owner
        elif through.thread != owner.thread:
            raise wrong_thread(through)
        self._tables(owner.runtime).add(topic, Subscriber(owner, metadata, through))

    def unsubscribe(self, topic: str, *, pid: Pid | None = None) -> None:
        """End all subscriptions of a process, by default the current one, to a topic; no error if there are none."""
        owner = self_pid() if pid is None else of_this_thread(pid)
        self._tables(owner.runtime).remove_all(topic, owner)

    def topics(self) -> list[str]:
        """List the topics that have subscriptions."""
        return list(self._tables(current_runtime()).topics)

    def subscribers(self, topic: str) -> list[Subscriber]:
        """List the subscriptions of a topic, oldest first."""
        return list(self._tables(current_runtime()).topics.get(topic, ()))

    def broadcast(self, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Hand a message to all who are subscribed to the topic; never waits."""
        found = self._tables(current_runtime()).topics.get(topic)
        if found is not None:
            dispatcher(list(found), None, message)

    local_broadcast = broadcast

    def broadcast_from(self, pid: Pid, topic: str, message: object, dispatcher: Dispatcher = to_mailboxes) -> None:
        """Do as `broadcast`, but leave one process out."""
        found = self._tables(of_this_thread(pid).runtime).topics.get(topic)
        if found is not None:
            dispatcher(list(found), pid, message)

    def _tables(self, runtime: Runtime) -> Tables:
        tables = self._found(runtime)
        if tables is None:
            raise NoProcessError(
                f"the PubSub {self.name!r} does not run: it is a child of a supervisor, or an endpoint's"
            )
        return tables

    def _found(self, runtime: Runtime) -> Tables | None:
        server = runtime.names.whereis(self.name)
        if server is None or server.dictionary is None:
            return None
        tables = server.dictionary.get(Tables)
        return tables if isinstance(tables, Tables) else None
