"""Presence: who is on a topic, kept from what the server pushes; the other half of the server's presence.

    presence = Presence(on_join=lambda key, before, new: ...)
    async for message in room:
        if presence.take(message):
            print(presence.list())

It follows phoenix.js's Presence (1.8): metas are told apart by their `phx_ref`. Diffs that come between a join and its
state are held back until that has come, as they may be older than it.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, final, overload

from phxactor.socket import Message

T = TypeVar("T")
Entry: TypeAlias = dict[str, Any]
"""`{"metas": [meta, ...]}`, with more fields if the server adds some."""
State: TypeAlias = dict[str, Entry]
"""The entries by key."""
OnJoin: TypeAlias = Callable[[str, Entry | None, Entry], object]
OnLeave: TypeAlias = Callable[[str, Entry, Entry], object]


@final
class Presence:
    """Who is on a topic. `state` maps each key to its entry, `{"metas": [meta, ...]}`; the metas are oldest first."""

    def __init__(
        self,
        *,
        state_event: str = "presence_state",
        diff_event: str = "presence_diff",
        on_join: OnJoin | None = None,
        on_leave: OnLeave | None = None,
        on_sync: Callable[[], object] | None = None,
    ) -> None:
        """Start with nobody.

        Args:
            state_event: the server's event with the whole state.
            diff_event: the server's event with a change.
            on_join: called as `on_join(key, before, new)`: `before` is the entry as it was, None if the key has come,
                and `new` has the metas that have come.
            on_leave: called as `on_leave(key, now, left)`: `now` is what remains, without metas if the key has gone,
                and `left` has the metas that have left.
            on_sync: called after each state, and after each diff that is not held back.

        """
        self.state: State = {}
        self._state_event: Final = state_event
        self._diff_event: Final = diff_event
        self._on_join: Final = on_join
        self._on_leave: Final = on_leave
        self._on_sync: Final = on_sync
        self._held: builtins.list[dict[str, State]] | None = []
        """The diffs that wait for the state of this join; None once that has come."""

    def __repr__(self) -> str:
        """Show the number of keys."""
        return f"<Presence of {len(self.state)}>"

    @property
    def synced(self) -> bool:
        """Whether the state of the present join has come."""
        return self._held is None

    def take(self, message: Message) -> bool:
        """Take a message of the channel's iteration, and return whether `state` may have changed by it.

        Messages with other events are left alone; `phx_join` begins to wait for a state. Raises ValueError for a
        payload that is no state or diff.
        """
        if message.event == "phx_join":
            self._held = []
            return False
        if message.event == self._state_event:
            new = _checked(message.payload)
            self.state = sync_state(self.state, new, self._on_join, self._on_leave)
            held, self._held = self._held, None
            for diff in held or ():
                sync_diff(self.state, diff, self._on_join, self._on_leave)
        elif message.event == self._diff_event:
            diff = _checked_diff(message.payload)
            if self._held is not None:
                self._held.append(diff)
                return False
            sync_diff(self.state, diff, self._on_join, self._on_leave)
        else:
            return False
        if self._on_sync is not None:
            self._on_sync()
        return True

    @overload
    def list(self) -> builtins.list[Entry]: ...
    @overload
    def list(self, by: Callable[[str, Entry], T]) -> builtins.list[T]: ...
    def list(self, by: Callable[[str, Entry], T] | None = None) -> builtins.list[T] | builtins.list[Entry]:
        """Return the entries, or what `by(key, entry)` makes of each."""
        if by is None:
            return [*self.state.values()]
        return [by(key, entry) for key, entry in self.state.items()]


def sync_state(state: State, new: State, on_join: OnJoin | None = None, on_leave: OnLeave | None = None) -> State:
    """Return a state that has become another one; the callbacks are told of the difference."""
    joins: State = {}
    leaves: State = {key: entry for key, entry in state.items() if key not in new}
    for key, entry in new.items():
        known = state.get(key)
        if known is None:
            joins[key] = entry
            continue
        known_refs, new_refs = _refs(known), _refs(entry)
        joined = [meta for meta in entry["metas"] if meta["phx_ref"] not in known_refs]
        left = [meta for meta in known["metas"] if meta["phx_ref"] not in new_refs]
        if joined:
            joins[key] = {**entry, "metas": joined}
        if left:
            leaves[key] = {**known, "metas": left}
    fresh = {key: {**entry, "metas": list(entry["metas"])} for key, entry in state.items()}
    return sync_diff(fresh, {"joins": joins, "leaves": leaves}, on_join, on_leave)


def sync_diff(
    state: State, diff: dict[str, State], on_join: OnJoin | None = None, on_leave: OnLeave | None = None
) -> State:
    """Apply a diff to a state, joins first, and return the state."""
    for key, new in diff["joins"].items():
        before = state.get(key)
        refs = _refs(new)
        kept = [] if before is None else [meta for meta in before["metas"] if meta["phx_ref"] not in refs]
        state[key] = {**new, "metas": kept + new["metas"]}
        if on_join is not None:
            on_join(key, before, new)
    for key, left in diff["leaves"].items():
        entry = state.get(key)
        if entry is None:
            continue
        refs = _refs(left)
        entry["metas"] = [meta for meta in entry["metas"] if meta["phx_ref"] not in refs]
        if on_leave is not None:
            on_leave(key, entry, left)
        if not entry["metas"]:
            state.pop(key, None)
    return state


def _refs(entry: Entry) -> set[str]:
    return {meta["phx_ref"] for meta in entry["metas"]}


def _checked(payload: object) -> State:
    """Return a payload that is a state; raise ValueError for another."""
    if isinstance(payload, dict) and all(map(_is_entry, payload.values())):
        return payload
    raise ValueError(f"a state of presence is an object of entries with metas, not {payload!r:.200}")


def _checked_diff(payload: object) -> dict[str, State]:
    if isinstance(payload, dict):
        return {"joins": _checked(payload.get("joins")), "leaves": _checked(payload.get("leaves"))}
    raise ValueError(f"a diff of presence has joins and leaves, not {payload!r:.200}")


def _is_entry(entry: object) -> bool:
    metas = entry.get("metas") if isinstance(entry, dict) else None
    return isinstance(metas, list) and all(
        isinstance(meta, dict) and isinstance(meta.get("phx_ref"), str) for meta in metas
    )
