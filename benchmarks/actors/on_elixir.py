"""Elixir on the BEAM, with one scheduler that does not wait busily: elixir.exs does the work."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks.actors.systems import CHAIN, Piece, Work

SCRIPT: Final = Path(__file__).with_name("elixir.exs")
EMULATOR: Final = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"


def _work(piece: Piece) -> float:
    command = ["elixir", "--erl", EMULATOR, str(SCRIPT), piece, str(CHAIN)]
    return float(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


WORK: Final[Work] = {
    "round_trip": partial(_work, "round_trip"),
    "spawn": partial(_work, "spawn"),
    "crowd": partial(_work, "crowd"),
    "call": partial(_work, "call"),
    "idle": partial(_work, "idle"),
    "chain": partial(_work, "chain"),
}
