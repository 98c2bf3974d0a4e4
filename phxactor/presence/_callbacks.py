"""The process that runs a program's callbacks about changes, one after the other: `handle_metas` and its like.

It keeps the presences of each topic as the diffs have made them, so that each call sees those of its own diff (PR28).
When it is a thousand diffs behind, it gets no more of them: having caught up, it takes the difference to who is there
then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

import attrs

from phxactor.otp import GenServer, NoReply, Stop
from phxactor.presence._element import Element, Grouped, Meta, grouped
from phxactor.presence._guard import Guard
from phxactor.presence._metas import REF
from phxactor.runtime import self_pid

if TYPE_CHECKING:
    from phxactor.presence._tables import Tables


@final
@attrs.frozen
class Told:
    """A diff that has gone out: its topic, its elements, and its joins and leaves as clients have got them."""

    topic: str
    joins: list[Element]
    leaves: list[Element]
    fetched_joins: Grouped
    fetched_leaves: Grouped


@final
class Callbacks(GenServer):
    """Calls `handle_metas`, `handle_first` and `handle_last` of a Presence, `handle_diff` of a Tracker."""

    async def init(self, tables: Tables) -> None:
        """Begin with those who are there now."""
        program = tables.program
        self.tables = tables
        self.guard = Guard(tables.options.name)
        self.program = program
        self.keys: dict[str, dict[str, list[Meta]]] = {
            name: {key: topic.metas(key) for key in topic.keys} for name, topic in tables.set.online.topics.items()
        }
        self.state: Any = await self.guard.call("init", None, program.init(), None)
        tables.publisher.callbacks = self_pid()
        tables.publisher.missed = False

    async def handle_info(self, message: object) -> NoReply | Stop | None:
        """Take a diff."""
        if type(message) is not Told:
            return await super().handle_info(message)
        await self._tell(message)
        publisher = self.tables.publisher
        while publisher.missed and not self_pid().mailbox:
            publisher.missed = False
            for told in self._differences():
                await self._tell(told)
        return None

    async def _tell(self, told: Told) -> None:
        topic = told.topic
        came, went = self._fold(told)
        await self.program.handle_told(self.guard, told, self)
        for key in came:
            await self.guard.call("handle_first", topic, self.program.handle_first(topic, key), None)
        for key in went:
            await self.guard.call("handle_last", topic, self.program.handle_last(topic, key), None)

    def _differences(self) -> list[Told]:
        """Compare what the callbacks know with who is online: one diff for each topic. `fetch` has not seen them."""
        topics = self.tables.set.online.topics
        found: list[Told] = []
        for name in {**self.keys, **topics}:
            topic = topics.get(name)
            here = [] if topic is None else [one for key in topic.keys for one in topic.elements(key)]
            refs = {one.meta[REF] for one in here}
            known = {meta[REF] for metas in self.keys.get(name, {}).values() for meta in metas}
            joins = [one for one in here if one.meta[REF] not in known]
            leaves = [
                Element(name, key, meta, 0)
                for key, metas in self.keys.get(name, {}).items()
                for meta in metas
                if meta[REF] not in refs
            ]
            if joins or leaves:
                found.append(Told(name, joins, leaves, grouped(joins), grouped(leaves)))
        return found

    def _fold(self, told: Told) -> tuple[list[str], list[str]]:
        """Apply a diff as clients do (PR52); return the keys that came and those that went."""
        keys = self.keys.setdefault(told.topic, {})
        before = {element.key for element in (*told.joins, *told.leaves) if element.key in keys}
        for element in told.joins:
            metas = keys.setdefault(element.key, [])
            if not any(meta[REF] == element.meta[REF] for meta in metas):
                metas.append(element.meta)
        for element in told.leaves:
            metas = keys.get(element.key, [])
            metas[:] = [meta for meta in metas if meta[REF] != element.meta[REF]]
            if not metas:
                keys.pop(element.key, None)
        if not keys:
            del self.keys[told.topic]
        came = [key for key in dict.fromkeys(one.key for one in told.joins) if key in keys and key not in before]
        went = [key for key in dict.fromkeys(one.key for one in told.leaves) if key not in keys and key in before]
        return came, went
