"""What `phxactor workers` shows."""

from __future__ import annotations

import stat
from pathlib import Path

import attrs
import pytest

from phxactor.cli.app import app
from phxactor.cli.workers import workers
from phxactor.workers import FolderError, ParentState, WorkerState, parents, publish
from phxactor.workers._admin import MAX_ENVELOPE, folder

STATE = ParentState(
    process=100,
    program="shop:application",
    phase="serving",
    age=3725.0,
    generation=2,
    addresses=["http://127.0.0.1:4000"],
    workers=[
        WorkerState(
            number=1,
            process=101,
            generation=2,
            state="ready",
            age=59.9,
            connections=1200,
            channels=2400,
            processes=3700,
            nodes=1,
            restarts=0,
            lag=0.0123,
        ),
        WorkerState(
            number=2,
            process=102,
            generation=2,
            state="degraded",
            why="redis is away",
            age=90_061.0,
            connections=0,
            channels=0,
            processes=20,
            nodes=1,
            restarts=3,
            lag=-0.5,
        ),
    ],
)


def test_a_state_survives_and_reads_well() -> None:
    assert ParentState.decode(STATE.encode()) == STATE
    assert STATE.text().splitlines() == [
        "shop:application, pid 100: serving for 1h 2m, 1 worker ready",
        "listening on http://127.0.0.1:4000",
        "",
        "worker  pid    age                     state  connections  channels  processes  nodes  restarts    lag",
        "     1  101    59s                     ready         1200      2400       3700      1         0  0.0 s",
        "     2  102  1d 1h  degraded (redis is away)            0         0         20      1         3  0.0 s",
    ]
    for garbage in (b"", b"[]", b"{}"):
        with pytest.raises(ValueError, match="no state of workers"):
            ParentState.decode(garbage)
    assert attrs.evolve(STATE, workers=[]).text().startswith("shop:application, pid 100")


def test_the_folder_of_admin_sockets_is_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert folder() == tmp_path / "phxactor"
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700
    assert parents() == []
    with pytest.raises(SystemExit, match="no parent of workers runs here"):
        workers()
    with pytest.raises(SystemExit, match=r"parent of workers: no parent of this user has that process id$"):
        workers(1)
    with pytest.raises(ValueError, match="at most 140000 bytes"):
        publish(1, b"x" * (MAX_ENVELOPE + 1))
    folder().chmod(0o755)
    with pytest.raises(FolderError, match="is not a folder of this user only"):
        folder()
    (tmp_path / "phxactor").rmdir()
    (tmp_path / "phxactor").symlink_to(tmp_path)
    with pytest.raises(FolderError):
        folder()


@pytest.mark.parametrize("given", ["two", "1.5", ""])
def test_a_count_of_workers_that_is_none_is_told_in_words(given: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(["serve", "shop:application", "--workers", given])
    told = " ".join("".join(capfd.readouterr()).replace("│", " ").split())
    assert f'a number of workers, or "auto" for one per processor, is needed, not {given!r}' in told
    with pytest.raises(SystemExit, match=r'^workers must be a whole number of at least 1, or "auto"'):
        app(["serve", "shop:application", "--workers", "0"])
