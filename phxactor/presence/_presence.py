"""Presence: who is here, for clients and for the program (Phoenix.Presence 1.8).

    class RoomPresence(Presence):
        async def fetch(self, topic, presences):          # optional: adds to each presence what clients should see
            users = await load_users(presences)
            return {key: {**entry, "user": users[key]} for key, entry in presences.items()}

    class RoomChannel(Channel):
        presence = RoomPresence

        async def join(self, topic, payload):
            self.track_after_join(self.assigns.user_id, {"online_at": time()})

    application = Application(children=[RoomPresence], endpoints=[endpoint])

Clients of the topic get `presence_state` once and `presence_diff` from then on, as phoenix.js's Presence reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final, Never, TypeAlias

import orjson

from phxactor.otp import check_async
from phxactor.presence._element import Entry, Grouped
from phxactor.presence._guard import Guard
from phxactor.presence._metas import key_of
from phxactor.presence._options import META_BYTES, Options
from phxactor.presence._parts import parts_of, with_own
from phxactor.presence._tracker import FIRST_AND_LAST
from phxactor.presence._tracking import Tracking
from phxactor.pubsub import PubSub
from phxactor.socket import push_text

if TYPE_CHECKING:
    from phxactor.presence._callbacks import Callbacks, Told
    from phxactor.presence._tables import Tables
    from phxactor.socket import Socket

OF_ENDPOINT: Final = PubSub("endpoint.pubsub")
"""The PubSub that an `Endpoint()` starts of its own."""
_TRIES: Final = 3

Nobody: TypeAlias = list[Never]
"""What Phoenix's `get_by_key` returns for a key that is absent: `[]`."""


class Presence(Tracking):
    """Subclass it, and make the class a child of the application, ahead of the endpoint.

    These are options of the class, as in `class RoomPresence(Presence, max_meta_bytes=4096)`.

    Args:
        name: the registered name, by default that of the class. Trackers of one name on several nodes are one.
        pubsub: a PubSub whose subscribers get the diffs, by default that of an `Endpoint()`. Those of endpoints whose
            channels use this Presence are added automatically.
        state_event, diff_event, count_event: the events that clients get, by default as in Phoenix.
        max_meta_bytes: a meta that is larger as JSON is refused.
        max_state_bytes: a client that joins gets a larger state in parts, each of that many bytes at most: the first as
            the state, the others as diffs. By default, a state is one message.
        max_listed: most keys of a topic that clients are shown. They get the number of all as `count_event`, once a
            second at most. Each sees itself, and the others are those who came first; when one goes, the newest takes
            its place. Reading on the server shows all. By default, all are shown.
        max_updates_per_second: updates of one process; more are refused. By default, any number.
        grace: seconds for which clients are not told that a key has gone whose last process has ended. If it is back by
            then, on any node, they never are. Those who are untracked, or lost with their node, go at once. By default,
            none.

    """

    options = Options("Presence", OF_ENDPOINT)
    guard: ClassVar[Guard]

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        pubsub: PubSub = OF_ENDPOINT,
        state_event: str = "presence_state",
        diff_event: str = "presence_diff",
        count_event: str = "presence_count",
        max_meta_bytes: int = META_BYTES,
        max_state_bytes: int | None = None,
        max_listed: int | None = None,
        max_updates_per_second: float | None = None,
        grace: float | None = None,
        **kwargs: object,
    ) -> None:
        """Raise TypeError or ValueError for an option or a callback that is not usable."""
        super().__init_subclass__(**kwargs)
        if not isinstance(pubsub, PubSub):
            raise TypeError(f'pubsub must be a PubSub("name"); got {pubsub!r:.200}')
        cls.options = Options(
            cls.__qualname__ if name is None else name,
            pubsub,
            state_event=state_event,
            diff_event=diff_event,
            count_event=count_event,
            max_meta_bytes=max_meta_bytes,
            max_state_bytes=max_state_bytes,
            max_listed=max_listed,
            max_updates_per_second=max_updates_per_second,
            grace=grace,
        )
        cls.guard = Guard(cls.options.name)
        metas = ("topic", "diff", "presences", "state")
        check_async(cls, {"init": (), "fetch": ("topic", "presences"), "handle_metas": metas, **FIRST_AND_LAST})
        cls.fetches = cls.fetch is not Presence.fetch
        cls.calls = any(
            getattr(cls, callback) is not getattr(Presence, callback) for callback in ("handle_metas", *FIRST_AND_LAST)
        )

    # ---------------------------------------------------------------------------------------------- reading

    @classmethod
    def list(cls, topic: str) -> Grouped:
        """Return who is present: `{key: {"metas": [meta, ...]}}`, keys and metas oldest first; `{}` for nobody.

        It shows each change that has returned before. The entries and metas must not be changed: the next caller may
        get the same ones. They are made once for each change of a large topic.
        """
        tables = cls._tables()
        found = tables.set.online.topics.get(topic)
        if found is None:
            return {}
        tables.publisher.read(topic)
        return found.shared()

    @classmethod
    def get_by_key(cls, topic: str, key: object) -> Entry | Nobody:
        """Return the presence of one key, `{"metas": [meta, ...]}`; `[]` if it is absent, as in Phoenix."""
        tables = cls._tables()
        found = tables.set.online.topics.get(topic)
        metas = [] if found is None else found.metas(key_of(key))
        if not metas:
            return []
        tables.publisher.read(topic)
        return {"metas": metas}

    @classmethod
    async def fetched(cls, topic: str) -> Grouped:
        """Do as `list`, and have `fetch` add its data."""
        return await cls._fetched(topic, partial(cls.list, topic)) if cls.fetches else cls.list(topic)

    @classmethod
    async def _fetched(cls, topic: str, read: Callable[[], Grouped]) -> Grouped:
        """Fetch for what `read` returns: some presences of a topic, or all."""
        tables = cls._tables()
        found: Grouped = {}
        for _ in range(_TRIES):
            there = tables.set.online.topics.get(topic)
            version = None if there is None else there.version
            found = await cls.guard.fetch(tables.program.fetch, topic, read())
            if there is tables.set.online.topics.get(topic) and (there is None or there.version == version):
                return found
        return {key: {**found.get(key, {}), **entry} for key, entry in read().items()}

    @classmethod
    async def fetched_by_key(cls, topic: str, key: object) -> Entry | Nobody:
        """Do as `get_by_key`, and have `fetch` add its data; `[]` also if it leaves out the key."""
        entry = cls.get_by_key(topic, key)
        if isinstance(entry, list) or not cls.fetches:
            return entry
        name = key_of(key)
        found = await cls.guard.fetch(cls._tables().program.fetch, topic, {name: entry})
        return found.get(name, [])

    @classmethod
    def publish_to(cls, pubsub: PubSub) -> None:
        """Send diffs to the subscribers of one more PubSub: that of an endpoint whose channels use this Presence."""
        cls._tables().publisher.publish_to(pubsub)

    @classmethod
    async def push_state(cls, socket: Socket, *, whole: bool = True) -> None:
        """Push `presence_state` to the client of a channel's socket, which must be subscribed already (PR56).

        The JSON is encoded once for all clients, until the next diff; with a `fetch`, once for each client. If not
        `whole`, a state above `max_state_bytes` goes in parts (PR148): only for a client that shows nobody yet, since
        whoever is not in the state leaves, as it sees it.
        """
        topic = str(socket.topic)
        limit = None if whole else cls.options.max_state_bytes
        tables = cls._tables(socket.transport_pid.runtime)
        if cls.fetches:
            fetched = await cls._fetched(topic, partial(_shown, tables, socket))
            parts = [orjson.dumps(fetched)] if limit is None else parts_of(fetched, limit)
        else:
            parts = [tables.states.state(topic)] if limit is None else tables.states.parts(topic, limit)
            if cls.options.max_listed is not None and (own := _unlisted(tables, socket)):
                parts = with_own(parts, own)
        event = cls.options.state_event
        for part in parts:
            push_text(socket, event, part)
            event = cls.options.diff_event
        count = tables.states.count(topic)
        if count is not None:
            socket.push(cls.options.count_event, {"count": count})

    # -------------------------------------------------------------------------------------------- callbacks

    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        """Return the presences, with more fields beside `metas`: what clients should see of each key.

        It is called for the joins and for the leaves of each diff, and for each list that `fetched` and `push_state`
        make. A key that it leaves out is hidden. If it raises, takes longer than five seconds, or returns nonsense, the
        log gets a line, and clients get what there was without it.
        """
        return presences

    async def handle_metas(self, topic: str, diff: Grouped, presences: dict[str, Any], state: Any) -> Any:  # noqa: ANN401 - the program's
        """Take a diff, `{"joins": ..., "leaves": ...}`, that clients have got; return the next state.

        `presences` is `{key: [meta, ...]}` of the topic, with this diff; it must not be changed. It is called for one
        diff after the other. If it raises, or takes longer than five seconds, the log gets a line, and the state stays
        as it was.
        """
        return state

    async def handle_told(self, guard: Guard, told: Told, callbacks: Callbacks) -> None:
        """Call `handle_metas`."""
        diff: Grouped = {"joins": told.fetched_joins, "leaves": told.fetched_leaves}
        called = self.handle_metas(told.topic, diff, callbacks.keys.get(told.topic, {}), callbacks.state)
        callbacks.state = await guard.call("handle_metas", told.topic, called, callbacks.state)


def _shown(tables: Tables, socket: Socket) -> Grouped:
    """Return whom a client is shown: those who are listed, and itself."""
    unlisted = {} if tables.options.max_listed is None else _unlisted(tables, socket)
    return tables.states.listed(str(socket.topic)) | unlisted


def _unlisted(tables: Tables, socket: Socket) -> Grouped:
    """Return the entries of the channel's own keys, if they are not listed."""
    name, found = str(socket.topic), tables.set.online.topics.get(str(socket.topic))
    if found is None:
        return {}
    keys = [element.key for element in tables.set.of(socket.channel_pid) if element.topic == name]
    return {key: {"metas": found.metas(key)} for key in keys if not tables.states.lists(name, key)}
