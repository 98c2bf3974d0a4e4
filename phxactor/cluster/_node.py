"""Node: who takes part in a cluster."""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

ID_BYTES: Final = 16
"""The bytes of a node's id, all random."""
GROUP_BYTES: Final = 8
"""The first bytes of an id: the workers of one parent have them in common."""
_TARGET: Final = re.compile(r"(\w[\w.]*):\w[\w.]*")
"""What `phxactor serve`, uvicorn and others are told to run, as a module and a name in it."""
MAX_NAME: Final = 255
"""The most characters of a node's name."""


def _check_id(_node: object, _field: object, given: bytes) -> None:
    if type(given) is not bytes or len(given) != ID_BYTES:
        raise ValueError(f"the id of a node is {ID_BYTES} bytes, not {given!r:.100}")


def check_node_name(given: object) -> None:
    """Raise ValueError unless this is a name for a node: 1 to 255 printable characters."""
    if not isinstance(given, str) or not 0 < len(given) <= MAX_NAME or not given.isprintable():
        raise ValueError(f"the name of a node is 1 to {MAX_NAME} printable characters, not {given!r:.100}")


@attrs.frozen(repr=False)
class Node:
    """One operating-system process with a runtime that takes part in a cluster. Two nodes with the same id are equal.

    `id` is 16 random bytes, made at its start, so a node that comes back is another one (CL10). `name` is for people,
    such as `shop@web1/2`, and need not be unique.
    """

    id: bytes = attrs.field(validator=_check_id)
    name: str = attrs.field(eq=False, validator=lambda _self, _field, name: check_node_name(name))

    def __repr__(self) -> str:
        """Show the name and the first bytes of the id."""
        return f"<Node {self.name} {self.id.hex()[:8]}>"

    def __str__(self) -> str:
        """Return the name."""
        return self.name

    def __hash__(self) -> int:
        """Return the last bytes of the id, so that a set of nodes has the same order in each replay of a test.

        The first ones are the same for all workers of one parent.
        """
        return int.from_bytes(self.id[GROUP_BYTES:], "big")

    @property
    def group(self) -> bytes:
        """The first 8 bytes of the id, which the workers of one parent have in common."""
        return self.id[:GROUP_BYTES]


def new_group() -> bytes:
    """Make the first bytes of the ids of all workers of one parent."""
    return secrets.token_bytes(GROUP_BYTES)


def new_node(
    name: str | None = None, group: bytes | None = None, random: Callable[[int], bytes] = secrets.token_bytes
) -> Node:
    """Make this process a node with a new id.

    `name` is for people; by default program, host and process id, such as `shop@web1/4711`. `group` are the first 8
    bytes of the id of each worker of one parent; random if there is none. `random` makes random bytes, so many as its
    argument says.

    Raises ValueError if the name is empty, too long or not printable, or `group` is not 8 bytes.
    """
    if group is None:
        group = random(GROUP_BYTES)
    elif len(group) != GROUP_BYTES:
        raise ValueError(f"a group is {GROUP_BYTES} bytes, not {len(group)}")
    return Node(group + random(ID_BYTES - GROUP_BYTES), _default_name() if name is None else name)


def _default_name() -> str:
    """Return program, host and process id; the program of `phxactor serve shop:application` is `shop`."""
    targets = (found[1] for one in sys.argv[1:] if (found := _TARGET.fullmatch(one)))
    program = next(targets, None) or Path(sys.argv[0] if sys.argv else "").stem or "python"
    name = f"{program}@{socket.gethostname()}/{os.getpid()}"[-MAX_NAME:]
    return name if name.isprintable() else "node"
