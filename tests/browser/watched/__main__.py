"""`python -m tests.browser.watched PORT ROOMS [TOKEN]`: serves the program, with its observer at /observer."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import phxactor
from phxactor import Channel, ChildSpec, Endpoint, Presence, Socket, channel, mount, on, self_pid, send_after
from phxactor.channels import HandleResult, JoinResult, Payload
from phxactor.observer import observer_routes
from phxactor.otp import set_label
from tests.browser.watched.clients import TALKERS, Deaf, Talker
from tests.browser.watched.rooms import Bell, Clerk, Mallory, Mill, kitchen, rooms, supervisor


class Guests(Presence):
    """Who talks where."""


class Chat(Channel):
    """A room in which talkers talk."""

    presence = Guests

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        set_label(f"{topic} as {self.assigns.user}")
        self.track_after_join(self.assigns.user)
        return None

    @on("say")
    async def say(self, payload: Payload) -> HandleResult:
        self.broadcast("said", payload)
        return None


class Flood(Channel):
    """Sends more than its client reads."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        self.size = 0
        self_pid().send("more")
        return None

    async def handle_info(self, message: object) -> None:
        if self.size < 3_000_000:
            self.size += 100_000
            self.push("large", {"text": "x" * 100_000})
            send_after(self_pid(), "more", 0.02)


class Door(Socket):
    """A client."""

    channels = (channel("chat:*", Chat), channel("flood", Flood))

    async def connect(self, params: Mapping[str, Any], connect_info: Mapping[str, Any]) -> None:
        user = str(params.get("user", "nobody"))
        self.assign(user=user)
        set_label(user)


def main(port: int, count: int, token: str | None = None) -> None:
    endpoint = Endpoint(
        sockets=[mount("/socket", Door)], routes=observer_routes(actions=True, token=token), host="127.0.0.1", port=port
    )
    children: list[ChildSpec] = [
        Guests.child_spec(),
        rooms(count),
        kitchen(),
        Mill.child_spec(name="Mill"),
        Clerk.child_spec(name="Clerk"),
        supervisor(
            "Clients",
            [
                Mallory.child_spec(),
                ChildSpec(id="bell", start=(Bell.start_link, (), {}), restart="transient"),
                ChildSpec(id="deaf", start=(Deaf.start_link, (port,), {})),
                *(ChildSpec(id=f"talker {one}", start=(Talker.start_link, (port, one), {})) for one in range(TALKERS)),
            ],
        ),
    ]
    phxactor.run(endpoint, children=children)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
