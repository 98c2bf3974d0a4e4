"""What Presence and Tracker have in common: options, the tree, and tracking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import attrs

from phxactor.otp import ChildSpec, Error, Ignore, Ok
from phxactor.presence._element import Grouped, Meta
from phxactor.presence._metas import key_of
from phxactor.presence._options import Options
from phxactor.presence._statistics import PresenceStatistics, statistics_of
from phxactor.presence._tables import Tables
from phxactor.presence._tree import PresenceSupervisor
from phxactor.runtime import NoProcessError, Pid, Runtime, current_runtime, of_this_thread, self_pid

if TYPE_CHECKING:
    from phxactor.presence._callbacks import Callbacks, Told
    from phxactor.presence._guard import Guard

Given: TypeAlias = Mapping[str, Any] | attrs.AttrsInstance | object | None
"""A meta as programs give it: a dict, or an instance of an attrs class or dataclass; None for an empty one."""


class Tracking:
    """The base of `Presence` and `Tracker`. All its methods are synchronous, and none waits.

    Raises, in all methods that need the tables:
        NoProcessError: it does not run.
        NotAProcessError: the caller is no process, and not exactly one runtime is open.
        WrongThreadError: the caller is in another thread than the process.

    """

    options: ClassVar[Options]
    fetches: ClassVar[bool] = False
    """Whether the class has a `fetch` of its own."""
    calls: ClassVar[bool] = False
    """Whether the class has other callbacks."""

    # ------------------------------------------------------------------------------------------ its processes

    @classmethod
    def child_spec(cls) -> ChildSpec:
        """Return the child specification: it comes ahead of the endpoint in a list of children."""
        return ChildSpec(id=cls.options.name, start=(cls.start_link, (), {}), type="supervisor")

    @classmethod
    async def start_link(cls) -> Ok[Pid] | Error | Ignore:
        """Start it with nobody tracked, linked to the caller.

        When its supervisor ends, each tracked process gets an exit signal with its reason, as if it were linked.

        Returns `Ok(pid)`, or `Error(("already_started", pid))` if the name is taken in this runtime.
        """
        return await PresenceSupervisor.start_link(cls, name=cls.options.name)

    @classmethod
    def runs(cls) -> bool:
        """Return whether it runs in this runtime."""
        return cls._found(current_runtime()) is not None

    @classmethod
    def statistics(cls) -> PresenceStatistics:
        """Return the current counts."""
        return statistics_of(cls._tables())

    # --------------------------------------------------------------------------------------------- tracking

    @classmethod
    def track(cls, topic: str, key: object, meta: Given = None, *, pid: Pid | None = None) -> Ok[str] | Error:
        """Track a process, by default the current one, under a key of a topic, until it ends.

        The key says who, such as a user's id; the process says which connection. A process may have any number of keys
        and topics, and any number of processes one key.

        Returns `Ok(phx_ref)`, the ref of the meta, or an Error:
            ("already_tracked", pid, topic, key): the process has this key of the topic; nothing has changed.
            ("too_large", bytes, limit): the meta is larger than `max_meta_bytes`.
            "noproc": the process has ended.

        Raises TypeError for a meta that is no dict (or attrs class, or dataclass), or that JSON cannot hold, and for a
        key that is None.
        """
        owner = self_pid() if pid is None else of_this_thread(pid)
        return cls._tables(owner.runtime).track(owner, topic, key_of(key), meta)

    @classmethod
    def update(
        cls, topic: str, key: object, meta: Given | Callable[[Meta], Given], *, pid: Pid | None = None
    ) -> Ok[str] | Error:
        """Replace the meta of a tracked process; a function gets a copy of the present one, and returns the next.

        If the function's parameter is annotated with an attrs class or a dataclass, it gets an instance of that.
        Clients get one diff, with the old meta in `leaves` and the new one in `joins`, also if both are equal. What the
        function raises is raised here, and nothing has changed.

        Returns `Ok(phx_ref)` of the new meta, or an Error:
            "nopresence": the process has not this key of the topic.
            "too_many_updates": it makes more than `max_updates_per_second`.
            ("too_large", bytes, limit): as for `track`.
        """
        owner = self_pid() if pid is None else of_this_thread(pid)
        return cls._tables(owner.runtime).update(owner, topic, key_of(key), meta)

    @classmethod
    def untrack(cls, topic: str, key: object, *, pid: Pid | None = None) -> None:
        """Stop tracking a process under a key of a topic. It is no error if it was not tracked."""
        owner = self_pid() if pid is None else of_this_thread(pid)
        cls._tables(owner.runtime).untrack(owner, topic, key_of(key))

    @classmethod
    def untrack_all(cls, *, pid: Pid | None = None) -> None:
        """Stop tracking a process wholly: in all topics, under all keys."""
        owner = self_pid() if pid is None else of_this_thread(pid)
        cls._tables(owner.runtime).untrack_all(owner)

    # ---------------------------------------------------------------------------------------------- reading

    @classmethod
    def count(cls, topic: str) -> int:
        """Return the number of keys that are present in a topic: of people, not of their devices."""
        found = cls._tables().set.online.topics.get(topic)
        return 0 if found is None else len(found.keys)

    @classmethod
    def topics(cls) -> dict[str, int]:
        """Return the topics in which somebody is present, each with its number of keys."""
        return {name: len(topic.keys) for name, topic in cls._tables().set.online.topics.items()}

    # -------------------------------------------------------------------------------------------- callbacks

    async def init(self) -> Any:  # noqa: ANN401 - a program's state is its own
        """Return the first state of `handle_metas` or `handle_diff`; runs when the process of the callbacks starts."""
        return None

    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        """Return the presences, with more fields beside `metas`; a Presence may override it."""
        return presences

    async def handle_told(self, guard: Guard, told: Told, callbacks: Callbacks) -> None:
        """Call the class's callback for one diff."""

    async def handle_first(self, topic: str, key: str) -> None:
        """Hear that a key has come: its first process in this topic, on any node, has been tracked."""

    async def handle_last(self, topic: str, key: str) -> None:
        """Hear that a key has gone: its last process in this topic has left."""

    # ---------------------------------------------------------------------------------------------- finding

    @classmethod
    def _tables(cls, runtime: Runtime | None = None) -> Tables:
        tables = Tables.found(cls.options.name, current_runtime() if runtime is None else runtime)
        if tables is None:
            raise NoProcessError(
                f"{cls.__qualname__} does not run: make it a child of the application, as in "
                f"Application(children=[{cls.__qualname__}], endpoints=[endpoint])"
            )
        return tables

    @classmethod
    def _found(cls, runtime: Runtime) -> Tables | None:
        return Tables.found(cls.options.name, runtime)
