"""What is known of one process as coloured text: a pure function over what the observer sends."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.text import Text

from phxactor.terminal._cells import STYLES, percent, rate

WIDTH: Final = 13
"""Cells of the names of what is known."""


def describe(title: str, told: Mapping[str, Any]) -> Text:
    """Return all that is known of a process below its title, as `observer:process` tells it."""
    return Text("\n").join([Text(title, STYLES["bold"]), *_lines(told)])


def _lines(told: Mapping[str, Any]) -> Iterator[Text]:
    if told.get("gone"):
        yield Text(str(told["gone"]), STYLES["crashed"])
    if told.get("ended"):
        yield Text(f"ended: {told['ended']}", STYLES["crashed"])
    yield from _pairs(told)
    yield Text()
    yield from _block(f"mailbox: {told.get('mailbox', 0):,}", told.get("messages") or ())
    if told.get("state") is None:
        yield from _block("state", [f"not shown: {told.get('state_why') or 'not asked yet'}"])
    else:
        yield from _block("state", str(told["state"]).splitlines())
    stack = [f"{file}:{line} {name}  {source}" for file, line, name, source in told.get("stack") or ()]
    yield from _block("where it waits", stack or ["it has no task that waits at this moment"])


def _pairs(told: Mapping[str, Any]) -> Iterator[Text]:
    if "status" not in told:
        return
    for name in ("name", "label"):
        if told.get(name):
            yield _pair(name, str(told[name]))
    yield _pair("runs", str(told["call"]))
    yield _pair("state", str(told["status"]))
    if told.get("supervision"):
        strategy, used, most, seconds, *ever = told["supervision"]
        all_ = f", {ever[0]:,} in all" if ever and ever[0] is not None else ""
        yield _pair("supervisor", f"{strategy}, {used} of {most} restarts in {seconds:g} s{all_}")
    yield _pair("messages/s", f"{rate(told.get('rate') or 0)}   handled: {told.get('handled', 0):,}")
    yield _pair("CPU", percent(told.get("cpu")))
    yield _pair("restarts", f"{told.get('restarts', 0):,}")
    if told.get("started"):
        yield _pair("started", time.strftime("%d %b %Y, %H:%M:%S %Z", time.localtime(told["started"])))
    for name, key in (
        ("ancestors", "ancestors"),
        ("links", "links"),
        ("monitors", "monitors"),
        ("monitored by", "monitored_by"),
    ):
        yield _pair(name, _related(told.get(key) or ()))
    yield _pair("traps exits", "yes" if told.get("trapping") else "no")


def _pair(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<{WIDTH}} ", STYLES["dim"]), value)


def _related(pids: Sequence[Sequence[Any]]) -> str:
    return ", ".join(f"{name or 'process'} <{number}>" for number, name in pids) or "none"


def _block(title: str, lines: Sequence[str]) -> Iterator[Text]:
    yield Text(title, STYLES["bold"])
    for line in lines:
        yield Text(f"  {line}")
    yield Text()
