"""Servers with a mistake built in: the random clients find each of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeAlias

import pytest

from phxactor.channels._process import ChannelProcess
from phxactor.pubsub._tables import Tables
from phxactor.runtime import Shutdown
from phxactor.socket import Message, Multiplexer
from phxactor.socket import _fastlane as fastlane
from phxactor.socket._topics import Late
from phxactor.transport import CloseCode, MultiplexedWebSocket, close_code
from tests.protocol.programs import Move
from tests.protocol.random_clients import play_at_random
from tests.protocol.verdict import DisagreementError, reason_of_failure

STEPS: Final = 5_000

Mutant: TypeAlias = Callable[[pytest.MonkeyPatch], None]


def _twice(patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    once = getattr(owner, name)

    def twice(self: Any, *args: Any) -> None:  # noqa: ANN401 - of any method
        once(self, *args)
        once(self, *args)

    patch.setattr(owner, name, twice)


def _never(patch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    patch.setattr(owner, name, lambda *_: None)


def a_replaced_channel_is_not_closed(patch: pytest.MonkeyPatch) -> None:
    _never(patch, Multiplexer, "close_old")


def phx_close_comes_twice(patch: pytest.MonkeyPatch) -> None:
    push = Multiplexer.push

    def twice(self: Multiplexer, topic: str, event: str, payload: object, join_ref: Any) -> None:  # noqa: ANN401
        for _ in range(2 if event == "phx_close" else 1):
            push(self, topic, event, payload, join_ref)

    patch.setattr(Multiplexer, "push", twice)


def a_leave_is_not_answered(patch: pytest.MonkeyPatch) -> None:
    answer = ChannelProcess.answer_otherwise

    def lose(self: ChannelProcess, message: Message, result: Any) -> Any:  # noqa: ANN401
        if message.event == "phx_leave":
            result.reply = None
        return answer(self, message, result)

    patch.setattr(ChannelProcess, "answer_otherwise", lose)


def what_waits_for_a_join_is_lost(patch: pytest.MonkeyPatch) -> None:
    _never(patch, Multiplexer, "resume")


def what_came_before_a_duplicate_join_is_lost(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("phxactor.socket._join_acts.PASSES", 0)


def a_stale_join_ref_is_not_seen(patch: pytest.MonkeyPatch) -> None:
    handle_in = Multiplexer.handle_in

    def refresh(self: Multiplexer, message: Message) -> None:
        if message.event not in ("phx_join", "phx_leave"):
            message.join_ref = None
        handle_in(self, message)

    patch.setattr(Multiplexer, "handle_in", refresh)


def the_end_of_a_joining_channel_is_not_told(patch: pytest.MonkeyPatch) -> None:
    _never(patch, Multiplexer, "_end_unanswered")


def who_left_stays_subscribed(patch: pytest.MonkeyPatch) -> None:
    _never(patch, Tables, "_release")


def a_broadcast_from_reaches_its_sender(patch: pytest.MonkeyPatch) -> None:
    dispatch = fastlane.dispatch
    patch.setattr(fastlane, "dispatch", lambda subscribers, _, message: dispatch(subscribers, None, message))


def joins_are_ended_late(patch: pytest.MonkeyPatch) -> None:
    late = Multiplexer._late  # noqa: SLF001 - the same

    def postpone(self: Multiplexer, message: Late) -> None:
        self._pid.runtime.timers.add(1.0, partial(late, self), message)

    patch.setattr(Multiplexer, "_late", postpone)


def joins_go_on_when_the_client_has_gone(patch: pytest.MonkeyPatch) -> None:
    _never(patch, Multiplexer, "end")


def draining_does_not_wait_for_channels(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Multiplexer, "drained", lambda _: True)


def a_disconnected_client_is_told_1000(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "phxactor.transport._websocket_output.close_code",
        lambda reason: CloseCode.NORMAL if reason == Shutdown("disconnected") else close_code(reason),
    )


def slow_consumers_are_kept(patch: pytest.MonkeyPatch) -> None:
    _never(patch, MultiplexedWebSocket, "overflow")


MUTANTS: Final[dict[Mutant, int]] = {
    a_replaced_channel_is_not_closed: 1,
    phx_close_comes_twice: 1,
    a_leave_is_not_answered: 1,
    what_waits_for_a_join_is_lost: 1,
    what_came_before_a_duplicate_join_is_lost: 12,
    a_stale_join_ref_is_not_seen: 4,
    the_end_of_a_joining_channel_is_not_told: 1,
    who_left_stays_subscribed: 1,
    a_broadcast_from_reaches_its_sender: 2,
    joins_are_ended_late: 7,
    joins_go_on_when_the_client_has_gone: 7,
    draining_does_not_wait_for_channels: 2,
    a_disconnected_client_is_told_1000: 4,
    slow_consumers_are_kept: 3,
}
"""Each with the seed whose programs find it soonest; if programs change, the seeds behind it are tried too."""


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_mutant_is_found(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant(monkeypatch)
    tally = play_at_random(STEPS, first_seed=MUTANTS[mutant], shorten=False)
    assert tally.disagreement is not None


REPORT: Final = """\
the program:
  a connects as u, version 2
  a sends ["1","1","room:1","phx_join",{"p":1}]
> a sends ["1","2","room:1","stop_reply",{}]
>   and a sends [null,"3","phoenix","heartbeat",{}]

the model would have, among others, and the server has:
  a:
      both    [null,"3","phoenix","phx_reply",{"response":{},"status":"ok"}]
      both    ["1","2","room:1","phx_reply",{"response":{"bye":true},"status":"ok"}]
      both    ["1","1","room:1","phx_close",{}]
    ! server  ["1","1","room:1","phx_close",{}]"""


def test_what_differs_is_shown_beside_what_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    phx_close_comes_twice(monkeypatch)
    program = [Move("open", 0, 0, 0, None), Move("join", 0, 0, 0, None), Move("end", 0, 13, 0, None)]
    with pytest.raises(DisagreementError) as caught:
        reason_of_failure([*program, Move("heartbeat", 0, 0, 0, 0)])
    assert str(caught.value) == REPORT
