"""A page whose visitors add to counters, each of which is one sharded server; its worker may be killed or drained."""

from phxactor.demos.rooms.app import run

__all__ = ["run"]
