"""Connections of all workers, counted in memory that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from http import HTTPStatus

import pytest

from phxactor.net import ConnectionLimits, Share, SharedCounts, TooManyError, create_counts
from phxactor.net import _shared_counts as module

SLOTS = 8


@pytest.fixture
def memory() -> Iterator[int]:
    descriptor = create_counts(SLOTS)
    yield descriptor
    os.close(descriptor)


def test_a_limit_is_exact_however_many_processes_ask_at_once(memory: int) -> None:
    children = []
    for slot in range(4):
        child = os.fork()
        if not child:
            counts = SharedCounts(memory, SLOTS)
            got = sum(counts.enter(slot, 1, 50) for _ in range(100))
            os._exit(got)
        children.append(child)
    assert sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children) == 50
    counts = SharedCounts(memory, SLOTS)
    assert counts.total(1) == 50
    assert counts.total(2) == 0
    for slot in range(4):
        counts.clear(slot)
    assert counts.total(1) == 0


def test_the_limits_of_two_workers_are_one_limit(memory: int) -> None:
    here, there = (ConnectionLimits(3, None, Share(SharedCounts(memory, SLOTS), slot, 1)) for slot in range(2))
    here.enter(None)
    there.enter(None)
    key = there.enter(None)
    with pytest.raises(TooManyError, match="there are 3 connections; max_connections is 3") as refused:
        here.enter(None)
    assert refused.value.status is HTTPStatus.SERVICE_UNAVAILABLE
    there.leave(key)
    here.enter(None)


def test_a_place_is_given_back_if_the_address_has_none(memory: int) -> None:
    from phxactor.http import PeerData  # noqa: PLC0415

    counts = SharedCounts(memory, SLOTS)
    limits = ConnectionLimits(3, 1, Share(counts, 0, 1))
    limits.enter(PeerData("192.0.2.1", 1))
    with pytest.raises(TooManyError) as refused:
        limits.enter(PeerData("192.0.2.1", 2))
    assert refused.value.status is HTTPStatus.TOO_MANY_REQUESTS
    assert (counts.total(1), limits.count) == (1, 1)


def test_a_worker_that_is_ahead_of_another_that_accepts_holds_back(
    memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = SharedCounts(memory, SLOTS)
    now = 100
    monkeypatch.setattr(module, "_now", lambda: now)
    held = [0, 0]
    one, two = Share(counts, 0, 1), Share(counts, 1, 1)
    one.own_count, two.own_count = (lambda: held[0]), (lambda: held[1])
    held[0] = 50
    one.beat()
    assert one.room() == module.ALONE
    two.beat()
    assert one.room() == module.MARGIN - 50
    held[1] = 48
    two.note()
    assert one.room() == 48 + module.MARGIN + 3 - 50  # within the margin
    assert two.room() == 50 + module.MARGIN + 3 - 48
    held[1] = 0
    two.note()
    now += 4
    one.beat()
    assert one.room() == module.ALONE  # the other one is silent: it hangs
    two.beat()
    assert one.room() < 0
    two.rest()
    assert one.room() == module.ALONE  # it drains
