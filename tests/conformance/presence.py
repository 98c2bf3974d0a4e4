"""The part of the conformance app that shows who is here: its Presence modules and channels."""

from __future__ import annotations

from typing import Any, ClassVar

import trio

from phxactor import (
    KILL,
    Channel,
    Down,
    Error,
    Exit,
    Exited,
    Ok,
    Pid,
    Presence,
    PubSub,
    Request,
    Response,
    Stop,
    monitor,
    on,
    post,
    receive,
    self_pid,
    spawn,
    trap_exit,
    whereis,
)
from phxactor import get as route_get
from phxactor.channels import HandleResult, JoinResult, Payload
from phxactor.otp import Supervisor
from phxactor.presence import Grouped
from phxactor.runtime import is_atom
from phxactor.socket import Broadcaster

LARGE = 64 * 1024
PUBSUB = Broadcaster(PubSub("endpoint.pubsub"))


class Plain(Presence, max_meta_bytes=LARGE):
    """Has no callbacks."""


class Fetch(Presence, max_meta_bytes=LARGE):
    """Adds a user, hides keys, is slow for one, raises for one."""

    async def fetch(self, topic: str, presences: Grouped) -> Grouped:
        found: Grouped = {}
        for key, entry in presences.items():
            if key.startswith("hidden"):
                continue
            if key == "slow":
                await trio.sleep(0.2)
            if key == "raise":
                raise RuntimeError("raised in fetch")
            user = {"name": f"user {key}", "topic": topic}
            found[key] = {**entry, "user": user, "devices": len(entry["metas"])}
        return found


class Metas(Presence, max_meta_bytes=LARGE):
    """Tells an audit topic of each diff."""

    async def init(self) -> dict[str, int]:
        return {}

    async def handle_metas(
        self, topic: str, diff: Grouped, presences: dict[str, Any], state: dict[str, int]
    ) -> dict[str, int]:
        calls = state.get(topic, 0) + 1
        counts = {kind: {key: len(entry["metas"]) for key, entry in diff[kind].items()} for kind in ("joins", "leaves")}
        PUBSUB.local_broadcast(
            f"audit:{topic}", "metas", {"topic": topic, "calls": calls, "presences": presences, **counts}
        )
        others = {name: count for name, count in state.items() if name != topic}
        return {**others, topic: calls} if presences else others


class PresenceChannel(Channel):
    """One event for each thing that presence can do."""

    presence: ClassVar[type[Presence]] = Plain

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        if payload.get("trap"):
            trap_exit()
        if not payload.get("silent"):
            key = payload.get("key", self.assigns.get("user_id"))
            self.track_after_join(key, payload.get("meta", {"at": "t0"}))
        return None

    @on("track")
    async def on_track(self, payload: Payload) -> HandleResult:
        return self._tracked(self.topic, payload)

    @on("track_topic")
    async def track_topic(self, payload: Payload) -> HandleResult:
        return self._tracked(payload["topic"], payload)

    @on("track_other")
    async def track_other(self, payload: Payload) -> HandleResult:
        return self._tracked(self.topic, payload, spawn(trio.sleep, payload["ms"] / 1000))

    def _tracked(self, topic: str, payload: Payload, pid: Pid | None = None) -> HandleResult:
        tracked = self.presence.track(topic, payload["key"], payload.get("meta"), pid=pid)
        if isinstance(tracked, Ok):
            return Ok({"phx_ref": tracked.value})
        return Error({"reason": "already_tracked", "topic": topic, "key": payload["key"]})

    @on("update")
    async def on_update(self, payload: Payload) -> HandleResult:
        return _updated(self.update(payload["key"], payload.get("meta")))

    @on("merge")
    async def merge(self, payload: Payload) -> HandleResult:
        return _updated(self.update(payload["key"], lambda meta: {**meta, **payload["meta"]}))

    @on("untrack")
    async def on_untrack(self, payload: Payload) -> HandleResult:
        self.untrack(payload["key"])
        return Ok()

    @on("untrack_all")
    async def untrack_all(self, payload: Payload) -> HandleResult:
        self.presence.untrack_all()
        return Ok()

    @on("ops")
    async def ops(self, payload: Payload) -> HandleResult:
        topic = payload.get("topic", self.topic)
        return Ok({"results": [await self._op(topic, *op) for op in payload["ops"]]})

    async def _op(self, topic: str, kind: str, key: Any, meta: Any = None) -> str:  # noqa: ANN401 - JSON
        presence = self.presence
        match kind:
            case "track":
                return "ok" if isinstance(presence.track(topic, key, meta), Ok) else "already_tracked"
            case "update":
                return "ok" if isinstance(presence.update(topic, key, meta), Ok) else "nopresence"
            case "merge":
                merged = presence.update(topic, key, lambda old: {**old, **meta})
                return "ok" if isinstance(merged, Ok) else "nopresence"
            case "untrack":
                presence.untrack(topic, key)
            case _:
                await trio.sleep(key / 1000)
        return "ok"

    @on("list")
    async def list_here(self, payload: Payload) -> HandleResult:
        return Ok(await self.presence.fetched(self.topic))

    @on("list_topic")
    async def list_topic(self, payload: Payload) -> HandleResult:
        return Ok(await self.presence.fetched(payload["topic"]))

    @on("get")
    async def get(self, payload: Payload) -> HandleResult:
        return Ok({"presence": await self.presence.fetched_by_key(self.topic, payload["key"])})

    @on("state")
    async def state(self, payload: Payload) -> None:
        await self.push_presence_state()

    @on("refs")
    async def refs(self, payload: Payload) -> HandleResult:
        presence, topic, key = self.presence, self.topic, payload["key"]
        seen = []

        def look() -> dict[str, Any]:
            (meta,) = presence.list(topic)[key]["metas"]
            seen.append(meta["phx_ref"])
            return dict(meta)

        tracked = presence.track(topic, key, {"n": 1}).unwrap()
        first = look()
        updated = presence.update(topic, key, {"n": 2}).unwrap()
        second = look()
        presence.update(topic, key, {"n": 2})
        third = look()
        presence.untrack(topic, key)
        presence.track(topic, key, {"n": 3})
        fourth = look()
        return Ok(
            {
                "track_returns_the_listed_ref": tracked == first["phx_ref"],
                "prev_after_track": "phx_ref_prev" in first,
                "update_gives_a_new_ref": updated == second["phx_ref"] != tracked,
                "prev_is_the_tracked_ref": second.get("phx_ref_prev") == tracked,
                "prev_is_the_last_updated_ref": third.get("phx_ref_prev") == updated,
                "prev_after_untrack_and_track": "phx_ref_prev" in fourth,
                "all_differ": len(set(seen)) == len(seen),
                "length": len(tracked),
            }
        )

    @on("broadcast")
    async def on_broadcast(self, payload: Payload) -> HandleResult:
        self.broadcast("bcast", payload)
        return Ok()

    @on("echo")
    async def echo(self, payload: Payload) -> HandleResult:
        return Ok(payload)

    @on("crash")
    async def crash(self, payload: Payload) -> HandleResult:
        raise RuntimeError("crashed on request")

    @on("exit_normal")
    async def exit_normal(self, payload: Payload) -> HandleResult:
        raise Exit("normal")

    @on("kill_self")
    async def kill_self(self, payload: Payload) -> HandleResult:
        self_pid().exit(KILL)
        await trio.sleep_forever()

    @on("stop")
    async def stop_channel(self, payload: Payload) -> HandleResult:
        return Stop("normal")

    async def handle_info(self, message: object) -> None:
        if isinstance(message, Exited):
            self.push("exit", {"normal": is_atom(message.reason, "normal")})


def _updated(result: Ok[str] | Error) -> HandleResult:
    return Ok({"phx_ref": result.value}) if isinstance(result, Ok) else Error({"reason": result.reason})


class FetchChannel(PresenceChannel):
    """Has a Presence that fetches."""

    presence = Fetch


class MetasChannel(PresenceChannel):
    """Has a Presence that hears of diffs."""

    presence = Metas


class InterceptingChannel(PresenceChannel):
    """Pushes diffs itself."""

    intercepts = frozenset({"presence_diff"})

    async def handle_out(self, event: str, payload: Payload) -> None:
        keys = [*payload["joins"], *payload["leaves"]]
        if not keys or not all(key.startswith("quiet") for key in keys):
            self.push(event, {**payload, "via": "handle_out"})


class OldChannel(Channel):
    """The topics `presence:*`, with events that take no key."""

    presence = Plain

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        self.key = payload.get("user_id") or self.assigns.get("user_id") or "anonymous"
        self.track_after_join(self.key, {"online_at": "t0"})
        return None

    @on("update")
    async def on_update(self, payload: Payload) -> HandleResult:
        self.update(self.key, payload)
        return Ok()

    @on("untrack")
    async def on_untrack(self, payload: Payload) -> HandleResult:
        self.untrack(self.key)
        return Ok()

    @on("track")
    async def on_track(self, payload: Payload) -> HandleResult:
        self.track(payload["key"], payload.get("meta"))
        return Ok()

    @on("list")
    async def on_list(self, payload: Payload) -> HandleResult:
        return Ok(Plain.list(self.topic))


PRESENCES: tuple[type[Presence], ...] = (Plain, Fetch, Metas)
CHANNELS = {
    "presence:*": OldChannel,
    "pres:*": PresenceChannel,
    "fetch:*": FetchChannel,
    "metas:*": MetasChannel,
    "ipres:*": InterceptingChannel,
}


def _module(request: Request) -> type[Presence]:
    return {"fetch": Fetch, "metas": Metas}.get(str(request.params.get("module")), Plain)


async def listed(request: Request) -> Response:
    """Answer with who is present in a topic."""
    found = await _module(request).fetched(str(request.params.get("topic")))
    return Response.json(found)


async def kill(request: Request) -> Response:
    """Kill a tracker's process, and return when it is dead."""
    supervisor = whereis(_module(request).options.name)
    assert supervisor is not None
    children = {child.id: child.pid for child in await Supervisor.which_children(supervisor)}
    tracker = children["tracker"]
    assert isinstance(tracker, Pid)
    watch = monitor(tracker)
    tracker.exit(KILL)
    await receive(lambda message: isinstance(message, Down) and message.ref is watch)
    return Response.text("ok")


ROUTES = [route_get("/admin/presence", listed), post("/admin/presence/kill", kill)]
