"""Tracker: who is where, for the program itself; nothing is sent to clients (Phoenix.Tracker, PR152).

class Visitors(Tracker):
    async def handle_diff(self, diff, state):
        for topic, (joins, leaves) in diff.items(): ...

Visitors.track("shop:7", session_id)         in any process
Visitors.count("shop:7")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from phxactor.otp import check_async
from phxactor.presence._element import Meta
from phxactor.presence._metas import key_of
from phxactor.presence._options import META_BYTES, Options
from phxactor.presence._tracking import Tracking
from phxactor.runtime import Pid

if TYPE_CHECKING:
    from phxactor.presence._callbacks import Callbacks, Told
    from phxactor.presence._guard import Guard

Pairs: TypeAlias = list[tuple[str, Meta]]
"""Pairs of key and meta."""
Owned: TypeAlias = list[tuple[Pid | None, Meta]]
"""Pairs of process and meta."""


class Tracker(Tracking):
    """Subclass it, and make the class a child of the application. Class options are those of `Presence` that fit."""

    options = Options("Tracker", None)

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        max_meta_bytes: int = META_BYTES,
        max_updates_per_second: float | None = None,
        **kwargs: object,
    ) -> None:
        """Raise TypeError or ValueError for an option or a callback that is not usable."""
        super().__init_subclass__(**kwargs)
        cls.options = Options(
            cls.__qualname__ if name is None else name,
            None,
            max_meta_bytes=max_meta_bytes,
            max_updates_per_second=max_updates_per_second,
        )
        check_async(cls, {"init": (), "handle_diff": ("diff", "state"), **FIRST_AND_LAST})
        cls.calls = any(
            getattr(cls, callback) is not getattr(Tracker, callback) for callback in ("handle_diff", *FIRST_AND_LAST)
        )

    @classmethod
    def list(cls, topic: str) -> Pairs:
        """Return key and meta of each element that is present in a topic, oldest key first (PR23)."""
        found = cls._tables().set.online.topics.get(topic)
        return [] if found is None else [(key, meta) for key in found.keys for meta in found.metas(key)]

    @classmethod
    def get_by_key(cls, topic: str, key: object) -> Owned:
        """Return process and meta of each element under a key, oldest first; the process is None on another node."""
        found = cls._tables().set.online.topics.get(topic)
        return (
            []
            if found is None
            else [(one.owner if isinstance(one.owner, Pid) else None, one.meta) for one in found.elements(key_of(key))]
        )

    async def handle_diff(self, diff: dict[str, tuple[Pairs, Pairs]], state: Any) -> Any:  # noqa: ANN401 - the program's
        """Take a change, `{topic: (joins, leaves)}` with pairs of key and meta; return the next state.

        It is called for one change after the other. If it raises, or takes longer than five seconds, the log gets a
        line, and the state stays as it was.
        """
        return state

    async def handle_told(self, guard: Guard, told: Told, callbacks: Callbacks) -> None:
        """Call `handle_diff`."""
        joins = [(one.key, one.meta) for one in told.joins]
        leaves = [(one.key, one.meta) for one in told.leaves]
        called = self.handle_diff({told.topic: (joins, leaves)}, callbacks.state)
        callbacks.state = await guard.call("handle_diff", told.topic, called, callbacks.state)


FIRST_AND_LAST = {"handle_first": ("topic", "key"), "handle_last": ("topic", "key")}
