"""The table of a join's life by itself: it is whole, and whatever happens, a client hears what it can make sense of."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import phxactor
from phxactor.socket._join_acts import ACTS, CELLS
from phxactor.socket._join_table import TABLE, Act, Event, Phase, cell

README: Final = Path(phxactor.__file__).parent / "socket" / "README.md"
OVER: Final = {Phase.ENDED, Phase.GIVEN_UP}
WAITING: Final = {phase for phase in Phase if Event.OVERFLOW in TABLE[phase]}

OK: Final = {Act.ANSWER, Act.ACCEPT, Act.ANSWER_CLOSED}
"""Acts that tell the client that it has joined."""
REFUSED: Final = {Act.REFUSE, Act.FAIL, Act.EXPIRE}
"""Acts that tell the client that it has not; so does `UNMATCHED` of a join."""
OVER_FOR_CLIENT: Final = {Act.PUSH_CLOSE, Act.PUSH_ERROR, Act.ANSWER_CLOSED}
"""Acts that tell the client that a channel has ended."""


def written() -> str:
    """Write the table as the README shows it: a row for each event, a column for each phase."""
    phases = [phase for phase in Phase if TABLE[phase]]
    rows = [["", *(phase.name for phase in phases)], ["---"] * (len(phases) + 1)]
    rows.extend([f"**{event.name}**", *(_shown(phase, event) for phase in phases)] for event in Event)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _shown(phase: Phase, event: Event) -> str:
    if event not in TABLE[phase]:
        return ""
    after, act = TABLE[phase][event]
    shown = act.name.lower().replace("_", " ")
    return shown if after is phase else f"{shown} → {after.name}"


def test_the_readme_shows_the_table() -> None:
    assert written() in README.read_text(), f"the README of the room shows another table than this:\n{written()}"


def test_there_is_a_row_for_each_phase_and_a_method_for_each_act() -> None:
    assert set(TABLE) == set(Phase)
    assert set(ACTS) == set(Act)
    assert {act for row in TABLE.values() for _, act in row.values()} == set(Act), "an act that no cell asks for"


def test_the_multiplexer_acts_by_this_table() -> None:
    for phase in Phase:
        for event in Event:
            after, act = cell(phase, event)
            assert CELLS[phase][event] == (after, ACTS[act])


def test_what_the_table_leaves_out_changes_nothing() -> None:
    for phase in Phase:
        for event in set(Event) - set(TABLE[phase]):
            assert cell(phase, event) == (phase, Act.NOTHING)


def test_a_join_that_is_over_stays_so() -> None:
    for phase in OVER:
        assert all(cell(phase, event).phase in OVER for event in Event)


def test_what_a_client_sends_before_the_answer_waits() -> None:
    for phase in WAITING:
        for event in (Event.JOIN, Event.LEAVE, Event.PUSH):
            assert cell(phase, event) == (phase, Act.WAIT)
    assert set(Phase) - OVER - {Phase.NONE, Phase.JOINED} == WAITING


def test_every_way_through_the_table_is_one_that_a_client_knows() -> None:
    """One reply to the join; after ok one end, after an error none; and nothing when the connection has ended."""
    ways: list[tuple[Phase, tuple[str, ...]]] = [(Phase.ASKED, ()), (Phase.REPLACING, ())]
    seen = set(ways)
    while ways:
        phase, heard = ways.pop()
        for event in Event:
            if event is Event.JOIN and phase is Phase.JOINED:
                continue  # the old join's `phx_close` follows the new join's reply, whatever that is
            after, act = cell(phase, event)
            hears = heard
            if act in OK:
                assert not heard
                hears = (*hears, "ok")
            if act in REFUSED or (act is Act.UNMATCHED and phase is not Phase.NONE):
                assert not heard
                hears = (*hears, "error")
            if act in OVER_FOR_CLIENT:
                assert hears == ("ok",)
                hears = (*hears, "end")
            if after in OVER and phase not in OVER:
                assert hears in {("ok", "end"), ("error",)} or event is Event.DISCONNECT
            if (after, hears) not in seen:
                seen.add((after, hears))
                ways.append((after, hears))
    assert {phase for phase, _ in seen} == set(Phase) - {Phase.NONE}


def test_every_phase_that_waits_for_something_has_a_time_limit_and_ends_with_the_connection() -> None:
    for phase in WAITING:
        assert Event.TIMEOUT in TABLE[phase]
        assert cell(phase, Event.DISCONNECT).phase is Phase.ENDED


def test_a_channel_that_nobody_would_end_is_ended() -> None:
    """A channel ends itself, or is ended: whoever has not said that it closes is killed when its join is given up."""
    for phase in (Phase.ASKED, Phase.ANSWERED):
        assert cell(phase, Event.TIMEOUT).phase is Phase.GIVEN_UP
    assert cell(Phase.GIVEN_UP, Event.NAMED).act is Act.KILL
