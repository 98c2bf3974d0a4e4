"""The chat's channel: one process for each tab in the room."""

from __future__ import annotations

from typing import Final

import attrs
from attrs.validators import max_len, min_len

from phxactor import Channel, Error, Ok, Presence, call, intercept, on, self_pid
from phxactor.channels import HandleResult, JoinResult, Payload
from phxactor.demos.chat.history import NAME, Keep, Recent, Said
from phxactor.otp import set_label
from phxactor.runtime import Crash, Reason

MAX_NAME: Final = 24
MAX_BODY: Final = 500


def stripped(limit: int) -> str:
    """Declare a field for a text of 1 to `limit` characters; blanks at its ends are removed."""
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


class ChatPresence(Presence):
    """Who is in the room, by name: several tabs of one name are one person."""


class ChatChannel(Channel):
    """Broadcasts what its client says, and notices when the client joins, is renamed, leaves or crashes."""

    presence = ChatPresence

    async def join(self, topic: str, payload: Payload) -> JoinResult:
        match payload:
            case {"name": str(name), "user": str(user)} if 0 < len(name.strip()) <= MAX_NAME:
                self.assign(name=name.strip(), user=user)
            case _:
                return Error({"reason": f"a name has 1 to {MAX_NAME} characters"})
        self.show_name()
        self_pid().send("joined")
        self.track_after_join(self.assigns.name)
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
        self.untrack(self.assigns.name)
        self.assign(name=wanted.name)
        self.track(wanted.name)
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
        """Return a message for this client. It must not learn the others' secrets, only which messages are its own."""
        return {
            "id": said.id,
            "name": said.name,
            "body": said.body,
            "at": said.at,
            "mine": said.user == self.assigns.user,
        }

    def show_name(self) -> None:
        """Label this process with the topic and the client's name, for the tree."""
        set_label(f"{self.topic} as {self.assigns.name}")
