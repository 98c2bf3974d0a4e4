from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phxactor.socket import Route, Routes, Transport, channel


class Handler:
    """Whatever has a `start_link` is a channel."""

    def start_link(self, arguments: object) -> None:
        raise NotImplementedError


LOBBY, ROOM = Handler(), Handler()

topics = st.text("ab:", max_size=4)
patterns = st.one_of(topics.filter(bool), topics.map(lambda prefix: prefix + "*"))


def naive(declared: list[Route], topic: str) -> Route | None:
    for route in declared:
        if route.pattern == topic or (
            route.pattern[-1] == "*" and topic[: len(route.pattern) - 1] == route.pattern[:-1]
        ):
            return route
    return None


@given(st.lists(patterns, unique=True, max_size=8), st.lists(topics, min_size=1))
def test_the_first_match_wins_as_in_a_naive_model(chosen: list[str], asked: list[str]) -> None:
    declared = [channel(pattern, ROOM) for pattern in chosen]
    routes = Routes(declared)
    for topic in [*asked, *chosen]:
        assert routes.match(topic) is naive(declared, topic)


def test_a_pattern_without_a_star_matches_only_itself() -> None:
    # Recorded from Phoenix 1.8.12.
    routes = Routes([channel("exact", ROOM)])
    assert routes.match("exact") is routes.routes[0]
    assert routes.match("exact:1") is None
    assert routes.match("exac") is None


def test_an_exact_pattern_before_a_splat_wins_and_after_it_loses() -> None:
    lobby, rooms = channel("room:lobby", LOBBY), channel("room:*", ROOM)
    assert Routes([lobby, rooms]).match("room:lobby") is lobby
    assert Routes([rooms, lobby]).match("room:lobby") is rooms


def test_a_star_matches_the_empty_rest_and_another_star() -> None:
    rooms = channel("room:*", ROOM)
    routes = Routes([rooms])
    assert routes.match("room:") is rooms
    assert routes.match("room:*") is rooms
    assert routes.match("room") is None


def test_a_star_alone_matches_every_topic() -> None:
    routes = Routes([channel("*", ROOM)])
    assert routes.match("") is routes.match("anything") is routes.routes[0]


def test_a_route_keeps_its_own_assigns() -> None:
    assigns = {"from_socket": "yes"}
    route = channel("assigned:*", ROOM, assigns=assigns)
    assigns["from_socket"] = "changed"
    assert route.assigns == {"from_socket": "yes"}
    assert route.channel is ROOM
    assert channel("room:*", ROOM).assigns == {}


@pytest.mark.parametrize("pattern", ["*room", "room:*:x", "room:**", "**"])
def test_a_star_elsewhere_than_at_the_end_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="may be at the end only"):
        channel(pattern, ROOM)


def test_an_empty_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        channel("", ROOM)


def test_a_pattern_that_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a string; got None"):
        channel(None, ROOM)  # type: ignore[arg-type]


def test_assigns_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match=r"assigns must be a mapping; got \["):
        channel("room:*", ROOM, assigns=[("a", 1)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"strings as names; got {1: 2}"):
        channel("room:*", ROOM, assigns={1: 2})  # type: ignore[dict-item]


@pytest.mark.parametrize("pattern", ["room:lobby", "room:*"])
def test_a_pattern_that_stands_twice_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=rf"'{pattern[:-1]}.' is there twice; .* never matches"):
        Routes([channel(pattern, ROOM), channel("x", ROOM), channel(pattern, LOBBY)])


def test_what_channel_did_not_make_is_refused() -> None:
    with pytest.raises(TypeError, match=r"made by channel\(pattern, handler\)"):
        Routes([("room:*", ROOM)])  # type: ignore[list-item]


# ----------------------------------------------------------------------------------------------- transports


def test_a_route_for_one_transport_is_not_there_for_the_other() -> None:
    binary = channel("room:*", ROOM, transports=["websocket"])
    routes = Routes([binary, channel("lobby", LOBBY)])
    by_websocket, by_longpoll = routes.over("websocket"), routes.over("longpoll")
    match = by_websocket.match("room:1")
    assert match is not None
    assert match.channel is ROOM
    assert by_longpoll.match("room:1") is None
    assert by_websocket.match("lobby") is not None
    assert by_longpoll.match("lobby") is not None
    assert routes.over("websocket") is by_websocket


def test_the_next_route_counts_for_the_others() -> None:
    routes = Routes(
        [channel("room:*", ROOM, transports=["websocket"]), channel("room:*", LOBBY, transports=["longpoll"])]
    )
    assert [routes.over(one).match("room:1").channel for one in ("websocket", "longpoll")] == [ROOM, LOBBY]  # type: ignore[union-attr]
    shadowed = Routes([channel("room:*", ROOM, transports=["websocket"]), channel("room:1", LOBBY)])
    assert [shadowed.over(one).match("room:1").channel for one in ("websocket", "longpoll")] == [ROOM, LOBBY]  # type: ignore[union-attr]


def test_routes_for_all_are_the_same_for_each() -> None:
    routes = Routes([channel("room:*", ROOM)])
    assert routes.over("websocket") is routes is routes.over("longpoll")


@pytest.mark.parametrize("transports", [["websocket"], ["longpoll", "websocket"], None])
def test_a_pattern_twice_for_one_transport_is_refused(transports: list[Transport] | None) -> None:
    with pytest.raises(ValueError, match="is there twice"):
        Routes([channel("x", ROOM, transports=["websocket"]), channel("x", LOBBY, transports=transports)])


@pytest.mark.parametrize(
    ("transports", "error"),
    [("websocket", TypeError), (1, TypeError), ([], ValueError), (["sse"], ValueError), ([None], ValueError)],
)
def test_transports_that_cannot_be(transports: Any, error: type[Exception]) -> None:  # noqa: ANN401
    with pytest.raises(error, match="transports"):
        channel("x", ROOM, transports=transports)
