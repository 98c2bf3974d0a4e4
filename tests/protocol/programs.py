"""Programs, as Hypothesis makes and shortens them: lists of moves, each of which becomes a step when its turn comes.

A move is a kind and a few numbers. What they mean depends on who is connected and what was joined by then, so that most
moves make sense, and a list stays a program when moves are taken out of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, TypeVar

from hypothesis import strategies as st

from tests.protocol.client import Client
from tests.protocol.steps import (
    Broadcast,
    Close,
    End,
    Garbage,
    Kill,
    Message,
    Open,
    Payload,
    Ping,
    Ref,
    Resume,
    Send,
    Stall,
    Step,
    Wait,
    canonical,
)
from tests.protocol.transports import GARBAGE

T = TypeVar("T")

CLIENTS: Final = 4
"""So many may be connected at once."""
USERS: Final = ("u", "w", None)
TOPICS: Final = (
    "room:1", "custom:1", "room:terminate:1", "audit:log", "room:lingers", "room:terminate:trap:1", "room:2",
    "room:slow", "room:afterjoin", "room:join_echo", "room:lobby", "room:ragged", "exact", "assigned:1", "custom:late",
)  # fmt: skip
CROWDED: Final = TOPICS[:5]
"""Topics to which half of all joins are."""
HOPELESS: Final = (
    "room:never", "room:error", "room:raise", "room:join_binary", "room:join_bad_return", "room:join_exit",
    "custom:error", "custom:never", "custom:lost", "nowhere", "exact:1", "phoenix",
)  # fmt: skip
"""Topics that nobody gets into, or only with version 2."""
EVENTS: Final = (
    "echo", "count", "push", "broadcast", "push_then_reply", "noreply", "broadcast_from", "intercepted", "async_reply",
    "sleep", "sleep_long", "assign", "get", "info", "reply_error", "reply_bare", "reply_bare_error", "reply_odd_status",
    "broadcast_then_reply", "swallowed", "hibernate", "binary_push", "binary_reply", "binary_error_reply",
    "binary_broadcast",
)  # fmt: skip
ENDS: Final = (
    "crash", "stop_normal", "close", "die", "stop_untold", "throw", "exit_normal", "exit_shutdown", "exit_error",
    "kill_self", "stop_shutdown", "stop_shutdown_reason", "stop_error", "stop_reply", "stop_shutdown_reply",
    "stop_error_reply", "bad_return", "no_such_event",
)  # fmt: skip
BINARY: Final = ("echo", "push", "binary_echo", "reply_error", "broadcast", "push_then_reply", "broadcast_from")
WAITS: Final = (0.125, 0.5, 2.5, 2.5, 2.5, 5.5, 30.0, 61.0)
KINDS: Final = (
    "nothing", *["join"] * 8, *["push"] * 8, *["end"] * 3, *["leave"] * 2, *["wait"] * 2, *["open"] * 2,
    *["broadcast"] * 3, *["large"] * 3, *["kill"] * 2, *["rejoin"] * 2, *["stall"] * 2, "resume", "gone", "gone",
    "binary", "heartbeat", "stale", "fragments", "ping", "disconnect", "elsewhere", "refused",
)  # fmt: skip


class Move(NamedTuple):
    """A step in the making."""

    kind: str
    who: int
    what: int
    more: int
    passes: int | None
    """Passes of the server before it, or None to wait until nothing happens."""


moves: Final = st.builds(
    Move,
    st.sampled_from(KINDS),
    st.integers(0, 7),
    st.integers(0, 53),
    st.integers(0, 15),
    st.sampled_from([None, None, 0, 0, 1, 2, 3, 5]),
)


class Player:
    """What the clients know, which is all that is needed to make steps of moves."""

    def __init__(self, clients: dict[str, Client], *, stalls: bool) -> None:
        """Begin; `stalls` says whether clients may stop reading."""
        self._clients = clients
        self._stalls = stalls
        self._refs = 0
        self._joined: dict[str, dict[str, Ref]] = {}
        """The join_ref with which a client joined a topic last."""
        self._stalled: set[str] = set()

    @property
    def hurries(self) -> bool:
        """Whether steps may be played at once: what a client is told that does not read, nobody sees in its order."""
        return not self._stalled

    def step(self, move: Move) -> Step | None:
        """Make a step, or none, if the move makes no sense now."""
        if move.kind == "nothing":
            return None
        there = [name for name, client in self._clients.items() if client.open]
        if move.kind in ("open", "refused") or not there:
            return self._open(move) if len(there) < CLIENTS else None
        if move.kind == "resume":
            there = sorted(self._stalled) or there
        elif move.kind == "large":
            there = [name for name in there if name in self._stalled] or there
        return self._step(_pick(there, move.who), move)

    def _open(self, move: Move) -> Step:
        name = "abcdefghijklmnopqrstuvwxyz"[len(self._clients) % 26] + str(len(self._clients) // 26 or "")
        refused = move.kind == "refused" and move.more < 4
        self._joined[name] = {}
        return Open(name, 2 - (move.more == 1) + 5 * (refused and move.what % 2), _pick(USERS, move.what), refused)

    def _step(self, name: str, move: Move) -> Step | None:  # noqa: C901 - one case a kind
        joined = self._joined[name]
        anywhere = _pick(CROWDED if move.more > 7 else TOPICS + HOPELESS, move.what)
        topic = _pick(list(joined), move.what) if joined else anywhere
        if not joined and move.kind in ("push", "end", "leave", "large", "binary", "kill"):
            return self._join(name, anywhere, move)
        join_ref = joined.get(topic)
        payload = canonical({"n": self._refs})
        match move.kind:
            case "join":
                return self._join(name, anywhere, move)
            case "rejoin":
                return self._join(name, topic, move)
            case "push":
                event = _pick(EVENTS, move.what + 7 * move.more)
                return self._send(name, join_ref, topic, *_event(event, payload))
            case "end":
                if move.who % 2:
                    joined.pop(topic, None)
                return self._send(name, join_ref, topic, _pick(ENDS, move.what + move.more), "{}")
            case "leave":
                joined.pop(topic, None)
                return self._send(name, join_ref, topic, "phx_leave", "{}")
            case "binary" if self._clients[name].vsn == 2:
                event = _pick(BINARY, move.what + move.more)
                return self._send(name, join_ref, topic, event, bytes((0, 255, move.more)))
            case "stale":
                stale: Ref = _pick(("0", None), move.more)
                return self._send(name, stale, topic, _pick(("echo", "phx_leave"), move.who), payload)
            case "fragments":
                return self._send(name, join_ref, topic, "echo", payload, fragments=2 + move.more)
            case "large":
                return Broadcast(topic, "news", canonical({"x": "x" * 1500 * (1 + move.more % 3)}))
            case "elsewhere":
                return self._send(name, "1", anywhere, "echo", payload)
            case "heartbeat":
                return self._send(name, None, "phoenix", "heartbeat", "{}")
            case "ping":
                return Send(name, Ping(f"p{move.more}"))
            case "gone":
                return self._gone(name, move)
            case "stall" if self._stalls and name not in self._stalled:
                self._stalled.add(name)
                return Stall(name)
            case "resume" if name in self._stalled:
                self._stalled.discard(name)
                return Resume(name)
            case "kill":
                return Kill(name, topic)
            case "wait":
                return Wait(_pick(WAITS, move.what * move.more))
            case "broadcast":
                event = _pick(("news", "intercepted", "swallowed", "news"), move.more)
                return Broadcast(topic, event, payload if move.more != 3 else b"\x00\x01")
            case "disconnect":
                return Broadcast(f"users_socket:{_pick(USERS, move.what)}", "disconnect", "{}")
        return None

    def _gone(self, name: str, move: Move) -> Step | None:
        match move.more % 4:
            case 0:
                return Send(name, Close(_pick((1000, 1001, 3000), move.what)))
            case 1:
                return Send(name, Garbage(_pick(list(GARBAGE), move.what)))
        return None if name in self._stalled else Send(name, End(move.more % 2 == 0))

    def _join(self, name: str, topic: str, move: Move) -> Step:
        ref = self._next()
        join_ref: Ref = ref
        if move.more == 1:
            join_ref = None
        elif move.more == 2:
            join_ref = self._refs
        self._joined[name].pop(topic, None)
        if topic in TOPICS or move.what % 2:
            self._joined[name][topic] = join_ref
        return Send(name, Message(join_ref, ref, topic, "phx_join", canonical({"p": self._refs})))

    def _send(self, name: str, join_ref: Ref, topic: str, event: str, payload: Payload, *, fragments: int = 1) -> Step:
        if isinstance(payload, bytes):
            join_ref = str(join_ref or "")
        return Send(name, Message(join_ref, self._next(), topic, event, payload), fragments)

    def _next(self) -> str:
        self._refs += 1
        return str(self._refs)

    def before_the_end(self) -> list[Step]:
        """Have all clients read, so that the end of the endpoint does not depend on how long it waits for them."""
        return [Resume(name) for name in sorted(self._stalled)]


def _event(event: str, payload: str) -> tuple[str, str]:
    """Give events the payload that they need."""
    if event == "sleep":
        return event, canonical({"ms": 1000 * 33 / 128})
    if event == "sleep_long":
        return "sleep", canonical({"ms": 1000 * 833 / 128})
    if event == "assign":
        return event, f'{{"value":{payload}}}'
    return event, payload


def _pick(items: Sequence[T], number: int) -> T:
    return items[number % len(items)]
