"""What a viewer has asked to see: a window of a list, with a search and an order; checked and bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, final

import attrs

SEARCH: Final = 100
"""Maximum characters of a search."""
COUNT: Final = 200
"""Maximum rows of a window."""
KEYS: Final = 500
"""Maximum rows that a viewer has opened, and has closed, by hand."""
KEY: Final = 120
"""Maximum characters of a row's key."""
DEPTH: Final = 64
FAR: Final = 10_000_000


class WrongViewError(ValueError):
    """A viewer asked for what there is not; the text says what is wrong."""


@final
@attrs.frozen
class View:
    """A window of a list."""

    first: int = 0
    count: int = 60
    search: str = ""
    """In lower case; empty for all."""
    sort: str | None = None
    number: int = 0
    """The viewer's own number of this view, which its rows carry."""
    frozen: bool = False
    """Whether rows keep their places, whatever changes."""
    depth: int = 2
    """Rows of the tree at less than this depth are open, unless they are in `closed`."""
    open: frozenset[str] = frozenset()
    closed: frozenset[str] = frozenset()

    @staticmethod
    def parse(payload: object, sorts: frozenset[str]) -> View:
        """Read the payload of a `view`. Raises WrongViewError for one that is not as it must be."""
        given = payload if isinstance(payload, Mapping) else {}
        sort = given.get("sort")
        if sort is not None and sort not in sorts:
            raise WrongViewError(f"sort is one of {', '.join(sorted(sorts))}, or null")
        search = given.get("search", "")
        if not isinstance(search, str) or len(search) > SEARCH:
            raise WrongViewError(f"search is text of at most {SEARCH} characters")
        return View(
            first=_whole(given, "from", 0, FAR),
            count=_whole(given, "count", 60, COUNT),
            search=search.strip().lower(),
            sort=sort,
            number=_whole(given, "view", 0, FAR),
            frozen=given.get("frozen") is True,
            depth=_whole(given, "depth", 2, DEPTH),
            open=_keys(given, "open"),
            closed=_keys(given, "closed"),
        )

    def is_open(self, key: str, depth: int) -> bool:
        """Say whether a row of the tree shows what is below it."""
        return key in self.open or (depth < self.depth and key not in self.closed)


def _whole(given: Mapping[str, Any], name: str, default: int, most: int) -> int:
    number = given.get(name, default)
    if type(number) is not int or not number >= 0:
        raise WrongViewError(f"{name} is a whole number from 0")
    return min(number, most)


def _keys(given: Mapping[str, Any], name: str) -> frozenset[str]:
    keys = given.get(name, [])
    if not isinstance(keys, list) or len(keys) > KEYS:
        raise WrongViewError(f"{name} is a list of at most {KEYS} keys")
    if not all(isinstance(key, str) and len(key) <= KEY for key in keys):
        raise WrongViewError(f"a key in {name} is text of at most {KEY} characters")
    return frozenset(keys)
