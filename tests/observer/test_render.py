"""How a picture is drawn: plain functions, no processes."""

from __future__ import annotations

import attrs
import pytest

from phxactor.observer import Process, Row, Snapshot, Supervision, table, tree
from phxactor.observer._picture import Relation


def process(number: int, call: str = "Worker.init", **fields: object) -> Process:
    blank = Process(number, None, None, call, "waiting", trapping=False, mailbox=0)
    return attrs.evolve(blank, **fields)  # type: ignore[arg-type]


def row(depth: int, number: int, id: str | None = None, relation: Relation = "supervised", **fields: object) -> Row:  # noqa: A002
    made = Row(depth, relation, process(number), id, "waiting")
    return attrs.evolve(made, **fields)  # type: ignore[arg-type]


def picture(*rows: Row, zombies: tuple[Process, ...] = ()) -> Snapshot:
    return Snapshot(rows, zombies, processes=len(rows), messages=0)


FAMILY = picture(
    row(0, 2, relation="root", process=process(2, "main")),
    row(1, 3, relation="linked", process=process(3, "Supervisor.init", name="root")),
    row(2, 4, "inner", supervision=Supervision("rest_for_one", 1, 3, 5)),
    row(3, 5, "a", restarts=2),
    row(3, 6, "b", process=process(6, name="beta", label="busy with x", mailbox=12)),
    row(2, 7, "crowd", supervision=Supervision("one_for_one", 0, 3, 5)),
    row(3, 8),
    Row(3, "supervised", hidden=950),
    Row(2, "supervised", id="gone", status="down"),
    row(1, 9, relation="spawned", process=process(9, "sleep_forever"), status="exiting"),
)


def test_the_tree() -> None:
    assert tree(FAMILY).splitlines() == [
        "main <2>",
        "├╌ root <3>",
        "│  ├─ inner <4> · rest_for_one · 1 of 3 restarts in 5 s",
        "│  │  ├─ a <5> · 2 restarts",
        "│  │  └─ b (beta) <6> · busy with x · 12 messages wait",
        "│  ├─ crowd <7>",
        "│  │  ├─ Worker <8>",
        "│  │  └─ … 950 more",
        "│  └─ gone · down",
        "└╌ sleep_forever <9> · exiting",
    ]


def test_the_table() -> None:
    assert table(FAMILY, 100).splitlines() == [
        "PROCESS                                              PID  STATE    MAILBOX  RESTARTS",
        "main                                                   2  waiting        0",
        "├╌ root                                                3  waiting        0",
        "│  ├─ inner · rest_for_one · 1 of 3 restarts in 5 s    4  waiting        0         0",
        "│  │  ├─ a                                             5  waiting        0         2",
        "│  │  └─ b (beta) · busy with x                        6  waiting       12         0",
        "│  ├─ crowd                                            7  waiting        0         0",
        "│  │  ├─ Worker                                        8  waiting        0         0",
        "│  │  └─ … 950 more",
        "│  └─ gone                                                down                     0",
        "└╌ sleep_forever                                       9  exiting        0",
    ]


@pytest.mark.parametrize("width", [20, 60, 64, 80, 200])
def test_a_table_is_as_wide_as_it_may_be(width: int) -> None:
    lines = table(FAMILY, width).splitlines()
    assert max(map(len, lines)) <= max(width, 20 + len("  PID  STATE    MAILBOX  RESTARTS"))
    assert any("…" in line for line in lines)


@pytest.mark.parametrize("height", [1, 2, 10, 11, 50])
def test_a_table_is_as_high_as_it_may_be(height: int) -> None:
    whole, cut = table(FAMILY, 100).splitlines(), table(FAMILY, 100, height).splitlines()
    assert len(cut) == min(height, 11)
    if height < 11:
        assert cut == [*whole[: height - 1], f"… {11 - height + 1} more lines"]


def test_zombies_stand_below_the_tree() -> None:
    given_up = picture(row(0, 2, relation="root"), zombies=(process(7, "Stubborn.init"),))
    assert tree(given_up).splitlines()[-1] == "zombie Stubborn <7>"
    assert table(given_up).splitlines()[-1].split() == ["zombie", "Stubborn", "7", "zombie"]


def test_nothing_can_be_drawn_too() -> None:
    assert tree(picture()) == ""
    assert table(picture()).split() == ["PROCESS", "PID", "STATE", "MAILBOX", "RESTARTS"]


def test_few_messages_are_not_worth_a_word_in_the_tree() -> None:
    """They come and go all the time: a page would never stand still."""
    assert tree(picture(row(0, 2, process=process(2, mailbox=9)))) == "Worker <2>"


def test_a_name_behind_an_id_is_cut_from_the_left() -> None:
    """Of a long name, the end says more."""
    named = process(2, name="very.long.module.path.UserSocket.channels")
    assert tree(picture(row(0, 2, "pool", process=named))) == "pool (…ath.UserSocket.channels) <2>"
