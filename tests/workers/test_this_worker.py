"""A process knows whether it is a worker, and is none by mistake."""

from __future__ import annotations

import os
import socket

import pytest

from phxactor.cluster.carriers.workers import VARIABLE, is_started_by_a_parent, this_worker
from phxactor.cluster.carriers.workers._this_worker import _Known


@pytest.fixture(autouse=True)
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Known, "asked", False)
    monkeypatch.setattr(_Known, "worker", None)


@pytest.mark.parametrize("value", ["", "x", "3", "3:x", "987654:1", "0:PID", "-1:1"])
def test_a_variable_without_its_line_is_no_parent(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, value.replace("PID", str(os.getpid())))
    assert is_started_by_a_parent()
    assert this_worker() is None
    assert VARIABLE not in os.environ
    assert not is_started_by_a_parent()


def test_a_socket_of_another_kind_or_parent_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        monkeypatch.setenv(VARIABLE, f"{theirs.fileno()}:{os.getpid()}")
        assert this_worker() is None
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        monkeypatch.setattr(_Known, "asked", False)
        monkeypatch.setenv(VARIABLE, f"{theirs.fileno()}:{os.getpid() + 1}")
        assert this_worker() is None
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
