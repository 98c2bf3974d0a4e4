"""What the benchmarks are asked for, and how long they say it takes."""

from __future__ import annotations

import os

import pytest

from benchmarks.__main__ import read, servers
from benchmarks.command_line import progress
from benchmarks.load.command_line import LOADS, Load
from benchmarks.load.command_line import read as read_load
from benchmarks.load.command_line import write as write_load
from benchmarks.servers.catalogue import PHXACTOR


@pytest.mark.parametrize("load", [kind() for kind in LOADS], ids=lambda load: load.name)
def test_a_load_comes_through_its_command_line(load: Load) -> None:
    job = read_load([*write_load(load), "--port=4000", "--port=4001", "--server-pid=1", "--server-pid=2"])
    assert (job.load, job.ports, job.server_pids) == (load, (4000, 4001), (1, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "echo,dance"], "there is no dance; there are echo, "),
        (["--servers", "phxactor,iis"], "there is no iis; there are bare-trio, "),
        (["--repeat", "0"], "at least once"),
        (["--growth", "--only", "echo"], "--growth is about phxactor alone"),
        (["--scale", "1000", "--growth"], "--scale is about phxactor alone"),
        (["--phoenix", "http://127.0.0.1:4000"], "--phoenix and --phoenix-pid go together"),
        (["--phoenix", "http://example.org:4000", "--phoenix-pid", "1"], "only of this machine's processes"),
        (["--phoenix", "http://127.0.0.1:4000", "--phoenix-pid", str(2**30)], "there is no process"),
    ],
)
def test_a_wrong_argument_is_explained(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read(arguments)
    assert message in capsys.readouterr().err


def test_a_running_phoenix_is_measured_beside_the_others() -> None:
    chosen = read(["--servers", "phxactor", "--phoenix", "http://127.0.0.1:4321", "--phoenix-pid", str(os.getpid())])
    ours, phoenix = servers(chosen)
    assert ours is PHXACTOR
    assert (phoenix.name, phoenix.dialect) == ("phoenix", "phoenix")


def test_long_work_says_how_much_is_left() -> None:
    assert [item for _, item in progress("abc")] == ["a", "b", "c"]
    assert [where.partition(",")[0].rstrip("]") for where, _ in progress("abc")] == ["[1/3", "[2/3", "[3/3"]
