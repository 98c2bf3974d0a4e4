"""The chat's channel and its history, without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from trio.testing import MockClock

from phxactor import Broadcast, Error, PubSub, Supervisor, open_runtime, receive, self_pid
from phxactor.demos.chat.channel import ChatChannel
from phxactor.demos.chat.history import LENGTH, NAME, History, keep, recent
from phxactor.otp.label import get_label
from phxactor.socket import Broadcaster
from tests.demos.transport import Client

PAYLOAD = {"name": " Ada ", "user": "secret of Ada"}


@asynccontextmanager
async def lobby() -> AsyncIterator[Broadcaster]:
    """Run what the channels need."""
    async with open_runtime():
        (await Supervisor.start_link([History.child_spec(name=NAME)])).unwrap()
        yield Broadcaster(PubSub())


async def enter(room: Broadcaster, payload: object = None) -> tuple[Client, Any]:
    """Join, and take note of one's own arrival."""
    client = Client("chat:lobby", room)
    answer = await client.join(ChatChannel, PAYLOAD if payload is None else payload)
    if not isinstance(answer, Error):
        event, notice = await client.next()
        assert event == "notice"
        assert notice["text"].endswith(" is here")
    return client, answer


async def test_one_hears_oneself_and_nobody_hears_who_else_it_was(autojump_clock: MockClock) -> None:
    async with lobby() as room:
        ada, answer = await enter(room)
        assert answer["recent"] == []
        assert ada.pid is not None
        assert answer["pid"] == ada.pid.number
        assert get_label(ada.pid) == "chat:lobby as Ada"
        assert await ada.ask("say", {"body": "  Hello  "}) == {"status": "ok", "response": {}}
        event, said = await ada.next()
        assert event == "said"
        assert (said["name"], said["body"], said["mine"]) == ("Ada", "Hello", True)
        assert "secret" not in str(said)


async def test_who_comes_later_sees_what_was_said(autojump_clock: MockClock) -> None:
    async with lobby() as room:
        ada, _ = await enter(room)
        await ada.ask("say", {"body": "Hello"})
        await ada.next()
        _, answer = await enter(room, {"name": "Grace", "user": "another"})
        assert [(said["body"], said["mine"]) for said in answer["recent"]] == [("Hello", False)]
        assert await ada.next() == ("notice", {"text": "Grace is here"})
        _, answer = await enter(room)
        assert [(said["body"], said["mine"]) for said in answer["recent"]] == [("Hello", True)]


async def test_a_crash_is_told_and_loses_nothing(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with lobby() as room:
        room.subscribe("chat:lobby")
        ada, _ = await enter(room)
        await ada.ask("say", {"body": "Hello"})
        ada.send("crash", {})
        assert ada.pid is not None
        await self_pid().runtime.ended(ada.pid)
        assert "Ada pressed the button" in caplog.text
        notice = Broadcast("chat:lobby", "notice", {"text": "Ada's channel crashed"})
        assert await receive(lambda message: message == notice, timeout=5) == notice
        self_pid().mailbox.clear()
        _, answer = await enter(room)
        assert [said["body"] for said in answer["recent"]] == ["Hello"]


async def test_a_new_name(autojump_clock: MockClock) -> None:
    async with lobby() as room:
        ada, _ = await enter(room)
        ada.send("rename", {"name": "Countess"})
        assert await ada.next() == ("notice", {"text": "Ada is now Countess"})
        assert ada.pid is not None
        await ada.ask("say", {"body": "Hello"})
        assert get_label(ada.pid) == "chat:lobby as Countess"
        assert [said.name for said in await recent()] == ["Countess"]


@pytest.mark.parametrize(
    "payload",
    [
        {},
        [],
        {"name": "", "user": "x"},
        {"name": "  ", "user": "x"},
        {"name": "x" * 25, "user": "x"},
        {"name": "x"},
        {"name": 5, "user": "x"},
        {"name": "x", "user": None},
    ],
)
async def test_who_is_nobody_is_not_let_in(payload: object, autojump_clock: MockClock) -> None:
    async with lobby() as room:
        _, answer = await enter(room, payload)
        assert answer == Error({"reason": "a name has 1 to 24 characters"})


@pytest.mark.parametrize("event", ["say", "rename"])
@pytest.mark.parametrize("text", ["", "   ", "x" * 501])
async def test_texts_have_limits(event: str, text: str, autojump_clock: MockClock) -> None:
    async with lobby() as room:
        ada, _ = await enter(room)
        answer = await ada.ask(event, {"body" if event == "say" else "name": text})
        assert answer["status"] == "error"
        assert answer["response"]["reason"] == "invalid payload"
        assert await ada.ask("say", {"body": "still there"}) == {"status": "ok", "response": {}}


async def test_the_history_forgets() -> None:
    async with lobby():
        for number in range(LENGTH + 5):
            await keep("Ada", "secret", str(number))
        said = await recent()
        assert [one.body for one in said] == [str(number) for number in range(5, LENGTH + 5)]
        first = said[0].id  # the clock's: a tab that was there before a restart must see it as news
        assert [one.id for one in said] == list(range(first, first + LENGTH))
        assert first > 1_700_000_000_000
