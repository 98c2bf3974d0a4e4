"""Every server that is measured starts, answers all loads rightly, and gives figures."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from benchmarks import call_over_a_line
from benchmarks.growth import longest
from benchmarks.load.bystander import Bystander
from benchmarks.load.command_line import Load
from benchmarks.load.crowd import Idle, Storm
from benchmarks.load.dialects import Fault
from benchmarks.load.echo import Echo, Multi
from benchmarks.load.fanout import FanOut
from benchmarks.os_process import cores
from benchmarks.over_a_line import across
from benchmarks.over_workers import BY_WORKERS
from benchmarks.servers.catalogue import FLOOR, PHXACTOR, PROGRAMS, Program, Running
from benchmarks.serving import serving
from benchmarks.suite import drive, measure
from phxactor.distribution._frames import SIGNAL

pytestmark = [pytest.mark.socket, pytest.mark.slow]

CORES = attrs.evolve(cores(), realtime=False)
LOADS = (
    Echo(connections=3, window=2, warmup=0.05, seconds=0.1),
    Multi(topics=5, warmup=0.05, seconds=0.1),
    FanOut(clients=5, warmup=0.05, seconds=0.1),
    Storm(clients=10, at_once=5),
    Idle(clients=10, at_once=5, rest=0.1),
)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_server_answers_all_loads_rightly(program: Program) -> None:
    if program.missing is not None:
        pytest.skip(program.missing)
    with serving(program, CORES) as server:
        for load in LOADS:
            figures = drive(server, load, CORES)
            assert figures.count > 0
            assert figures.cpu_us > 0


def test_a_bystander_echoes_while_all_others_get_a_broadcast() -> None:
    figures = measure(PHXACTOR, Bystander(clients=20, rounds=2, watch=0.1), CORES)
    assert figures.count == 2
    assert figures.max_ms is not None


def test_collections_of_garbage_are_written_down(tmp_path: Path) -> None:
    python, option, module = PHXACTOR.command
    command = (python, option, "benchmarks.servers.with_pauses", str(tmp_path / "pauses"), module)
    measure(attrs.evolve(PHXACTOR, command=command), LOADS[0], CORES)
    assert longest((tmp_path / "pauses").read_text(), began_ns=0) > 0


def test_the_floor_echoes() -> None:
    assert measure(FLOOR, LOADS[0], CORES).count > 0


def test_there_is_no_figure_for_wrong_answers() -> None:
    """The floor echoes a join, in place of a reply to it."""
    liar = attrs.evolve(FLOOR, dialect="phoenix")
    with pytest.raises(Fault, match="a wrong answer to"):
        measure(liar, LOADS[0], CORES)


def test_there_is_no_figure_for_a_server_that_does_not_start() -> None:
    broken = attrs.evolve(FLOOR, command=(*FLOOR.command, "--colour=green"))
    with pytest.raises(Fault, match=r"(?s)does not start.*--colour"):
        measure(broken, LOADS[0], CORES)


def test_a_server_that_others_have_started_is_measured_and_left_as_it_is() -> None:
    with serving(PHXACTOR, CORES) as server:
        other = Running("phoenix", server.port, server.pid, "phoenix")
        load: Load = LOADS[0]
        assert measure(other, load, CORES).count > 0
        assert measure(other, load, CORES).cpu_us > 0


def test_a_broadcast_reaches_the_clients_of_another_worker() -> None:
    assert across(FanOut(clients=5, warmup=0.05, seconds=0.1), CORES).count > 0


def test_all_workers_serve_before_anything_is_measured() -> None:
    with serving(BY_WORKERS, CORES) as server:
        assert len(server.pids()) == BY_WORKERS.workers
        assert drive(server, Storm(clients=10, at_once=5), CORES).count == 10


def test_a_call_over_a_line_and_the_bare_ping_pong_have_the_same_bytes() -> None:
    called, floor, (there, back) = call_over_a_line.run(1, calls=20)
    assert min(*called, *floor) > 0
    assert min(there, back) > SIGNAL.size
