"""The rows of a trace: what one action causes at once is one row, and runs of equal rows are folded.

sends m, and at once the receiver takes m     one row; `takes` stands only where something else came in between
spawns, and at once monitors                  one row: "spawns and monitors"
sends `Down` or `Exited`, and exits           one row: "exits: :normal (Down to #PID<2 main>)"
the same row twelve times                     one row, "x 12"
the same two rows twelve times                two rows, and "(the last 2 lines, 12 times)"
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import attrs

from phxactor.runtime import Down, Exited

if TYPE_CHECKING:
    from phxactor.runtime import Pid
    from phxactor.testing._trace import Happening

PERIOD: Final = 6
"""Maximum rows of a run that repeats itself."""
TIMES: Final = 3
"""A run of several rows is folded if it comes at least so often."""


@attrs.define
class Row:
    """One row: an action, and what it causes at once."""

    time: float
    """Seconds of trio's clock."""
    text: str
    verb: str
    by: Pid | None = None
    whom: Pid | None = None
    what: object = None
    told: tuple[Pid, ...] = ()
    """The processes that get a `Down` or an `Exited`."""
    times: int = 1

    def same(self, other: Row) -> bool:
        """Return whether both read the same, whatever the time is."""
        return self.text == other.text and self.by is other.by and self.whom is other.whom


def folded(happenings: Sequence[Happening], before: int, most: int) -> list[Row]:
    """Return the last `most` rows; `before` happenings came before them."""
    rows = list(_runs(_merged(happenings)))
    before += len(rows) - len(rows[-most:])
    rows = rows[-most:]
    return [Row(rows[0].time, f"... {before} before", "remark"), *rows] if before and rows else rows


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield one line for each row, with the time if it is another one."""
    time = 0.0
    for row in rows:
        yield f"{clock(row.time, time):>9} {text_of(row)}"
        time = row.time


def clock(now: float, before: float) -> str:
    """Return the column of the time: empty if it is that of the row before."""
    return "" if now == before else f"{now:g} s"


def text_of(row: Row) -> str:
    """Return the text of a row, with the number of times."""
    return row.text if row.times == 1 else f"{row.text}  x {row.times}"


def _merged(happenings: Sequence[Happening]) -> list[Row]:
    rows: list[Row] = []
    waiting: defaultdict[tuple[Pid | None, int], deque[Row]] = defaultdict(deque)
    """The rows of the messages that have not been taken, by receiver and message."""
    for one in happenings:
        last = rows[-1] if rows else None
        if one.verb == "takes" and (sent := waiting[one.by, id(one.what)]):
            if sent.popleft() is last:
                continue
        elif one.verb == "monitors" and last is not None and last.verb == "spawns" and last.whom is one.whom:
            links = " spawns and links "
            if last.by is one.by:
                if links in last.text:
                    last.text = last.text.replace(links, " spawns, links and monitors ", 1)
                else:
                    last.text = last.text.replace(" spawns ", " spawns and monitors ", 1)
                continue
        row = Row(one.time, one.text, one.verb, one.by, one.whom, one.what)
        if one.verb == "exits":
            _tell(row, rows)
        elif one.verb == "sends":
            waiting[one.whom, id(one.what)].append(row)
        rows.append(row)
    return rows


def _tell(exits: Row, rows: list[Row]) -> None:
    """Add to the row of an exit the messages that the process has sent because of it."""
    told: list[tuple[str, Pid]] = []
    while rows:
        last = rows[-1]
        message = last.what
        if last.verb != "sends" or last.by is not exits.by or last.whom is None or last.time != exits.time:
            break
        if not isinstance(message, Down | Exited) or message.reason != exits.what:
            break
        told.append((type(message).__name__, last.whom))
        rows.pop()
    if told:
        told.reverse()
        exits.told = tuple(pid for _, pid in told)
        exits.text += f" ({', '.join(f'{kind} to {pid!r}' for kind, pid in told)})"


def _runs(rows: Sequence[Row]) -> Iterator[Row]:
    """Fold what repeats itself."""
    at = 0
    while at < len(rows):
        for period in range(1, PERIOD + 1):
            times = _times(rows, at, period)
            if times >= (2 if period == 1 else TIMES):
                break
        else:
            period = times = 1
        if period == 1:
            yield attrs.evolve(rows[at], times=times)
        else:
            yield from rows[at : at + period]
            yield Row(rows[at + period * times - 1].time, f"(the last {period} lines, {times} times)", "remark")
        at += period * times


def _times(rows: Sequence[Row], at: int, period: int) -> int:
    """Count how often the rows from `at` on repeat themselves."""
    times = 1
    while True:
        first = at + times * period
        again = rows[first : first + period]
        if len(again) < period or not all(map(Row.same, rows[at : at + period], again)):
            return times
        times += 1
