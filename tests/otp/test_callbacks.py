"""What could never work is refused where it is written: callbacks, routes and child specifications."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from phxactor import Channel, Endpoint, RawSocket, Socket, channel, get, intercept, mount, on
from phxactor.http import Request, Response
from phxactor.otp import ChildSpec, GenServer, Supervisor


def sync(*_: object) -> None:
    """Is no `async def`."""


async def awaited(*_: object) -> None:
    """Is one."""


async def without_arguments() -> None:
    """Takes none, not even `self`."""


async def generator(*_: object) -> AsyncIterator[int]:
    yield 1


OF_SERVERS = ("init", "handle_call", "handle_cast", "handle_info", "handle_continue", "terminate")
CALLBACKS: list[tuple[type, str]] = [
    *(
        (GenServer, name)
        for name in ("init", "handle_call", "handle_cast", "handle_info", "handle_continue", "terminate")
    ),
    *((Channel, name) for name in ("join", "handle_in", "handle_out", "handle_info", "terminate")),
    *((RawSocket, name) for name in ("connect", "init", "handle_in", "handle_info", "terminate")),
    (Socket, "connect"),
    (Supervisor, "init"),
]


def define(base: type, **members: object) -> type:
    return type("Mine", (base,), members)


@pytest.mark.parametrize(("base", "name"), CALLBACKS, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("wrong", [sync, generator, staticmethod(sync), 7, None])
def test_a_callback_that_is_not_async_is_refused(base: type, name: str, wrong: object) -> None:
    with pytest.raises(TypeError, match=rf"Mine\.{name} is awaited.* `?async def {name}\(self"):
        define(base, **{name: wrong})
    mixin = type("Mixin", (), {name: wrong})
    with pytest.raises(TypeError, match=rf"Mine\.{name} is awaited"):
        type("Mine", (mixin, base), {})


@pytest.mark.parametrize(
    ("base", "name"), [(base, name) for base, name in CALLBACKS if name != "init" or base is RawSocket]
)
def test_a_callback_that_takes_other_arguments_is_refused(base: type, name: str) -> None:
    with pytest.raises(TypeError, match=rf"Mine\.{name} (does not take the arguments of its call|takes)"):
        define(base, **{name: without_arguments})


@pytest.mark.parametrize(("base", "name"), [one for one in CALLBACKS if one[0] is not Socket])
def test_whatever_wraps_an_async_function_is_one(base: type, name: str) -> None:
    @functools.wraps(awaited)
    def wrapper(*args: object) -> object:
        return awaited(*args)

    define(base, **{name: awaited})
    define(base, **{name: wrapper})


@pytest.mark.parametrize(
    ("base", "name"),
    [(Socket, "identify"), *((GenServer, f"{name}") for name in ("format_status", "system_get_state"))],
)
def test_what_is_not_awaited_is_not_async(base: type, name: str) -> None:
    define(base, **{name: sync})
    with pytest.raises(TypeError, match=rf"Mine\.{name} is not awaited: write it as `def {name}`"):
        define(base, **{name: awaited})


def test_handlers_of_events() -> None:
    for mark in (on, intercept):
        with pytest.raises(TypeError, match="must decorate an `async def`"):
            mark("event")(sync)  # type: ignore[type-var]

        async def with_three(self: object, event: object, payload: object) -> None:
            raise NotImplementedError

        async def with_one(self: object) -> None:
            raise NotImplementedError

        for wrong in (mark("event")(with_three), mark("event")(with_one)):
            with pytest.raises(TypeError, match=r"Mine\.handler must have the parameters \(self, payload\)"):
                define(Channel, handler=wrong)


@pytest.mark.parametrize("handler", [object(), None, "Room", 7, Socket])
def test_what_is_no_channel_is_not_routed_to(handler: object) -> None:
    with pytest.raises(TypeError, match="neither start_link nor child_spec"):
        channel("a", handler)


@pytest.mark.parametrize("handler", [sync, lambda _: None, generator, object(), None, functools.partial(sync), str])
def test_the_handler_of_a_route_is_async(handler: Any) -> None:  # noqa: ANN401
    with pytest.raises(TypeError, match="an async function of a request"):
        get("/x", handler)


class Page:
    """Answers as an object, or as its method."""

    async def __call__(self, request: Request) -> Response:
        return Response.text("page")

    async def answer(self, request: Request) -> Response:
        return Response.text("page")


@pytest.mark.parametrize("handler", [awaited, functools.partial(awaited, 1), Page(), Page().answer])
def test_all_that_can_be_awaited_is_a_handler(handler: Any) -> None:  # noqa: ANN401
    assert get("/x", handler).handler is handler


class Room(Channel):
    """Lets everybody in."""


@pytest.mark.parametrize(
    "make",
    [
        lambda: Endpoint(sockets=[Socket]),  # type: ignore[list-item]
        lambda: Endpoint(sockets=mount("/socket", Socket)),  # type: ignore[arg-type]
        lambda: Endpoint(sockets=["/socket"]),  # type: ignore[list-item]
        lambda: Endpoint(routes=[awaited]),  # type: ignore[list-item]
        lambda: Endpoint(routes=[channel("a", Room)]),  # type: ignore[list-item]
        lambda: mount("/socket", Room),  # type: ignore[arg-type]
        lambda: mount("/socket", object()),  # type: ignore[arg-type]
    ],
)
def test_what_an_endpoint_cannot_serve(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"mount|get, post, route, static, asgi or wsgi|subclass of Socket"):
        make()


WRONG: dict[str, list[Any]] = {
    "start": [
        (awaited, ()),
        (awaited,),
        (awaited, (), {}, 1),
        [awaited, (), {}],
        awaited,
        (7, (), {}),
        (awaited, 1, {}),
        (awaited, "ab", {}),
        (awaited, (), ()),
        (awaited, (), {1: 2}),
        None,
    ],
    "restart": ["always", None, True, [], ["permanent"]],
    "type": ["process", None, GenServer, {}],
    "shutdown": [-1, "kill", True, [], float("nan"), {}],
    "significant": [None, 1, "yes"],
}


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in WRONG.items() for value in values])
def test_S4_a_child_specification_that_cannot_be_meant_says_what_can(field: str, value: object) -> None:
    fields: dict[str, Any] = {"id": 1, "start": (awaited, (), {}), field: value}
    with pytest.raises(ValueError, match=rf"{field} of the child 1 is .*; it must be "):
        ChildSpec(**fields)
