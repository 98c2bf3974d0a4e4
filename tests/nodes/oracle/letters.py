"""What waits in the mailboxes, as the record writes it: sender, and letters in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import attrs

from phxactor.cluster import Node, NodeDown, NodeUp
from phxactor.runtime import Crash, Down, Exited, Pid, Reason

Letters: TypeAlias = list[list[object]]


@attrs.frozen
class Gone:
    """What `monitor_node` brings."""

    node: Node


@attrs.frozen
class Moved:
    """What a monitor of a group brings: a member has come or gone."""

    monitor: int
    kind: str
    pid: Pid


def to_reason(term: object) -> Reason:
    """Read an exit reason."""
    return tuple(term) if isinstance(term, list) else term


def from_reason(reason: Reason) -> object:
    """Write an exit reason."""
    match reason:
        case Crash(exception=error):
            return ["error", str(error)]
        case tuple():
            return list(reason)
        case _:
            return reason


def sort(messages: list[object], actor: Callable[[Pid], int], node: Callable[[Node], int]) -> dict[str, Letters]:
    """Sort messages by sender."""
    mail: dict[str, Letters] = {}

    def put(sender: object, *letter: object) -> None:
        mail.setdefault(str(sender), []).append(list(letter))

    for message in messages:
        match message:
            case Exited(pid=pid, reason=reason):
                put(actor(pid), "EXIT", from_reason(reason))
            case (Down(ref=_, object=target, reason=reason), int(ref)):
                sender = f"name {target[0]} {node(target[1])}" if isinstance(target, tuple) else actor(target)  # type: ignore[arg-type]
                put(sender, "DOWN", ref, from_reason(reason))
            case ("msg", int(sender), str(tag)):
                put(sender, "msg", tag)
            case ("pid", int(sender), Pid() as pid):
                put(sender, "pid", actor(pid))
            case NodeUp(node=one):
                put(f"node {node(one)}", "up")
            case NodeDown(node=one):
                put(f"node {node(one)}", "down")
            case Gone(node=one):
                put(f"monitor node {node(one)}", "gone")
            case Moved(monitor=number, kind=kind, pid=pid):
                put(f"group {number}", kind, actor(pid))
            case _:
                raise TypeError(f"an unexpected message: {message!r}")
    return {sender: in_order(letters) for sender, letters in mail.items()}


def in_order(letters: Letters) -> Letters:
    """Sort what has no promised order: as the record is sorted, and what is seen here."""
    sorted_: Letters = []
    run: Letters = []
    kind: object = None
    for letter in letters:
        its_kind = _kind(letter)
        if its_kind != kind or its_kind is None:
            sorted_ += _settled(run)
            run, kind = [], its_kind
        run.append(letter)
    return sorted_ + _settled(run)


def _kind(letter: list[object]) -> object:
    """Return what neighbours must have in common to be sorted among each other; None if nothing may be."""
    match letter:
        case ["EXIT" | "DOWN", *_, "noproc" | "noconnection" as reason]:
            return reason
        case ["DOWN" | "join" | "leave", *_]:
            return letter[0]
        case _:
            return None


def _settled(run: Letters) -> Letters:
    exits = [letter for letter in run if letter[0] == "EXIT"]
    others = sorted((letter for letter in run if letter[0] != "EXIT"), key=_rank)
    return exits[:1] + others


def _rank(letter: list[object]) -> list[tuple[str, int, str]]:
    return [(type(part).__name__, part if isinstance(part, int) else 0, str(part)) for part in letter]
