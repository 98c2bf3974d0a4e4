"""A watched program that is none: it answers as an observer does, at once, and writes down what it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from phxactor.terminal._link import News, Tell


def row(number: int | None, name: str, **values: object) -> dict[str, Any]:
    """Return a row of the tree by its fields, in their order."""
    return {
        "key": f"p{number}",
        "depth": 1,
        "relation": "supervised",
        "number": number,
        "name": name,
        "label": None,
        "call": "Cook.init",
        "status": "waiting",
        "mailbox": 0,
        "rate": 0.0,
        "cpu": 0.0,
        "restarts": 0,
        "children": 0,
        "opened": 0,
        "position": 1,
        "setsize": 1,
        "supervision": None,
        "mark": None,
        **values,
    }


KITCHEN = [
    row(2, "kitchen", depth=0, supervision=("one_for_one", 2, 30, 60, 41), children=40, opened=1),
    row(3, "cook 0", mailbox=1234, rate=0.04),
    row(4, "cook 1", label="table 7", rate=250.0, cpu=0.31),
    row(5, "cook 2", restarts=12, mark="crashed", status="ended"),
    row(None, "cook 3", key="c2.cook 3", status="down", mark="down"),
    *(row(100 + number, f"cook {number}") for number in range(4, 300)),
]


class Program:
    """The program."""

    def __init__(self, *, actions: bool = True) -> None:
        self.summary: Mapping[str, Any] = {"program": "shop.py", "actions": actions}
        self.asked: list[Mapping[str, Any]] = []
        self.done: list[tuple[str, int | None]] = []
        self.tell: Tell = lambda _: None

    def listen(self, tell: Tell) -> None:
        self.tell = tell
        figures = {"processes": 302, "messages": 1234, "connections": 7, "crashes": 3, "restarts": 41, "lag": 0.0042}
        tell(News("summary", {**figures, "memory": 61_000_000}))

    def look(self, view: Mapping[str, Any]) -> None:
        """Answer with the rows of the window."""
        self.asked.append(view)
        rows = [one for one in KITCHEN if view["search"] in one["name"]]
        if view["sort"] not in (None, "name"):
            rows = sorted(rows, key=lambda one: -one[view["sort"]])
        window = rows[view["from"] : view["from"] + view["count"]]
        payload = {"view": view["view"], "from": view["from"], "total": len(rows)}
        self.tell(News("rows", {**payload, "rows": [[*one.values()] for one in window]}))

    def open(self, number: int | None) -> None:
        self.done.append(("open", number))
        told = {"status": "busy", "call": "Cook.init", "mailbox": 1234, "messages": ["('order', 7)"], "rate": 0.1}
        stack = [("shop/cook.py", 12, "Cook.handle_cast", "await oven.bake(dish)")]
        if number is not None:
            self.tell(News("process", {"number": number, **told, "state": "dish = 'soup'", "stack": stack}))

    def kill(self, number: int) -> None:
        self.done.append(("kill", number))

    def here(self) -> None:
        self.done.append(("here", None))
