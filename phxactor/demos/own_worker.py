"""Which worker of a demo this is, and which others are up."""

from __future__ import annotations

from phxactor.cluster import nodes, this_node


def number_of(name: str) -> int:
    """Return the number of a worker, which ends the name of its node; 0 for a program without workers."""
    number = name.rpartition("/")[2]
    return int(number) if number.isdecimal() else 0


def own_number() -> int:
    """Return the number of the worker in which this runs."""
    node = this_node()
    return 0 if node is None else number_of(node.identity.name)


def workers_up() -> list[int]:
    """List the workers that are up, as this one sees them."""
    return sorted({own_number(), *(number_of(one.name) for one in nodes())})
