"""LocalNode: what it does with carriers, messages, interest and time. In virtual time, without a network."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor.cluster import Cluster, Gap, LocalNode, Node, NodeDown, NodeUp, monitor_nodes, new_node, this_node
from phxactor.cluster.events import away, traffic
from phxactor.envelope import MAX_MESSAGE_BYTES, EnvelopeError, Kind, Message, encode
from phxactor.runtime import open_runtime, receive, self_pid
from tests.cluster.in_memory import InMemory

OTHER = Node(bytes(15) + b"\x01", "other@web2")
NEWS = Message(Kind.BROADCAST, "pubsub", "news", "said", b"{}")


@asynccontextmanager
async def started(*carriers: InMemory, max_message_bytes: int = MAX_MESSAGE_BYTES) -> AsyncIterator[LocalNode]:
    """Open a runtime that takes part in a cluster."""
    async with open_runtime():
        (await Cluster(carriers, name="this@web1", max_message_bytes=max_message_bytes).start_link()).unwrap()
        await wait_all_tasks_blocked()
        node = this_node()
        assert node is not None
        yield node


async def test_a_runtime_without_a_cluster_is_no_node(autojump_clock: MockClock) -> None:
    async with open_runtime():
        assert this_node() is None
        monitor_nodes()


async def test_a_message_goes_to_its_handler_with_its_sender(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        came: list[tuple[Node | None, Message]] = []
        node.handle(Kind.BROADCAST, lambda sender, message: came.append((sender, message)))
        node.received(carrier, OTHER.id, encode(NEWS))
        node.up(carrier, OTHER)
        node.received(carrier, OTHER.id, encode(NEWS))
        node.received(carrier, node.id, encode(NEWS))
        assert came == [(None, NEWS), (OTHER, NEWS)]


async def test_monitoring_processes_are_told_of_nodes_and_gaps(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        monitor_nodes()
        node.up(carrier, OTHER)
        node.up(carrier, OTHER)
        node.gap(carrier, OTHER.id, 0.0)
        node.down(carrier, OTHER.id, "silent")
        node.down(carrier, OTHER.id, "silent")
        told = [await receive(), await receive(), await receive()]
        assert told == [NodeUp(OTHER), Gap(OTHER, "memory", 0.0), NodeDown(OTHER, "silent")]
        assert len(self_pid().mailbox) == 0


async def test_CL15_a_topic_is_confirmed_when_all_carriers_that_are_there_have_confirmed(
    autojump_clock: MockClock,
) -> None:
    one, two = InMemory([], "one"), InMemory([], "two")
    async with started(one, two) as node:
        two.confirms = False
        node.watch("pubsub", "news")
        before = trio.current_time()
        await node.confirmed("pubsub", "news")
        assert trio.current_time() - before == 1.0
        assert not node.is_confirmed("pubsub", "news")
        node.watched(two, ["pubsub:news"])
        assert node.is_confirmed("pubsub", "news")
        await node.confirmed("pubsub", "news")
        assert trio.current_time() - before == 1.0


async def test_CL15_nobody_waits_for_a_carrier_that_is_away(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        carrier.confirms = False
        node.watch("pubsub", "news")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(node.confirmed, "pubsub", "news")
            await wait_all_tasks_blocked()
            before = trio.current_time()
            node.away(carrier, "gone")
        assert trio.current_time() == before
        node.watch("pubsub", "more")
        assert node.is_confirmed("pubsub", "more")
        assert node.health().state == "degraded"
        assert [one.why for one in node.health().away] == ["gone"]
        node.back(carrier)
        assert node.health().state == "ready"


async def test_carriers_are_told_of_a_topic_at_once_and_it_is_given_up_after_a_grace(
    autojump_clock: MockClock,
) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        node.watch("pubsub", "a")
        node.watch("pubsub", "b")
        node.watch("pubsub", "a")
        assert carrier.calls == [("watch", ["pubsub:a"]), ("watch", ["pubsub:b"])]
        carrier.calls.clear()
        node.unwatch("pubsub", "a")
        await trio.sleep(4)
        node.unwatch("pubsub", "b")
        node.watch("pubsub", "b")
        await trio.sleep(2)
        assert carrier.calls == [("unwatch", ["pubsub:a"])]
        assert node.lanes() == ["pubsub:b"]


async def test_one_timer_gives_up_all_topics_however_often_they_are_watched_again(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        timers = len(node.runtime.timers)
        for _ in range(3):
            for topic in ("a", "b"):
                node.watch("pubsub", topic)
                node.unwatch("pubsub", topic)
                node.watch("pubsub", topic)
            await trio.sleep(3)
        node.unwatch("pubsub", "a")
        assert len(node.runtime.timers) == timers + 1
        carrier.calls.clear()
        await trio.sleep(5.5)
        assert carrier.calls == [("unwatch", ["pubsub:a"])]
        assert len(node.runtime.timers) == timers


@pytest.mark.parametrize(
    "junk", [b"", b"\x01", b"\x02" + bytes(20), bytes(300), b"\x01\x02\xff" + bytes(20), b"\x01\x63" + bytes(5)]
)
async def test_CL31_what_is_wrong_is_counted_and_dropped(autojump_clock: MockClock, junk: bytes) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        node.handle(Kind.BROADCAST, lambda *_: pytest.fail("it was taken"))
        node.received(carrier, OTHER.id, junk)
        assert sum(node.statistics().carriers["memory"].refused.values()) == 1


async def test_CL31_a_message_that_its_handler_finds_wrong_is_counted_and_no_failure(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def read(_: Node | None, message: Message) -> None:
        raise EnvelopeError("json", f"{message.event} is wrong")

    carrier = InMemory([])
    async with started(carrier) as node:
        node.handle(Kind.BROADCAST, read)
        for _ in range(3):
            node.received(carrier, OTHER.id, encode(Message(Kind.BROADCAST, "pubsub", "a", "b", b"")))
        assert node.statistics().carriers["memory"].refused == {"json": 3}
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_CL4_a_message_that_is_too_large_is_refused_in_the_caller(autojump_clock: MockClock) -> None:
    async with started(InMemory([]), max_message_bytes=2000) as node:
        with pytest.raises(ValueError, match="at most 2000 bytes"):
            node.publish(Message(Kind.BROADCAST, "pubsub", "news", "said", bytes(2000)))


async def test_CL26_what_is_published_while_a_carrier_is_away_is_counted(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        node.away(carrier, "gone")
        node.publish(NEWS)
        node.publish_to_all(NEWS)
        counts = node.statistics().carriers["memory"]
        assert (counts.dropped, counts.dropped_bytes, counts.sent) == (2, 2 * len(encode(NEWS)), 0)


def test_CL10_each_node_has_an_id_of_its_own() -> None:
    one, two = new_node("a"), new_node("a")
    assert one != two
    assert one.name == two.name
    assert new_node("a", one.group).group == one.group


async def test_a_node_that_has_ended_watches_nothing_and_waits_for_nothing(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    async with started(carrier) as node:
        node.watch("pubsub", "a")
        carrier.calls.clear()
        node.end()
        node.unwatch("pubsub", "a")
        node.watch("pubsub", "b")
        await trio.sleep(10)
        assert carrier.calls == []
        assert node.runtime.timers.pending() == []


async def test_a_node_that_one_carrier_covers_is_not_heard_by_another(autojump_clock: MockClock) -> None:
    lines, far = InMemory([], "lines"), InMemory([], "far")
    lines.group = OTHER.group
    stranger = Node(b"\xff" * 16, "stranger@web3")
    async with started(lines, far) as node:
        came: list[str | None] = []
        node.handle(Kind.BROADCAST, lambda sender, _: came.append(None if sender is None else sender.name))
        for carrier in (lines, far):
            node.up(carrier, OTHER)
        node.up(far, stranger)
        node.received(far, OTHER.id, encode(NEWS))
        assert came == []
        node.received(lines, OTHER.id, encode(NEWS))
        node.received(far, stranger.id, encode(NEWS))
        assert came == ["other@web2", "stranger@web3"]
        node.down(lines, OTHER.id, "lost")
        node.received(far, OTHER.id, encode(NEWS))
        assert came == ["other@web2", "stranger@web3"], "its last words may come by both"


async def test_a_node_is_up_while_a_carrier_reaches_it(autojump_clock: MockClock) -> None:
    one, two = InMemory([], "one"), InMemory([], "two")
    async with started(one, two) as node:
        monitor_nodes()
        node.up(one, OTHER)
        node.up(two, OTHER)
        node.down(one, OTHER.id, "lost")
        assert node.nodes() == [OTHER]
        node.down(two, OTHER.id, "silent")
        assert [await receive(), await receive()] == [NodeUp(OTHER), NodeDown(OTHER, "silent")]


async def test_a_handler_that_raises_is_told_and_the_carrier_goes_on(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_sender: Node | None, _message: Message) -> None:
        raise ZeroDivisionError

    async with started(carrier := InMemory([])) as node:
        node.handle(Kind.BROADCAST, fail)
        node.handle(Kind.BROADCAST, fail)
        with pytest.raises(ValueError, match="are handled by"):
            node.handle(Kind.BROADCAST, print)
        node.received(carrier, OTHER.id, encode(NEWS))
        node.received(carrier, OTHER.id, encode(NEWS))
        assert caplog.text.count("ZeroDivisionError") >= 2
        node.unhandle(Kind.BROADCAST, fail)
        node.received(carrier, OTHER.id, encode(NEWS))
        assert node.statistics().carriers["memory"].refused == {"kind": 1}


async def test_what_is_refused_and_dropped_is_logged_once_a_minute(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with started(carrier := InMemory([])) as node:
        for _ in range(1000):
            node.received(carrier, OTHER.id, b"junk")
            node.dropped(carrier, "full", 2, 10)
        await trio.sleep(59)
        assert len(caplog.records) == 2
        await trio.sleep(2)
        lines = [record.getMessage() for record in caplog.records]
        assert lines[2:] == [
            "messages that came by memory were dropped: version 999",
            "messages to other nodes could not go by memory: full 1998",
        ]
        await trio.sleep(1000)
        assert len(caplog.records) == 4
        assert node.statistics().carriers["memory"].dropped == 2000


async def test_traffic_is_an_event_every_10_seconds(autojump_clock: MockClock) -> None:
    told: list[dict[str, object]] = []

    def tell(_: object, fields: Mapping[str, object]) -> None:
        told.append(dict(fields))

    async with started(carrier := InMemory([])) as node:
        traffic.attach(tell)
        try:
            node.publish(NEWS)
            node.received(carrier, OTHER.id, encode(NEWS))
            node.dropped(carrier, "full", 1, 7)
            await trio.sleep(25)
        finally:
            traffic.detach(tell)
    size = len(encode(NEWS))
    quiet = dict.fromkeys(("sent", "sent_bytes", "received", "received_bytes", "dropped", "dropped_bytes"), 0)
    first = {"sent": 1, "sent_bytes": size, "received": 1, "received_bytes": size, "dropped": 1, "dropped_bytes": 7}
    assert told == [{"carrier": "memory", "nodes": 0, **counts} for counts in (first, quiet)]


async def test_a_node_that_has_ended_takes_everything_and_does_nothing(autojump_clock: MockClock) -> None:
    async with started(carrier := InMemory([])) as node:
        node.watch("pubsub", "news")
        node.end()
        node.up(carrier, OTHER)
        node.received(carrier, OTHER.id, encode(NEWS))
        node.gap(carrier, None, 0.0)
        node.away(carrier, "gone")
        node.back(carrier)
        node.dropped(carrier, "full", 1, 1)
        node.refused(carrier, "forged")
        node.watch("pubsub", "more")
        node.unwatch("pubsub", "more")
        node.publish(NEWS)
        await node.confirmed("pubsub", "more")
        assert node.statistics().carriers == {}
        assert not node.send(OTHER.id, NEWS)


@pytest.mark.parametrize(
    ("argv", "program"),
    [
        (["/usr/bin/phxactor", "serve", "shop:application", "--port", "80"], "shop"),
        (["/usr/bin/phxactor", "serve", "--port", "80", "shop.web:application"], "shop.web"),
        (["/srv/shop.py", "--redis", "redis://cache:6379"], "shop"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_the_name_of_a_node_says_which_program_runs_where(
    argv: list[str], program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", argv)
    assert new_node().name == f"{program}@{socket.gethostname()}/{os.getpid()}"


async def test_each_reason_for_which_a_carrier_is_away_is_told_once(autojump_clock: MockClock) -> None:
    carrier = InMemory([])
    told: list[object] = []

    def note(_: object, fields: Mapping[str, object]) -> None:
        told.append(fields["why"])

    async with started(carrier) as node:
        away.attach(note)
        try:
            for why in ("closed", "a password", "closed", "a password"):
                node.away(carrier, why)
            assert [one.why for one in node.health().away] == ["a password"]
            assert told == ["closed", "a password"]
            node.back(carrier)
            node.away(carrier, "closed")
            assert told == ["closed", "a password", "closed"]
            for number in range(100):
                node.away(carrier, f"port {number}")
            assert len(told) == 2 + 8
        finally:
            away.detach(note)
