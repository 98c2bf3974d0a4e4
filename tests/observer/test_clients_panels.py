"""Connections and topics on the page: who is connected, who is slow, who is in a topic, and who is told to leave."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest
import trio
from trio.testing import MockClock

from phxactor import Channel, Endpoint, LongPollOptions, Socket, channel, mount, open_runtime
from phxactor.client import connect as connect_for_real
from phxactor.observer import events, observer_routes
from phxactor.presence import Presence
from phxactor.testing import ClientChannel, connect
from tests.longpoll.polling import TAKEN
from tests.longpoll.polling import Client as Polling
from tests.observer.pages import WITHIN


class RoomPresence(Presence):
    pass


class Room(Channel):
    presence = RoomPresence

    async def join(self, topic: str, payload: Any) -> None:  # noqa: ANN401 - of a client
        self.track_after_join("ada", {"n": 1})


class UserSocket(Socket):
    channels = (channel("room:*", Room),)

    def identify(self) -> str:
        return "user:7"


class Program:
    def __init__(self, *, actions: bool = False) -> None:
        self.endpoint = Endpoint(
            sockets=[mount("/socket", UserSocket, longpoll=LongPollOptions())],
            routes=observer_routes(actions=actions),
            name="endpoint",
            port=0,
        )
        self.page = self.endpoint.sockets[1].handler

    async def open(self, panel: str) -> ClientChannel:
        headers = {"host": "localhost"}
        client = await connect(self.page, endpoint=self.endpoint, headers=headers)  # type: ignore[arg-type]
        return await client.join(f"observer:{panel}")


@contextmanager
def noted() -> Iterator[list[str]]:
    told: list[str] = []

    def note(_: object, fields: Any) -> None:  # noqa: ANN401 - of the event
        told.append(fields["action"])

    events.action.attach(note)
    yield told
    events.action.detach(note)


async def rows(panel: ClientChannel, **view: object) -> dict[str, Any]:
    await panel.receive_all()
    await panel.ask("view", view, within=WITHIN)
    seen: dict[str, Any] = await panel.assert_push("rows", dict, within=WITHIN)
    return seen


async def test_topics_with_members_presence_and_messages(autojump_clock: MockClock) -> None:
    async with open_runtime():
        program = Program()
        (await RoomPresence.start_link()).unwrap()
        (await program.endpoint.start_link(server=False)).unwrap()
        members = [await (await connect(UserSocket, endpoint=program.endpoint)).join("room:42") for _ in range(2)]
        topics = await program.open("topics")
        seen = await rows(topics, search="room", sort="members")
        assert (seen["total"], seen["rows"]) == (1, [["room:42", 2, 0.0]]) or seen["rows"] == [("room:42", 2, 0.0)]
        for _ in range(30):
            await trio.sleep(0.1)
            for _ in range(5):
                program.endpoint.broadcast("room:42", "said", {})
        (row,) = (await rows(topics, search="room", sort="rate"))["rows"]
        assert row[2] > 0
        answer = await topics.ask("members", {"topic": "room:42"}, within=WITHIN)
        assert isinstance(answer.payload, dict)
        assert [one[0] for one in answer.payload["members"]] == [one.pid.number for one in members]
        assert [tuple(one)[1:] for one in answer.payload["presence"]] == [("ada", 2)]
        refused = await topics.ask("kick", {"number": members[0].pid.number}, within=WITHIN)
        assert refused.payload == {"reason": "actions are off"}
        assert members[0].pid.alive


async def test_a_channel_is_kicked_and_its_client_stays_connected(autojump_clock: MockClock) -> None:
    async with open_runtime():
        program = Program(actions=True)
        (await RoomPresence.start_link()).unwrap()
        (await program.endpoint.start_link(server=False)).unwrap()
        room = await (await connect(UserSocket, endpoint=program.endpoint)).join("room:42")
        topics = await program.open("topics")
        with noted() as told:
            assert (await topics.ask("kick", {"number": room.pid.number}, within=WITHIN)).status == "ok"
        assert told == ["kick"]
        await room.assert_push("phx_close")
        assert room.client.connected


@pytest.mark.socket
async def test_connections_over_real_sockets() -> None:
    async with open_runtime():
        program = Program(actions=True)
        (await RoomPresence.start_link()).unwrap()
        (await program.endpoint.start_link()).unwrap()
        address = program.endpoint.address
        assert address is not None
        async with connect_for_real(f"ws://127.0.0.1:{address.port}/socket/websocket") as client:
            room = await client.join("room:42")
            sockets = await program.open("sockets")
            (row,) = [one for one in (await rows(sockets, sort="age"))["rows"] if one[1] == "UserSocket"]
            number, _, id_, _, transport, peer, since, came, went, waits, channels, _ = row
            assert (id_, transport, channels) == ("user:7", "websocket", 1)
            assert peer.startswith("127.0.0.1:")
            assert since > 1_600_000_000
            assert came > 100
            assert went > 100
            assert waits >= 0
            by_bytes = await rows(sockets, sort="in", search="user")
            assert [one[0] for one in by_bytes["rows"]] == [number]
            with noted() as told:
                await sockets.ask("disconnect", {"number": number}, within=WITHIN)
            assert told == ["disconnect"]
            assert (await sockets.ask("disconnect", {"number": 3}, within=WITHIN)).status == "error"
            del room


async def test_nodes_of_a_program_without_a_cluster(autojump_clock: MockClock) -> None:
    async with open_runtime():
        program = Program(actions=True)
        (await program.endpoint.start_link(server=False)).unwrap()
        nodes = await program.open("nodes")
        seen = await nodes.assert_push("nodes", dict, within=WITHIN)
        assert seen == {"self": None, "carriers": [], "nodes": [], "workers": None, "sharded": []}
        answer = await nodes.ask("restart_worker", {"index": 1}, within=WITHIN)
        assert answer.payload == {"reason": "this program has no workers"}


async def test_a_long_poll_is_a_connection_with_its_bytes(autojump_clock: MockClock) -> None:
    async with open_runtime():
        program = Program()
        (await RoomPresence.start_link()).unwrap()
        (await program.endpoint.start_link(server=False)).unwrap()
        client = Polling(program.endpoint)
        await client.open()
        await trio.sleep(10)
        message = ["1", "1", "room:42", "phx_join", {}]
        assert await client.publish(message) == TAKEN
        sockets = await program.open("sockets")
        (row,) = [one for one in (await rows(sockets))["rows"] if one[4] == "longpoll"]
        assert (row[7], row[8]) == (len(orjson.dumps(message)), 0)
        assert time.time() - row[6] == pytest.approx(11, abs=5)
        assert row[9] > 0  # the answer waits
        answers = await client.messages()
        (row,) = [one for one in (await rows(sockets))["rows"] if one[4] == "longpoll"]
        assert (row[8], row[9]) == (sum(len(orjson.dumps(one)) for one in answers), 0)


async def test_what_a_held_list_does_not_show_is_counted(autojump_clock: MockClock) -> None:
    """Of connections and of topics; a list that is let go and held again has the order of now."""
    async with open_runtime():
        program = Program()
        (await RoomPresence.start_link()).unwrap()
        (await program.endpoint.start_link(server=False)).unwrap()
        for panel in ("sockets", "topics"):
            one = await program.open(panel)
            held = await rows(one, frozen=True, sort="age" if panel == "sockets" else "name")
            assert held["held"] == 0
            await (await connect(UserSocket, endpoint=program.endpoint)).join(f"room:{panel}")
            after = await one.assert_push("rows", dict, within=WITHIN)
            assert (after["held"], after["total"]) == (1, held["total"]), panel
            assert (await rows(one, sort=None))["held"] == 0
            again = await rows(one, frozen=True, sort="age" if panel == "sockets" else "name")
            assert (again["held"], again["total"]) == (0, held["total"] + 1), panel
