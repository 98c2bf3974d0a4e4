"""The pure parts of the carrier by Redis: commands, answers, pieces of lanes, pauses, numbers, URLs."""

from __future__ import annotations

import sys
import types
from contextlib import suppress
from random import Random

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.cluster import Redis
from phxactor.cluster.carriers.redis._dialogue import Dialogue, RefusedError
from phxactor.cluster.carriers.redis._pauses import Pauses
from phxactor.cluster.carriers.redis._resp import Parser, ProtocolError, command, publish_head
from phxactor.cluster.carriers.redis._sent import LONGEST, MOST_CHANNELS, Sent
from phxactor.cluster.carriers.redis._subscriptions import PIECE, Subscriptions
from phxactor.cluster.carriers.redis._url import Address
from tests.cluster.redis.fake_redis import bulk


class Talk:
    """A dialogue, and what it has told."""

    def __init__(self, max_held: int = 1000) -> None:
        self.heard: list[tuple[bytes, bytes]] = []
        self.watched: list[str] = []
        self.refused: list[tuple[str, int]] = []
        self.settled = 0
        self.it = Dialogue(
            Parser(max_held),
            lambda channel, payload: self.heard.append((channel, payload)),
            self.watched.extend,
            lambda why, size: self.refused.append((why, size)),
            self._settle,
        )

    def _settle(self) -> None:
        self.settled += 1

    def said(self) -> list[list[bytes]]:
        """Return the commands that are to be written, and take them."""
        reader = hiredis.Reader()
        reader.feed(b"".join(self.it.output))
        self.it.output.clear()
        commands = []
        while (one := reader.gets()) is not False:
            commands.append(one)
        return commands


def message(channel: bytes, payload: bytes) -> bytes:
    return b">3\r\n$7\r\nmessage\r\n%b%b" % (bulk(channel), bulk(payload))


def confirmed(kind: bytes, *channels: bytes) -> bytes:
    return b"".join(b">3\r\n%b%b:1\r\n" % (bulk(kind), bulk(channel)) for channel in channels)


def opened(max_held: int = 1000) -> Talk:
    """Return a dialogue that is open."""
    talk = Talk(max_held)
    talk.it.greet(Address.parse("redis://alice:p%40ss@host"), "me")
    assert talk.said() == [[b"HELLO", b"3", b"AUTH", b"alice", b"p@ss", b"SETNAME", b"me"]]
    talk.it.receive(b"%2\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$5\r\nproto\r\n:3\r\n")
    assert talk.it.is_greeted
    talk.it.subscribe([b"all", b"own"])
    assert talk.said() == [[b"SUBSCRIBE", b"all", b"own"]]
    talk.it.receive(confirmed(b"subscribe", b"all"))
    before = talk.it.is_open
    talk.it.receive(confirmed(b"subscribe", b"own"))
    assert (before, talk.it.is_open) == (False, True)
    return talk


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=300)), max_size=20), st.data())
def test_messages_come_whole_however_the_bytes_are_cut(
    messages: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    talk = opened()
    rest = b"".join(message(channel, payload) for channel, payload in messages)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        talk.it.receive(rest[:size])
        rest = rest[size:]
    assert talk.heard == messages


@given(st.lists(st.binary(max_size=20), min_size=1))
def test_a_command_is_read_as_it_was_meant(parts: list[bytes]) -> None:
    reader = hiredis.Reader()
    reader.feed(command(*parts))
    assert reader.gets() == parts
    reader.feed(publish_head(parts[0], 3) + b"abc\r\n")
    assert reader.gets() == [b"PUBLISH", parts[0], b"abc"]


@given(st.binary(min_size=1, max_size=60))
def test_no_bytes_raise_anything_but_our_own_errors(data: bytes) -> None:
    talk = opened()
    with suppress(ProtocolError, RefusedError):
        talk.it.receive(data)


def test_a_value_that_grows_too_large_is_not_held() -> None:
    talk = opened(max_held=1000)
    talk.it.receive(b">3\r\n$7\r\nmessage\r\n$3\r\nall\r\n$100000\r\n")
    talk.it.receive(bytes(900))
    with pytest.raises(ProtocolError, match="1000 bytes"):
        talk.it.receive(bytes(900))


def test_values_that_come_whole_may_be_many() -> None:
    talk = opened(max_held=1000)
    for _ in range(100):
        talk.it.receive(message(b"all", bytes(800)))
    assert len(talk.heard) == 100


def test_answers_are_counted_in_the_order_of_the_commands() -> None:
    talk = opened()
    talk.it.publish(b"c", b"12345")
    talk.it.begin(Subscriptions(str.encode, ["one", "two"]))
    talk.it.publish(b"c", b"beat", counted=False)
    talk.it.publish(b"c", b"123")
    assert talk.said() == [
        [b"PUBLISH", b"c", b"12345"],
        [b"SUBSCRIBE", b"one", b"two"],
        [b"PUBLISH", b"c", b"beat"],
        [b"PUBLISH", b"c", b"123"],
    ]
    assert talk.it.unanswered == 8
    assert talk.it.lost() == (2, 8)
    talk.it.receive(b":1\r\n" + confirmed(b"subscribe", b"one", b"two"))
    assert (talk.watched, talk.settled) == (["one", "two"], 1)
    assert talk.it.lost() == (1, 3)
    talk.it.receive(b":0\r\n-NOPERM User alice has no permissions\r\n")
    assert talk.refused == [("Redis does not allow it to this user (ACL)", 3)]
    assert talk.it.is_answered
    assert talk.it.lost() == (0, 0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"-NOAUTH HELLO must be called with the client already authenticated\r\n", "wants a password"),
        (b"-WRONGPASS invalid username-password pair\r\n", "does not accept"),
        (b"-ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'alice' 'p@ss'\r\n", "Redis 6"),
        (b"-NOPROTO unsupported protocol version\r\n", "Redis 6"),
        (b"-ERR max number of clients reached\r\n", "too many clients"),
        (b"-ODD alice p@ss\r\n", "the error ODD"),
        (b"-alice p@ss\r\n", "an error"),
        (b"%1\r\n$4\r\nrole\r\n$7\r\nreplica\r\n", "replica"),
    ],
)
def test_CL35_a_refusal_is_told_in_our_own_words(answer: bytes, words: str) -> None:
    talk = Talk()
    talk.it.greet(Address.parse("redis://alice:p%40ss@host"), "me")
    with pytest.raises(RefusedError, match=words) as refused:
        talk.it.receive(answer)
    assert "alice" not in str(refused.value)
    assert "p@ss" not in str(refused.value)


def test_an_error_for_a_subscription_ends_the_connection() -> None:
    talk = opened()
    talk.it.begin(Subscriptions(str.encode, ["one"]))
    with pytest.raises(RefusedError, match="ACL"):
        talk.it.receive(b"-NOPERM no\r\n")


@pytest.mark.parametrize(
    "data", [b"+OK\r\n", b":1\r\n", b"HTTP/1.1 400 Bad Request\r\n", confirmed(b"subscribe", b"x")]
)
def test_what_no_command_asked_for_is_no_redis(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="is this Redis"):
        opened().it.receive(data)


def test_other_pushes_are_ignored() -> None:
    opened().it.receive(b">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nx\r\n")


# ---------------------------------------------------------------------------------------------- subscriptions


def test_lanes_are_asked_for_in_pieces_and_new_ones_come_first() -> None:
    lanes = Subscriptions(str.encode, [f"old{number}" for number in range(2 * PIECE)])
    first, _ = lanes.next_piece()
    assert len(first) == PIECE
    lanes.watch("new")
    assert lanes.next_piece() == ([], [])
    for channel in first:
        assert lanes.confirmed(channel, subscribed=True) == channel.decode()
    second, _ = lanes.next_piece()
    assert second[:2] == [b"new", b"old%d" % PIECE]
    assert len(second) == PIECE


def test_a_long_name_is_a_piece_of_its_own() -> None:
    lanes = Subscriptions(str.encode, ["x" * 300_000, "y"])
    assert lanes.next_piece() == ([b"x" * 300_000], [])


def test_a_lane_of_the_backlog_that_is_given_up_is_not_subscribed() -> None:
    lanes = Subscriptions(str.encode, ["one", "two"])
    lanes.unwatch("two")
    assert lanes.next_piece() == ([b"one"], [b"two"])


def test_the_last_word_counts() -> None:
    lanes = Subscriptions(str.encode, [])
    lanes.watch("one")
    assert lanes.next_piece() == ([b"one"], [])
    lanes.unwatch("one")
    assert lanes.confirmed(b"one", subscribed=True) is None
    lanes.watch("one")
    assert lanes.next_piece() == ([b"one"], [])
    assert lanes.confirmed(b"one", subscribed=True) == "one"
    assert lanes.is_settled


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans())), st.sets(st.sampled_from("abc")))
def test_what_is_subscribed_in_the_end_is_what_is_wanted(
    steps: list[tuple[str, bool, bool]], backlog: set[str]
) -> None:
    lanes = Subscriptions(str.encode, sorted(backlog))
    wanted, subscribed, under_way = set(backlog), set[str](), list[tuple[bytes, bool]]()

    def answer() -> None:
        for channel, is_in in under_way:
            (subscribed.add if is_in else subscribed.discard)(channel.decode())
            lane = lanes.confirmed(channel, subscribed=is_in)
            assert lane is None or lane in wanted
        one, two = lanes.next_piece()
        under_way[:] = [(channel, True) for channel in one] + [(channel, False) for channel in two]

    answer()
    for lane, watch, answered in steps:
        (wanted.add if watch else wanted.discard)(lane)
        (lanes.watch if watch else lanes.unwatch)(lane)
        if answered:
            answer()
    while not lanes.is_settled:
        answer()
    assert subscribed == wanted


# ------------------------------------------------------------------------------------- pauses, numbers, URLs


def test_CL24_pauses_grow_to_a_second_and_begin_anew() -> None:
    pauses = Pauses(Random(7))  # noqa: S311 - jitter
    found = [pauses.next() for _ in range(50)]
    assert 0.05 <= found[0] <= 0.09
    assert all(0.5 <= one <= 0.9 for one in found[4:])
    assert len(set(found)) == 50
    pauses.reset()
    assert pauses.next() < 0.1


def test_CL24_pauses_grow_to_five_seconds_before_a_redis_that_refuses() -> None:
    pauses = Pauses(Random(7))  # noqa: S311 - jitter
    found = [pauses.next(refused=True) for _ in range(50)]
    assert all(2.5 <= one <= 4.5 for one in found[6:])
    assert pauses.next() <= 0.9, "it has gone away since: it may be back any moment"


def test_numbers_grow_and_claim_what_came_before() -> None:
    sent = Sent()
    assert [sent.next(b"a"), sent.next(b"b"), sent.next(b"a")] == [(1, 0), (2, 0), (3, 1)]
    sent.claim_nothing()
    assert [sent.next(b"a"), sent.next(b"a")] == [(4, 0), (5, 4)]
    long = b"x" * (LONGEST + 1)
    assert [sent.next(long), sent.next(long)] == [(6, 0), (7, 0)]
    for number in range(MOST_CHANNELS):
        sent.next(b"%d" % number)
    assert sent.next(b"a") == (8 + MOST_CHANNELS, 0)


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("redis://cache", "redis://cache:6379", "default", None),
        ("redis://cache:7/0", "redis://cache:7", "default", None),
        ("rediss://:p%40ss@cache", "rediss://cache:6379", "default", "p@ss"),
        ("redis://alice:pw@[::1]:7", "redis://[::1]:7", "alice", "pw"),
        ("unix:///run/redis.sock", "unix:///run/redis.sock", "default", None),
        ("unix://alice:pw@/run/redis.sock", "unix:///run/redis.sock", "alice", "pw"),
    ],
)
def test_a_url_has_these_parts(url: str, shown: str, user: str, password: str | None) -> None:
    address = Address.parse(url)
    assert (str(address), address.user, address.password) == (shown, user, password)


def test_a_missing_hiredis_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in (None, types.ModuleType("hiredis")):  # missing, and too old
        monkeypatch.setitem(sys.modules, "hiredis", one)
        with pytest.raises(ImportError, match=r"install phxactor\[redis\]"):
            Redis("redis://host")
