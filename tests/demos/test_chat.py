"""The chat's channel and its history, without a browser."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from phxactor import Error, Socket, Supervisor, call, channel, open_runtime
from phxactor.demos.chat.app import PHOENIX
from phxactor.demos.chat.channel import ChatChannel, ChatPresence
from phxactor.demos.chat.history import LENGTH, NAME, History, Keep, Recent
from phxactor.otp import get_label
from phxactor.testing import ClientChannel, assert_presence, assert_refused, connect, exactly
from tests.conftest import MODULES

ADA = {"name": " Ada ", "user": "secret of Ada"}


class ChatSocket(Socket):
    """That of the demo has pages of its own beside it."""

    channels = (channel("chat:*", ChatChannel),)


async def keep_history() -> None:
    """Run what the channels need."""
    (await Supervisor.start_link([History.child_spec(name=NAME), ChatPresence])).unwrap()


async def enter(payload: object = None) -> ClientChannel:
    """Join, and take note of one's own arrival."""
    client = await connect(ChatSocket)
    room = await client.subscribe_and_join("chat:lobby", ADA if payload is None else payload)
    await room.assert_push("notice", {"text": lambda text: text.endswith(" is here")})
    return room


async def test_one_hears_oneself_and_nobody_hears_who_else_it_was(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await keep_history()
        ada = await enter()
        await ada.assert_joined({"recent": [], "pid": ada.pid.number})
        assert get_label(ada.pid) == "chat:lobby as Ada"
        await ada.assert_reply(ada.push("say", {"body": "  Hello  "}), "ok", exactly({}))
        said = await ada.assert_push("said", {"name": "Ada", "body": "Hello", "mine": True})
        assert "secret" not in str(said)


async def test_who_comes_later_sees_what_was_said(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await keep_history()
        ada = await enter()
        ada.push("say", {"body": "Hello"})
        await ada.assert_push("said")
        grace = await enter({"name": "Grace", "user": "another"})
        await grace.assert_joined({"recent": [{"body": "Hello", "mine": False}]})
        await ada.assert_push("notice", {"text": "Grace is here"})
        again = await enter()
        await again.assert_joined({"recent": [{"body": "Hello", "mine": True}]})


async def test_the_room_shows_who_is_here_and_two_tabs_of_one_name_as_one(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await keep_history()
        ada, tab = await enter(), await enter()
        await enter({"name": "Grace", "user": "another"})
        await tab.assert_push("presence_state", {"Ada": {"metas": [{}, {}]}})
        await assert_presence(ChatPresence, "chat:lobby", {"Ada": [{}, {}], "Grace": [{}]})
        await tab.assert_reply(tab.push("rename", {"name": "Joe"}))
        await ada.assert_push("presence_diff", {"joins": {"Joe": {"metas": [{}]}}})
        await tab.client.close()
        await assert_presence(ChatPresence, "chat:lobby", {"Ada": [{}], "Grace": [{}]})


async def test_a_crash_is_told_and_loses_nothing(autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_runtime():
        await keep_history()
        ada = await enter()
        await ada.assert_reply(ada.push("say", {"body": "Hello"}))
        ada.push("crash")
        await ada.assert_crashed()
        assert "Ada pressed the button" in caplog.text
        await ada.assert_broadcast("notice", {"text": "Ada's channel crashed"}, within=5)
        again = await enter()
        await again.assert_joined({"recent": [{"body": "Hello"}]})


async def test_a_new_name(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await keep_history()
        ada = await enter()
        ada.push("rename", {"name": "Countess"})
        await ada.assert_push("notice", {"text": "Ada is now Countess"})
        await ada.assert_reply(ada.push("say", {"body": "Hello"}))
        assert get_label(ada.pid) == "chat:lobby as Countess"
        assert [said.name for said in await call(NAME, Recent())] == ["Countess"]


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
    async with open_runtime():
        await keep_history()
        assert await assert_refused(enter(payload)) == Error({"reason": "a name has 1 to 24 characters"})


@pytest.mark.parametrize("event", ["say", "rename"])
@pytest.mark.parametrize("text", ["", "   ", "x" * 501])
async def test_texts_have_limits(event: str, text: str, autojump_clock: MockClock) -> None:
    async with open_runtime():
        await keep_history()
        ada = await enter()
        ref = ada.push(event, {"body" if event == "say" else "name": text})
        await ada.assert_reply(ref, "error", {"reason": "invalid payload"})
        await ada.assert_reply(ada.push("say", {"body": "still there"}))


async def test_the_history_forgets() -> None:
    async with open_runtime():
        await keep_history()
        for number in range(LENGTH + 5):
            await call(NAME, Keep("Ada", "secret", str(number)))
        said = await call(NAME, Recent())
        assert [one.body for one in said] == [str(number) for number in range(5, LENGTH + 5)]
        first = said[0].id  # the clock's: a tab that was there before a restart must see it as news
        assert [one.id for one in said] == list(range(first, first + LENGTH))
        assert first > 1_700_000_000_000


@pytest.mark.node
def test_phoenix_js_is_the_released_one_with_its_licence() -> None:
    """After an update of tests/javascript/package.json, both files are to be copied anew."""
    released = MODULES / "phoenix-1.8.16"
    assert PHOENIX.read_bytes() == (released / "priv" / "static" / "phoenix.mjs").read_bytes()
    assert PHOENIX.with_name("phoenix.LICENSE.md").read_bytes() == (released / "LICENSE.md").read_bytes()
