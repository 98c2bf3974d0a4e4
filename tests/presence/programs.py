"""Random programs of replicas, each with what Phoenix was seen to do with it, and the player that runs one here.

`sample.json` holds 300 of them: `programs` and `observations`, in the same order. A replica is a number; the ref "2.3"
is the third life of replica 2. An element is a number, one for each join and update; its meta is `{"e": number}`.
Messages are numbered from 0 in the order of the steps `delta` and `full`.

    join i e pid topic key      update i e pid topic key      leave i pid topic key      drop i pid
    delta i       what i did since its last delta is the next message, for everyone
    full i j      the next message: what i knows of the replicas that j knows and does not hold for down
    merge j m     message m arrives at j: again, late, or for the first time
    transfer i j  a `full` that arrives at once
    up i ref      down i ref      permdown i ref      restart i
    heal          nothing: the steps behind it remove dead lives, and have everyone up and told of everyone

An observation has, for each step, the list of the replica that acted after it (of j for `transfer`); 0 if it did not
change. `want` in it is what the list should be, where Phoenix was wrong. From the step `gap` up to the end this set may
differ, as it takes no message beyond a gap (it asks instead).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from phxactor.presence._element import Changes, Delta, Element
from phxactor.presence._set import PresenceSet

Step: TypeAlias = list[Any]

SAMPLE: Final = Path(__file__).with_name("sample.json")


@attrs.frozen
class Program:
    """A program, and what was seen of it."""

    id: int
    kind: str
    replicas: int
    steps: list[Step]
    seen: list[Any]
    end: list[int]
    gap: int

    def differences(self) -> Iterator[str]:
        """Play it, and say what differs."""
        player = Player(self.replicas)
        recorded: dict[int, list[int]] = {}
        for number, (step, seen) in enumerate(zip(self.steps, self.seen, strict=True)):
            before = player.lists()
            acted, changes = player.play(step)
            for problem in player.wrong_changes(before, acted, changes):
                yield f"program {self.id}, step {number} {step}: {problem}"
            if acted is None:
                continue
            if isinstance(seen, dict):
                recorded[acted] = seen["on"]
            elif isinstance(seen, list):
                recorded[acted] = seen
            wanted = seen["want"] if isinstance(seen, dict) and "want" in seen else recorded.get(acted, [])
            if number < self.gap and player.list_of(acted) != wanted:
                yield f"program {self.id}, step {number} {step}: {player.list_of(acted)}, not {wanted}"
        for replica in range(self.replicas):
            if player.list_of(replica) != self.end:
                yield f"program {self.id}: at the end {replica} has {player.list_of(replica)}, not {self.end}"


class Player:
    """The replicas of a program while it is played."""

    def __init__(self, replicas: int) -> None:
        self.lives = [1] * replicas
        self.sets = [PresenceSet(self.ref(replica)) for replica in range(replicas)]
        self.told = [0] * replicas
        """The number of the last event that each has told in a delta."""
        self.messages: list[list[Delta]] = []
        for one in self.sets:
            for replica in range(replicas):
                one.up(self.ref(replica))

    def ref(self, replica: int) -> str:
        """Return the ref of the present life of a replica."""
        return f"{replica}.{self.lives[replica]}"

    def list_of(self, replica: int) -> list[int]:
        """Return the elements that a replica shows."""
        return sorted(meta["e"] for meta in self._metas(replica))

    def lists(self) -> list[list[int]]:
        """Return the elements that all replicas show."""
        return [self.list_of(replica) for replica in range(len(self.sets))]

    def _metas(self, replica: int) -> Iterator[dict[str, int]]:
        for topic in self.sets[replica].online.topics.values():
            for entry in topic.grouped().values():
                yield from entry["metas"]

    def wrong_changes(self, before: list[list[int]], acted: int | None, changes: Changes | None) -> Iterator[str]:
        """Say where a step has changed lists without telling so, or the list of a replica that did not act (PR41)."""
        for replica, was in enumerate(before):
            now = self.list_of(replica)
            if replica != acted:
                if acted is not None and was != now:
                    yield f"{replica} changed too"
            elif changes is not None:
                joins, leaves = _numbers(changes.joins), _numbers(changes.leaves)
                if joins != sorted(set(now) - set(was)) or leaves != sorted(set(was) - set(now)):
                    yield f"{was} became {now} by the joins {joins} and the leaves {leaves}"

    def full(self, i: int, j: int) -> list[Delta]:
        """Return what i knows and j asks for."""
        asker = self.sets[j]
        asked = [replica for replica, up in asker.others().items() if up]
        return [state for replica in asked if (state := self.sets[i].state_of(replica)) is not None]

    def take(self, j: int, message: list[Delta]) -> Changes:
        """Have a message arrive."""
        changes = Changes()
        for delta in message:
            done = self.sets[j].merge(delta)
            if done is not None:
                changes.joins += done.joins
                changes.leaves += done.leaves
        return changes

    def play(self, step: Step) -> tuple[int | None, Changes | None]:
        """Play a step; returns the replica whose list may have changed, and what it says has changed."""
        kind, i = step[0], step[1] if len(step) > 1 else None
        if kind in ("join", "update", "leave", "drop"):
            return i, self._own(step)
        changes: Changes | None = None
        match step:
            case ["delta", i]:
                self.messages.append([self.sets[i].since(self.told[i])])
                self.told[i] = self.sets[i].number
            case ["full", i, j]:
                self.messages.append(self.full(i, j))
            case ["merge", i, number]:
                changes = self.take(i, self.messages[number])
            case ["transfer", giver, i]:
                changes = self.take(i, self.full(giver, i))
            case ["up" | "down" | "permdown", i, ref]:
                changes = getattr(self.sets[i], kind)(ref)
            case ["restart", i]:
                self.lives[i] += 1
                self.told[i] = 0
                self.sets[i] = PresenceSet(self.ref(i))
            case ["heal"]:
                pass
            case _:
                raise ValueError(f"there is no step {step}")
        return i, changes

    def _own(self, step: Step) -> Changes:
        match step:
            case ["join", i, e, pid, topic, key]:
                return Changes([self.sets[i].join(pid, topic, key, {"e": e})])
            case ["update", i, e, pid, topic, key]:
                old = self._find(i, pid, topic, key)
                return Changes([self.sets[i].replace(old, {"e": e})], [old])
            case ["leave", i, pid, topic, key]:
                old = self._find(i, pid, topic, key)
                self.sets[i].leave(old)
                return Changes([], [old])
            case _:
                return Changes([], self.sets[step[1]].drop(step[2]))

    def _find(self, i: int, pid: int, topic: str, key: str) -> Element:
        found = self.sets[i].find(pid, topic, key)
        assert found is not None
        return found


def _numbers(elements: list[Element]) -> list[int]:
    return sorted(element.meta["e"] for element in elements)


def load(path: Path) -> list[Program]:
    """Read the programs of a file."""
    content = json.loads(path.read_text())
    return [
        Program(
            id=program["id"],
            kind=program["kind"],
            replicas=program["replicas"],
            steps=program["steps"],
            seen=seen["steps"],
            end=seen["end"],
            gap=seen.get("gap", len(program["steps"])),
        )
        for program, seen in zip(content["programs"], content["observations"], strict=True)
    ]
