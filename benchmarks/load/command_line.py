"""Loads as command lines, there and back: the suite writes them, the load generator reads them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final, Protocol

import attrs

from benchmarks.load.bystander import Bystander
from benchmarks.load.client import Client
from benchmarks.load.crowd import Idle, Storm
from benchmarks.load.dialects import DIALECTS
from benchmarks.load.echo import Echo, Multi
from benchmarks.load.fanout import FanOut
from benchmarks.load.figures import Figures


class Load(attrs.AttrsInstance, Protocol):
    """One way to drive a server: an attrs class, whose numbers are its options."""

    @property
    def name(self) -> str:
        """What it is called."""

    async def run(self, client: Client) -> Figures:
        """Drive the server of a client, measure, and check every answer; raises `Fault`."""


LOADS: Final = (Echo, Multi, FanOut, Storm, Idle, Bystander)


def write(load: Load) -> list[str]:
    """Make the arguments that `read` makes the load from."""
    return [load.name, *(f"--{name.replace('_', '-')}={value}" for name, value in attrs.asdict(load).items())]


@attrs.frozen
class Job:
    """What one run of the load generator does."""

    load: Load
    dialect: str
    ports: tuple[int, ...]
    server_pids: tuple[int, ...]
    patience: float


def read(arguments: Sequence[str] | None = None) -> Job:
    """Read the arguments; the words of an error are argparse's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description="drive a server and measure it")
    loads = parser.add_subparsers(required=True, metavar="load")
    for kind in LOADS:
        options = loads.add_parser(kind.name, help=kind.__doc__, description=kind.__doc__)
        options.set_defaults(kind=kind)
        options.add_argument(
            "--port", type=int, required=True, action="append", help="again for another node: clients take turns"
        )
        options.add_argument(
            "--server-pid", type=int, required=True, action="append", help="whose CPU time and memory is measured"
        )
        options.add_argument("--dialect", choices=DIALECTS, default="phoenix")
        options.add_argument("--patience", type=float, default=15, help="seconds without an answer that are too many")
        for field in attrs.fields(kind):
            name = f"--{field.name.replace('_', '-')}"
            options.add_argument(name, type=type(field.default), default=field.default, help="%(default)s")
    chosen = parser.parse_args(arguments)
    numbers = {field.name: getattr(chosen, field.name) for field in attrs.fields(chosen.kind)}
    return Job(chosen.kind(**numbers), chosen.dialect, tuple(chosen.port), tuple(chosen.server_pid), chosen.patience)
