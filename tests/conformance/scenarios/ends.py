"""How channels end, what the client hears of it, and what `terminate` is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tests.conformance.actors import Record, Step
from tests.conformance.player import Scenario
from tests.conformance.scenarios.script import BYE, close, ends, error, join, reply, say, script, text, turn

ENDS = [
    ends("throw", "a throw is a phx_error", error("1", "room:throw")),
    ends("exit_shutdown", "exit shutdown without being told is a phx_error", error("1", "room:exit_shutdown")),
    ends("exit_error", "exit with an error is a phx_error", error("1", "room:exit_error")),
    ends("bad_return", "what is no result is a phx_error", error("1", "room:bad_return")),
    ends(
        "stop_shutdown_reply",
        "stop shutdown with a reply: the reply, then phx_close",
        reply("1", "3", "room:stop_shutdown_reply", BYE),
        close("1", "room:stop_shutdown_reply"),
    ),
    ends(
        "stop_error_reply",
        "stop with an error and a reply: the reply, then phx_error",
        reply("1", "3", "room:stop_error_reply", {"bye": False}, "error"),
        error("1", "room:stop_error_reply"),
    ),
    script(
        "ends_sleeping",
        "a channel that is busy ends with its duplicate join all the same",
        join("room:busy"),
        turn(say("1", "2", "room:busy", "sleep", {"ms": 5000}, quiet=0)),
        turn(say("3", "3", "room:busy", "phx_join"), reply("3", "3", "room:busy"), close("1", "room:busy")),
    ),
]


def terminated(topic: str, reason: object) -> Record:
    return text(None, None, "audit:log", "terminated", {"reason": reason, "topic": topic})


def terminates(
    name: str,
    about: str,
    step: Step,
    events: Sequence[Record],
    reason: object,
    *,
    params: Mapping[str, str] | None = None,
) -> Scenario:
    """Have a channel end, and see which reason its terminate was called with; None if it was not."""
    topic = f"room:terminate:{name}"
    heard = [] if reason is None else [terminated(topic, reason)]
    return script(
        f"terminate_{name}".replace(":", "_"),
        about,
        join("audit:log", on="w"),
        join(topic),
        turn(step, **{client: more for client, more in {"a": events, "w": heard}.items() if more}),
        clients={"a": {} if params is None else {"params": params}, "w": {}},
    )


def terminates_by(trap: str, event: str, end: Callable[[object, str], Record], reason: object) -> Scenario:
    """Have a channel end by an event, one that traps exits or not."""
    name = trap + event
    topic = f"room:terminate:{name}"
    return terminates(name, f"terminate's reason on {event}", say("1", "2", topic, event), [end("1", topic)], reason)


TERMINATES = [
    *(
        terminates_by(trap, event, end, reason)
        for trap in ("", "trap:")
        for event, end, reason in (
            ("stop_normal", close, "normal"),
            ("stop_shutdown", close, "shutdown"),
            ("stop_error", error, "boom"),
            ("exit_normal", error, "normal"),
            ("exit_shutdown", error, "shutdown"),
            ("exit_error", error, "boom"),
        )
    ),
    *(
        terminates(
            f"{trap}abort",
            "a dropped connection is a closed one",
            {"abort": True},
            [{"closed": 1006}],
            ["shutdown", "closed"],
        )
        for trap in ("", "trap:")
    ),
    terminates(
        "rejoin",
        "one that does not trap exits is not asked when it is replaced",
        say("9", "9", "room:terminate:rejoin", "phx_join"),
        [reply("9", "9", "room:terminate:rejoin"), close("1", "room:terminate:rejoin")],
        None,
    ),
    terminates(
        "disconnected",
        "one that does not trap exits is told of a disconnect, too",
        {"http": ["POST", "/admin/disconnect?id=users_socket:td2"]},
        [{"closed": 1001}],
        ["shutdown", "disconnected"],
        params={"user_id": "td2"},
    ),
]
