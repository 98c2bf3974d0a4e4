"""The rows of a view: functions over the nodes of the tree, which pass over what is not seen, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import nlargest, nsmallest
from itertools import islice
from typing import Final, TypeAlias, TypeVar

from trio.lowlevel import checkpoint

from phxactor.observer._node import Node
from phxactor.observer._view import View

Value = TypeVar("Value")
SLICE: Final = 2000
"""Processes whose values are read without a pause."""

Place: TypeAlias = tuple[Node, int, int, int, bool]
"""A node, its depth, its position among its siblings from 1, their number, and whether it shows what is below it."""


def rows_of(root: Node, view: View, shown: set[Node] | None = None) -> tuple[int, list[Place]]:
    """Return how many rows there are in all, and those of the window.

    With a search, `shown` are the nodes that it has found, and those above them: all of them are open, unless closed by
    hand.
    """
    total, rows = 0, []
    first, end = view.first, view.first + view.count
    stack: list[tuple[Iterator[Node], int, int]] = []  # what is left of a list, its depth, and its length
    places = [0]  # the position in each of those lists
    below = _below(root, shown)
    stack.append((iter(below), 0, len(below)))
    while stack:
        left, depth, size = stack[-1]
        for node in left:
            places[-1] += 1
            inner = node.below
            is_open = bool(inner) and _is_open(node, depth, view, searching=shown is not None)
            if first <= total < end:
                rows.append((node, depth, places[-1], size, is_open))
            total += 1
            if not is_open:
                continue
            below = _below(node, shown)
            if shown is None and not node.inner:  # nothing is below them: pass over them at once
                if total < end and total + len(below) > first:
                    skipped = max(0, first - total)
                    wanted = islice(below, skipped, end - total)
                    rows += [(one, depth + 1, skipped + n, len(below), False) for n, one in enumerate(wanted, 1)]
                total += len(below)
                continue
            stack.append((iter(below), depth + 1, len(below)))
            places.append(0)
            break
        else:
            stack.pop()
            places.pop()
    return total, rows


def path_of(node: Node) -> list[str]:
    """Return the keys of the rows above a node, from the root, and its own."""
    keys: list[str] = []
    one: Node | None = node
    while one is not None and one.above is not None:
        keys.append(one.key())
        one = one.above
    return keys[::-1]


def place_of(node: Node, view: View) -> int | None:
    """Return the index of a node's row in the tree without a search; None if a row above it is folded.

    It passes over the rows before it, and does not make them.
    """
    above = node.above
    if above is None:
        return None
    path = [node]
    while above.above is not None:
        path.append(above)
        above = above.above
    index = 0
    for depth, one in enumerate(reversed(path)):
        if depth and not _is_open(above, depth - 1, view, searching=False):
            return None
        for sibling in above.below or ():
            if sibling is one:
                break
            index += 1 + _rows_below(sibling, depth, view)
        index += depth < len(path) - 1
        above = one
    return index


def _rows_below(node: Node, depth: int, view: View) -> int:
    """Return how many rows are shown below a node."""
    rows, stack = 0, [(node, depth)]
    while stack:
        one, level = stack.pop()
        if one.below and _is_open(one, level, view, searching=False):
            rows += len(one.below)
            if one.inner:
                stack.extend((inner, level + 1) for inner in one.below if inner.below)
    return rows


def with_those_above(found: Iterable[Node]) -> set[Node]:
    """Return the nodes and all that are above them."""
    shown: set[Node] = set()
    for node in found:
        one: Node | None = node
        while one is not None and one not in shown:
            shown.add(one)
            one = one.above
    return shown


async def largest(nodes: Iterable[Node], value: Callable[[Node], float], view: View) -> list[Place]:
    """Return the window of a flat list, the largest value first; the older process first where values are equal.

    Values are read in slices: other processes run between them.
    """
    known, values = await _read(nodes, value)
    return _flat(known, nlargest(view.first + view.count, range(len(known)), key=values.__getitem__), view)


async def by_name(nodes: Iterable[Node], view: View) -> list[Place]:
    """Return the window of a flat list, by name; names are read in slices."""
    known, names = await _read(nodes, Node.searched)
    return _flat(known, nsmallest(view.first + view.count, range(len(known)), key=names.__getitem__), view)


async def _read(nodes: Iterable[Node], value: Callable[[Node], Value]) -> tuple[list[Node], list[Value]]:
    known, values = [*nodes], list[Value]()
    for start in range(0, len(known), SLICE):
        values += map(value, known[start : start + SLICE])
        await checkpoint()
    return known, values


def _flat(nodes: list[Node], best: list[int], view: View) -> list[Place]:
    return [(nodes[index], 0, n, 0, False) for n, index in enumerate(best[view.first :], view.first + 1)]


def _below(node: Node, shown: set[Node] | None) -> list[Node] | dict[Node, None]:
    below = node.below or {}
    return below if shown is None else [one for one in below if one in shown]


def _is_open(node: Node, depth: int, view: View, *, searching: bool) -> bool:
    if searching or depth < view.depth:
        return not view.closed or node.key() not in view.closed
    return bool(view.open) and node.key() in view.open
