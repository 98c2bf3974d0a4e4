"""A Presence, and a channel class that shows it to its clients, for tests."""

from __future__ import annotations

from typing import Any, cast

import attrs

from phxactor import Channel, Error, Ok, Presence, Socket, channel, on
from phxactor.channels import HandleResult, Payload
from phxactor.presence import Grouped
from phxactor.socket import Message
from phxactor.testing import Client, ClientChannel, connect, settle


class Room(Channel):
    """Tracks its client under the key of the payload, and does as told."""

    async def join(self, topic: str, payload: Payload) -> None:
        if not payload.get("silent"):
            again = payload.get("again") is True
            self.track_after_join(payload.get("key"), payload.get("meta", {"at": "t0"}), whole=again)

    @on("track")
    async def on_track(self, payload: Payload) -> HandleResult:
        return _answer(self.track(payload["key"], payload.get("meta")))

    @on("update")
    async def on_update(self, payload: Payload) -> HandleResult:
        return _answer(self.update(payload["key"], payload["meta"]))

    @on("untrack")
    async def on_untrack(self, payload: Payload) -> HandleResult:
        self.untrack(payload["key"])
        return Ok()

    @on("state")
    async def on_state(self, payload: Payload) -> None:
        await self.push_presence_state()

    @on("crash")
    async def crash(self, payload: Payload) -> None:
        raise RuntimeError("told to")


def _answer(result: Ok[str] | Error) -> HandleResult:
    return Ok({"phx_ref": result.value}) if isinstance(result, Ok) else Error({"reason": str(result.reason)})


def socket_of(presence: type[Presence], room: type[Room] = Room) -> type[Socket]:
    """Make a socket whose topics `t:*` are rooms with this Presence."""
    handler = type("PresentRoom", (room,), {"presence": presence})
    return cast("type[Socket]", type("UserSocket", (Socket,), {"channels": [channel("t:*", handler)]}))


@attrs.define
class Member:
    """A client in a room, which folds what it gets as phoenix.js does."""

    client: Client
    room: ClientChannel
    seen: int = 0
    state: Grouped = attrs.field(factory=dict)
    held: list[Any] | None = attrs.field(factory=list)
    """The diffs that came before the state; None once that has come."""
    diffs: list[Any] = attrs.field(factory=list)

    async def fold(self) -> Grouped:
        """Take what has come since, and return the state without `phx_ref` and `phx_ref_prev`."""
        await settle()
        received = self.client.received
        new, self.seen = received[self.seen :], len(received)
        for message in new:
            if not isinstance(message, Message) or message.topic != self.room.topic:
                continue
            payload = cast("Any", message.payload)
            if message.event == "presence_state":
                self.state = {key: {**entry, "metas": list(entry["metas"])} for key, entry in payload.items()}
                held, self.held = self.held, None
                for diff in held or ():
                    apply(self.state, diff)
            elif message.event == "presence_diff":
                self.diffs.append(payload)
                if self.held is None:
                    apply(self.state, payload)
                else:
                    self.held.append(payload)
        return without_refs(self.state)


def apply(state: Grouped, diff: Any) -> None:  # noqa: ANN401 - JSON
    """Apply a diff as phoenix.js does (PR52)."""
    for key, entry in diff["joins"].items():
        new = dict(entry)
        refs = {meta["phx_ref"] for meta in entry["metas"]}
        before = [meta for meta in state.get(key, {"metas": []})["metas"] if meta["phx_ref"] not in refs]
        state[key] = {**new, "metas": before + entry["metas"]}
    for key, entry in diff["leaves"].items():
        if key not in state:
            continue
        refs = {meta["phx_ref"] for meta in entry["metas"]}
        state[key]["metas"] = [meta for meta in state[key]["metas"] if meta["phx_ref"] not in refs]
        if not state[key]["metas"]:
            del state[key]


def without_refs(presences: Grouped) -> Grouped:
    """Leave out the refs of all metas."""
    return {key: {**entry, "metas": [_plain(meta) for meta in entry["metas"]]} for key, entry in presences.items()}


def _plain(meta: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in meta.items() if name not in ("phx_ref", "phx_ref_prev")}


async def member(socket: type[Socket], topic: str = "t:1", **payload: object) -> Member:
    """Connect a client and join it to a room."""
    client = await connect(socket)
    return Member(client, await client.join(topic, payload))
