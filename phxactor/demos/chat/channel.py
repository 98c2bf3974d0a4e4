"""The chat's channel: one process for each tab in the room."""

from __future__ import annotations

from typing import Final

import attrs
from attrs.validators import max_len, min_len

from phxactor import Channel, Error, Ok, call, intercept, on, self_pid
from phxactor.channels import HandleResult, JoinResult, Payload
from phxactor.demos.chat.history import NAME, Keep, Recent, Said
from phxactor.otp import set_label
from phxactor.runtime import Crash, Reason

MAX_NAME: Final = 24
MAX_BODY: Final = 500


def stripped(limit: int) -> str:
    """Declare a text from 1 to `limit` characters, without the blanks around it."""
    text: str = attrs.field(converter=str.strip, validator=[min_len(1), max_len(limit)])
    return text


@attrs.frozen
class Say:
    """The payload of `say`."""

    body: str = stripped(MAX_BODY)


@attrs.frozen
class Rename:
    """The payload of `rename`."""

    name: str = stripped(MAX_NAME)


class ChatChannel(Channel):
    """Says to all what one says, and what becomes of whom."""

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        match payload:
            case {"name": str(name), "user": str(user)} if 0 < len(name.strip()) <= MAX_NAME:
                self.assign(name=name.strip(), user=user)
            case _:
                return Error({"reason": f"a name has 1 to {MAX_NAME} characters"})
        self.show_name()
        self_pid().send("joined")
        recent = [self.as_seen_here(said) for said in await call(NAME, Recent())]
        return Ok({"pid": self_pid().number, "recent": recent})

    async def handle_info(self, message: object) -> None:
        if message == "joined":
            self.broadcast("notice", {"text": f"{self.assigns.name} is here"})

    @on("say")
    async def say(self, wanted: Say) -> Ok[None]:
        self.broadcast("said", await call(NAME, Keep(self.assigns.name, self.assigns.user, wanted.body)))
        return Ok()

    @intercept("said")
    async def said(self, said: Said) -> None:
        self.push("said", self.as_seen_here(said))

    @on("rename")
    async def rename(self, wanted: Rename) -> Ok[None]:
        self.broadcast("notice", {"text": f"{self.assigns.name} is now {wanted.name}"})
        self.assign(name=wanted.name)
        self.show_name()
        return Ok()

    @on("crash")
    async def crash(self, payload: Payload) -> HandleResult:
        raise RuntimeError(f"{self.assigns.name} pressed the button")

    async def terminate(self, reason: Reason) -> None:
        if self.socket.joined:
            fate = "'s channel crashed" if isinstance(reason, Crash) else " has left"
            self.broadcast_from("notice", {"text": f"{self.assigns.name}{fate}"})

    def as_seen_here(self, said: Said) -> Payload:
        """Write what was said for this client, who must not learn who the others are, only which words are his."""
        return {
            "id": said.id,
            "name": said.name,
            "body": said.body,
            "at": said.at,
            "mine": said.user == self.assigns.user,
        }

    def show_name(self) -> None:
        """Have the tree say whose channel this is."""
        set_label(f"{self.topic} as {self.assigns.name}")
