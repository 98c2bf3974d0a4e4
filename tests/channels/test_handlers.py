"""Handlers by event: which method takes what, and what is refused when the class is made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from phxactor import Channel, Ok, intercept, on, open_runtime
from phxactor.channels import Payload
from tests.channels.joining import joined

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]


class Base(Channel):
    """Has handlers that others inherit."""

    @on("greet")
    async def greet(self, payload: Payload) -> Ok[str]:
        return Ok("base")

    @on("one")
    @on("two")
    async def both(self, payload: Payload) -> Ok[str]:
        return Ok("both")

    @intercept("news")
    async def news(self, payload: Payload) -> None:
        self.push("news", "base")


class Derived(Base):
    """Overrides some."""

    intercepts = frozenset({"more"})

    @on("greet")
    async def hello(self, payload: Payload) -> Ok[str]:
        return Ok("derived")

    @on("phx_leave")
    async def leave(self, payload: Payload) -> Ok[str]:
        return Ok("stays")

    async def handle_in(self, event: str, payload: Payload) -> Ok[str]:
        return Ok(f"any {event}")

    async def handle_out(self, event: str, payload: Payload) -> None:
        self.push(event, "handle_out")


@pytest.mark.parametrize(
    ("handler", "event", "answer"),
    [
        (Base, "greet", "base"),
        (Base, "one", "both"),
        (Base, "two", "both"),
        (Derived, "greet", "derived"),
        (Derived, "one", "both"),
        (Derived, "other", "any other"),
        (Derived, "phx_leave", "stays"),
    ],
)
async def test_which_method_takes_an_event(handler: type[Channel], event: str, answer: str) -> None:
    async with open_runtime():
        room = await joined(handler)
        await room.assert_reply(room.push(event), "ok", answer)


async def test_which_broadcasts_are_intercepted() -> None:
    async with open_runtime():
        room = await joined(Derived)
        for event in ("news", "more", "plain"):
            room.client.endpoint.broadcast("t", event, "broadcast")
        await room.assert_push("news", "base")
        await room.assert_push("more", "handle_out")
        await room.assert_push("plain", "broadcast")
        assert await room.receive_all() == []
    assert Derived.intercepts == {"news", "more"}
    assert Base.intercepts == {"news"}


@pytest.mark.parametrize("decorator", [on, intercept])
@pytest.mark.parametrize("event", ["", None, 5])
def test_an_event_has_a_name(decorator: object, event: object) -> None:
    with pytest.raises(TypeError, match="needs the name of an event"):
        decorator(event)  # type: ignore[operator]


def test_a_decorator_without_an_event() -> None:
    async def method(self: object, payload: object) -> None: ...

    with pytest.raises(TypeError, match=r"@on needs the name of an event, as in @on\('new_msg'\)"):
        on(method)  # type: ignore[arg-type]


def test_a_handler_is_async() -> None:
    def method(self: object, payload: object) -> None: ...

    with pytest.raises(TypeError, match=r"@on\('x'\) must decorate an `async def`"):
        on("x")(method)  # type: ignore[type-var]


def test_two_methods_cannot_take_one_event() -> None:
    with pytest.raises(TypeError, match="Twice: first and second both handle 'x'"):

        class Twice(Channel):
            @on("x")
            async def first(self, payload: Payload) -> None: ...

            @on("x")
            async def second(self, payload: Payload) -> None: ...


def test_a_handler_takes_a_payload() -> None:
    with pytest.raises(TypeError, match=r"Odd\.method must have the parameters \(self, payload\)"):

        class Odd(Channel):
            @on("x")
            async def method(self) -> None: ...


def test_an_annotation_that_cannot_be_read() -> None:
    with pytest.raises(TypeError, match=r"Vague\.method: the annotation of payload cannot be resolved: .*Unknown"):

        class Vague(Channel):
            @on("x")
            async def method(self, payload: Unknown) -> None: ...


def test_an_annotation_that_cattrs_cannot_structure() -> None:
    class Opaque:
        def __init__(self, one: int, two: int) -> None: ...

    with pytest.raises(TypeError, match=r"becomes a .*Opaque; phxactor\.channels\.register_payload_hook does"):
        type("Closed", (Channel,), {"method": on("x")(_taking(Opaque))})


def _taking(wanted: type) -> Callable[..., Awaitable[None]]:
    async def method(self: object, payload: object) -> None: ...

    method.__annotations__["payload"] = wanted
    return method
