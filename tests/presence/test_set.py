"""The set: what Phoenix did with 300 programs, and what holds for any program."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import attrs
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phxactor.presence._element import Changes, Delta
from phxactor.presence._set import REMEMBERED, PresenceSet
from tests.presence import oracle
from tests.presence.invariants import Broken, check, main
from tests.presence.programs import SAMPLE, Program, load
from tests.presence.random_programs import random_program


@pytest.mark.parametrize("program", load(SAMPLE), ids=lambda program: f"{program.kind}-{program.id}")
def test_PR41_PR81_PR82_a_program_ends_as_on_phoenix(program: Program) -> None:
    assert not list(program.differences())


def test_the_oracle_reads_a_file_and_tells_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = json.loads(SAMPLE.read_text())
    few = {name: values[:3] for name, values in content.items()}
    file = tmp_path / "few.json"
    file.write_text(json.dumps(few))
    assert oracle.main(file) == 0
    assert capsys.readouterr().out == "3 of 3 agree\n"
    few["observations"][1]["end"] = [99]
    file.write_text(json.dumps(few))
    assert oracle.main(file) == 1
    assert capsys.readouterr().out.endswith("2 of 3 agree\n")


@settings(max_examples=150)
@given(seed=st.integers(0, 2**32), length=st.integers(0, 60), replicas=st.integers(2, 4))
def test_PR123_PR126_PR129_PR130_any_program_converges_and_keeps_its_own(seed: int, length: int, replicas: int) -> None:
    check(random_program(Random(seed), length, replicas), replicas)  # noqa: S311 - no secret is drawn


def test_programs_are_played_by_number_and_a_broken_one_is_told_in_few_steps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(60, 0) == 0
    assert capsys.readouterr().out == "60 of 60 programs keep the invariants\n"
    whole = PresenceSet.merge

    def forgetful(self: PresenceSet, delta: Delta) -> Changes | None:
        """Lose the leaves that a delta names."""
        return whole(self, attrs.evolve(delta, leaves=()))

    monkeypatch.setattr(PresenceSet, "merge", forgetful)
    assert main(60, 0) == 1
    head, *steps, last = capsys.readouterr().out.splitlines()
    assert "PR123" in head
    assert last != "60 of 60 programs keep the invariants"
    first = next((number for number, line in enumerate(steps) if line.startswith("program")), len(steps))
    assert 2 <= first <= 8, steps
    with pytest.raises(Broken):
        check([json.loads(line.replace("'", '"')) for line in steps[:first]], int(head.split()[2]))


# ------------------------------------------------------------------------------------------------ one by one


def other(number: int = 0) -> PresenceSet:
    """Make a set whose replica is named `b`, with that many elements of one owner each."""
    made = PresenceSet("b")
    for n in range(number):
        made.join(n, "t", f"k{n}", {"n": n})
    return made


def knowing_b() -> PresenceSet:
    """Make a set that knows `b`."""
    made = PresenceSet("a")
    made.up("b")
    return made


def names(changes: Changes | None) -> tuple[list[str], list[str]]:
    """Return the keys of the joins and of the leaves."""
    assert changes is not None
    return [element.key for element in changes.joins], [element.key for element in changes.leaves]


def test_PR3_PR19_one_key_has_the_metas_of_all_its_owners_oldest_first() -> None:
    one = PresenceSet("a")
    for owner in ("phone", "tab", "desk"):
        one.join(owner, "t", "ann", {"on": owner})
    first = one.find("phone", "t", "ann")
    assert first is not None
    one.replace(first, {"on": "phone 2"})
    assert one.online.topics["t"].grouped() == {
        "ann": {"metas": [{"on": "tab"}, {"on": "desk"}, {"on": "phone 2"}]},
    }


def test_PR64_PR65_PR66_each_join_and_each_leave_takes_a_number() -> None:
    one = PresenceSet("a")
    element = one.join(1, "t", "ann", {})
    assert (element.number, one.number) == (1, 1)
    replaced = one.replace(element, {"n": 2})
    assert (replaced.number, one.number) == (2, 3)
    one.leave(replaced)
    assert one.number == 4
    assert one.since(0) == Delta("a", 0, 4)


def test_PR36_PR37_what_came_and_went_between_two_deltas_is_not_told() -> None:
    b = other()
    gone = b.join(1, "t", "gone", {})
    b.leave(gone)
    kept = b.join(1, "t", "kept", {"n": 1})
    b.replace(kept, {"n": 2})
    a = knowing_b()
    changes = a.merge(b.since(0))
    assert names(changes) == (["kept"], [])
    assert a.online.topics["t"].grouped() == {"kept": {"metas": [{"n": 2}]}}


def test_PR38_PR70_PR73_PR81_a_message_that_comes_twice_or_late_changes_nothing() -> None:
    b, a = other(2), knowing_b()
    early = b.since(0)
    assert names(a.merge(early)) == (["k0", "k1"], [])
    assert names(a.merge(early)) == ([], [])
    b.drop(0)
    assert names(a.merge(b.since(2))) == ([], ["k0"])
    assert names(a.merge(early)) == ([], [])
    assert a.online.topics["t"].grouped() == {"k1": {"metas": [{"n": 1}]}}


def test_PR74_PR75a_PR76a_beyond_a_gap_nothing_is_taken_until_the_missing_part_comes() -> None:
    b, a = other(1), knowing_b()
    first = b.since(0)
    b.join(7, "t", "late", {})
    second = b.since(1)
    assert a.merge(second) is None
    assert not a.online.topics
    assert names(a.merge(first)) == (["k0"], [])
    assert names(a.merge(second)) == (["late"], [])


def test_PR69_PR71_PR78_a_delta_names_what_has_left_and_a_state_does_not() -> None:
    b, a = other(3), knowing_b()
    a.merge(b.since(0))
    b.drop(1)
    assert b.since(3) == Delta("b", 3, 4, (), (2,))
    assert b.since(0).leaves == ()
    assert names(a.merge(b.since(3))) == ([], ["k1"])


def test_PR69_PR98a_who_lacks_more_than_is_remembered_gets_the_whole_state() -> None:
    b, a = other(2), knowing_b()
    a.merge(b.since(0))
    for _ in range(REMEMBERED + 1):
        b.leave(b.join("busy", "t", "busy", {}))
    b.drop(0)
    answer = b.since(2)
    assert answer.after == 0
    assert len(answer.joins) == 1
    assert names(a.merge(answer)) == ([], ["k0"])


def test_PR72_a_message_about_oneself_changes_nothing() -> None:
    one = PresenceSet("a")
    one.join(1, "t", "ann", {})
    assert names(one.merge(Delta("a", 0, 99))) == ([], [])
    assert one.state_of("a") == one.since(0)
    assert len(one) == 1


def test_PR79_a_third_replica_may_tell_of_a_second() -> None:
    b, a = other(1), knowing_b()
    c = PresenceSet("c")
    c.up("b")
    c.merge(b.since(0))
    told = c.state_of("b")
    assert told is not None
    assert names(a.merge(told)) == (["k0"], [])


def test_PR82_PR85_PR124_what_a_forgotten_replica_says_late_is_ignored() -> None:
    b, a = other(1), knowing_b()
    a.merge(b.since(0))
    assert names(a.permdown("b")) == ([], ["k0"])
    assert names(a.merge(b.since(0))) == ([], [])
    assert a.seen() == {"a": 0}
    assert a.state_of("b") is None
    assert a.seen_of("b") == 0


def test_PR83_PR84_PR86_PR88_down_hides_and_up_shows() -> None:
    b, a = other(1), knowing_b()
    a.merge(b.since(0))
    assert names(a.down("b")) == ([], ["k0"])
    assert names(a.down("b")) == ([], [])
    b.join(5, "t", "new", {})
    assert names(a.merge(b.since(1))) == ([], [])
    assert names(a.up("b")) == (["k0", "new"], [])
    assert names(a.up("b")) == ([], [])
    assert names(a.up("a")) == ([], [])
    a.permdown("b")
    a.up("b")
    assert names(a.merge(b.since(0))) == (["k0", "new"], [])


def test_PR68_PR87a_PR131_nothing_is_left_of_what_has_gone() -> None:
    a = PresenceSet("a")
    for life in range(50):
        ref = f"b{life}"
        a.up(ref)
        b = PresenceSet(ref)
        b.join(1, "t", "ann", {})
        a.merge(b.since(0))
        a.permdown(ref)
    for n in range(3 * REMEMBERED):
        a.join(n, "u", "bob", {})
        a.drop(n)
    assert a.seen() == {"a": 6 * REMEMBERED}
    assert not a.online.topics
    assert not list(a.owners())
    assert len(a._leaves) == REMEMBERED  # noqa: SLF001 - its size is what the test is about


def test_PR128_no_key_vanishes_during_an_update() -> None:
    a = PresenceSet("a")
    first = a.join(1, "t", "ann", {"n": 1})
    a.join(2, "t", "bob", {})
    topic = a.online.topics["t"]
    assert list(topic.grouped()) == ["ann", "bob"]
    a.replace(first, {"n": 2})
    assert topic.grouped() == {"ann": {"metas": [{"n": 2}]}, "bob": {"metas": [{}]}}
    assert list(topic.grouped()) == ["ann", "bob"]


def test_a_list_that_is_kept_follows_each_change() -> None:
    a = PresenceSet("a")
    a.join(0, "t", "stays", {})
    topic = a.online.topics["t"]
    assert list(topic.grouped()) == ["stays"]
    for n in range(1, 20):
        a.join(n, "t", f"k{n % 5}" if n % 2 else 'é"\\', {"n": n})
        assert json.loads(topic.json()) == topic.grouped()
    a.drop(3)
    a.drop(8)
    fresh = {key: {"metas": topic.metas(key)} for key in topic.keys}
    assert topic.grouped() == fresh
    assert topic.json() == orjson.dumps(fresh)
    assert list(topic.grouped()) == list(fresh)
    assert topic.metas("nobody") == []


def test_an_owner_of_many_elements_is_found_under_each() -> None:
    a = PresenceSet("a")
    elements = [a.join(1, topic, key, {}) for topic in ("t", "u") for key in ("x", "y")]
    assert [a.find(1, one.topic, one.key) for one in elements] == elements
    assert a.find(1, "t", "z") is None
    assert a.find(2, "t", "x") is None
    assert a.of(1) == elements
    a.leave(elements[0])
    assert a.find(1, "t", "x") is None
    assert a.drop(1) == elements[1:]
    assert a.of(1) == []
    assert not a.online.topics
