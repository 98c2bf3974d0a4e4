"""What is said on one connection to Redis: pure, without I/O.

    we:     HELLO 3 AUTH user password SETNAME name
    Redis:  a map, with the protocol and its role ────────────▶ else RefusedError
    we:     SUBSCRIBE all, own channel
    Redis:  a push for each ──────────────────────────────────▶ open
    we:     SUBSCRIBE, UNSUBSCRIBE in pieces; PUBLISH at any time
    Redis:  a push for each channel; a number for each PUBLISH; a push for each message

One connection does both, because RESP3 allows it: a probe goes the ordinary way, and there is one state to tell. Redis
answers in the order of our commands, so the answers still expected are a queue.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, final

from phxactor.cluster.carriers.redis._resp import END, Parser, ProtocolError, command, command_with, publish_head
from phxactor.cluster.carriers.redis._subscriptions import Subscriptions
from phxactor.cluster.carriers.redis._url import Address

_GREETING: Final = 0
_NOT_COUNTED: Final = 1
"""Stand in the queue of expected answers for HELLO, and for a PUBLISH that does not count. Others are the bytes of a
PUBLISH, and minus the channels of a SUBSCRIBE or UNSUBSCRIBE."""

_WORDS: Final = {
    "NOAUTH": "Redis wants a password",
    "WRONGPASS": "Redis does not accept the user and password",
    "NOPERM": "Redis does not allow it to this user (ACL)",
    "NOPROTO": "Redis 6 or later is needed",
    "DENIED": "Redis is in protected mode",
    "LOADING": "Redis is loading its data",
}
_TEXTS: Final = {
    "unknown command": "Redis 6 or later is needed",
    "max number of clients": "Redis has too many clients",
}


class RefusedError(Exception):
    """Redis does not let us in, or not do what a carrier needs. The text has no words of Redis's, nor a credential."""


@final
class Dialogue:
    """The commands and answers of one connection."""

    def __init__(
        self,
        parser: Parser,
        hears: Callable[[bytes, bytes], None],
        watched: Callable[[list[str]], None],
        refused: Callable[[str, int], None],
        settled: Callable[[], None],
    ) -> None:
        """Make the dialogue of a new connection.

        Args:
            parser: a fresh parser.
            hears: called with channel and payload of each message.
            watched: called with the lanes that are confirmed now.
            refused: called with the reason and the bytes of a message that Redis did not publish.
            settled: called once, as soon as all lanes are confirmed that `begin` was given or that came meanwhile.

        """
        self._parser = parser
        self._hears = hears
        self._watched = watched
        self._refused = refused
        self._settled: Callable[[], None] | None = settled
        self._expected: deque[int] = deque()
        self._lanes: Subscriptions | None = None
        self.output: list[bytes] = []
        """What is to be written next. Whoever writes takes the list, and puts a new one."""
        self.unanswered = 0
        """Bytes of messages that Redis has not answered yet, whether written or not."""
        self.is_greeted = False
        """Whether Redis has let us in."""
        self.is_open = False
        """Whether the first subscription is confirmed."""

    @property
    def is_answered(self) -> bool:
        """Whether Redis has answered everything."""
        return not self._expected

    def greet(self, address: Address, name: str) -> None:
        """Say who we are."""
        parts = [b"HELLO", b"3"]
        if address.password is not None:
            parts += [b"AUTH", address.user.encode(), address.password.encode()]
        self._expected.append(_GREETING)
        self.output.append(command(*parts, b"SETNAME", name.encode()))

    def subscribe(self, channels: Iterable[bytes]) -> None:
        """Subscribe the channels that every node reads."""
        self._ask(b"SUBSCRIBE", list(channels))

    def begin(self, lanes: Subscriptions) -> None:
        """Subscribe lanes from now on."""
        self._lanes = lanes
        self.ask_for_lanes()
        self._settle(lanes)

    def ask_for_lanes(self) -> None:
        """Ask for the next piece of lanes, unless one is under way."""
        if self._lanes is None:
            return
        subscribe, unsubscribe = self._lanes.next_piece()
        if subscribe:
            self._ask(b"SUBSCRIBE", subscribe)
        if unsubscribe:
            self._ask(b"UNSUBSCRIBE", unsubscribe)

    def publish(self, channel: bytes, payload: bytes, *, counted: bool = True) -> None:
        """Publish a payload. One that does not count, such as a beat, is never reported as refused or lost."""
        size = len(payload)
        self.output += (publish_head(channel, size), payload, END)
        if counted:
            self.unanswered += size
            self._expected.append(size)
        else:
            self._expected.append(_NOT_COUNTED)

    def lost(self) -> tuple[int, int]:
        """Return how many messages, and how many bytes, Redis has not answered: after the end of the connection."""
        return sum(size > _NOT_COUNTED for size in self._expected), self.unanswered

    def receive(self, data: bytes | bytearray) -> None:
        """Take bytes that Redis sent.

        Raises:
            RefusedError: Redis refuses what a carrier needs.
            ProtocolError: it does not speak RESP3 as Redis does.

        """
        parser = self._parser
        push, hears, expected = parser.push, self._hears, self._expected
        lanes: list[str] = []
        for value in parser.values(data):
            if type(value) is push:
                if value[0] == b"message":
                    _, channel, payload = value
                    hears(channel, payload)
                else:
                    self._pushed(value, lanes)
            elif type(value) is int and expected and expected[0] > 0:
                if (size := expected.popleft()) != _NOT_COUNTED:
                    self.unanswered -= size
            else:
                self._answered(value)
        if lanes:
            self._watched(lanes)

    def _answered(self, value: object) -> None:
        if isinstance(value, self._parser.error):
            self._failed(_words(value))
        elif self._expected and self._expected[0] == _GREETING and isinstance(value, dict):
            self._expected.popleft()
            if value.get(b"role") != b"master":
                raise RefusedError("it is a replica: what is published there reaches only its own clients")
            self.is_greeted = True
        else:
            raise ProtocolError("an answer that no command of ours has: is this Redis?")

    def _failed(self, why: str) -> None:
        size = self._expected.popleft() if self._expected else _GREETING
        if size <= _GREETING:
            raise RefusedError(why)
        if size != _NOT_COUNTED:
            self.unanswered -= size
            self._refused(why, size)

    def _pushed(self, value: list[Any], lanes: list[str]) -> None:
        match value:
            case [b"subscribe" | b"unsubscribe" as kind, bytes() as channel, int()]:
                if not self._expected or self._expected[0] >= 0:
                    raise ProtocolError("a confirmation that no command of ours has: is this Redis?")
                self._expected[0] += 1
                if self._expected[0] == 0:
                    self._expected.popleft()
                    self.is_open = True
                if self._lanes is not None:
                    lane = self._lanes.confirmed(channel, subscribed=kind == b"subscribe")
                    if lane is not None:
                        lanes.append(lane)
                    self.ask_for_lanes()
                    self._settle(self._lanes)
            case _:
                pass  # other kinds of pushes are allowed at any time

    def _settle(self, lanes: Subscriptions) -> None:
        if self._settled is not None and lanes.is_settled:
            settled, self._settled = self._settled, None
            settled()

    def _ask(self, name: bytes, channels: list[bytes]) -> None:
        self._expected.append(-len(channels))
        self.output.append(command_with(name, channels))


def _words(error: Exception) -> str:
    """Return our own words for an error: Redis's may hold the user, or the arguments of the command."""
    text = str(error)
    code = text.partition(" ")[0]
    for part, words in _TEXTS.items():
        if code == "ERR" and part in text:
            return words
    return _WORDS.get(code, f"Redis answers with the error {code}" if code.isupper() and code.isalpha() else "an error")
