"""Several changes of a topic become one diff."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from phxactor.presence._element import Changes, Element
from phxactor.presence._pending import Pending


def element(name: str) -> Element:
    """Make an element that `name` shows."""
    return Element("t", name, {"phx_ref": name}, 1)


A, B, C = map(element, "abc")


def taken(pending: Pending) -> tuple[list[Element], list[Element]]:
    """Take the changes as two lists."""
    changes = pending.take()
    return changes.joins, changes.leaves


def test_PR45_a_join_and_its_leave_are_nothing_and_a_chain_of_updates_is_one() -> None:
    pending = Pending()
    pending.add([A], [])
    pending.add([B], [])
    pending.add([], [A])
    assert taken(pending) == ([B], [])
    pending.add([C], [B])
    pending.add([A], [C])
    assert taken(pending) == ([A], [B])
    assert taken(pending) == ([], [])


def test_PR45a_what_a_list_has_shown_is_undone_by_a_leave_and_what_it_has_not_by_a_join() -> None:
    pending = Pending()
    pending.add([A], [])
    pending.read()
    pending.add([B], [])
    pending.add([], [A, B])
    assert taken(pending) == ([], [A])
    pending.add([], [A])
    pending.read()
    pending.add([A], [])
    assert taken(pending) == ([A], [])


def test_a_leave_and_a_join_of_the_same_element_are_nothing() -> None:
    pending = Pending()
    pending.add([], [A])
    pending.add([A], [])
    assert taken(pending) == ([], [])


@given(steps=st.lists(st.sampled_from(["toggle a", "toggle b", "toggle c", "take", "list"]), max_size=40))
def test_PR60_PR127_every_client_is_right_after_each_diff_whenever_it_read_the_list(steps: list[str]) -> None:
    pending = Pending()
    truth: dict[str, None] = {}
    clients: list[dict[str, None]] = [{}]
    for step in [*steps, "take"]:
        if step == "take":
            changes: Changes = pending.take()
            for client in clients:
                client.update(dict.fromkeys(one.key for one in changes.joins))
                for one in changes.leaves:
                    client.pop(one.key, None)
                assert set(client) == set(truth)
        elif step == "list":
            pending.read()
            clients.append(dict(truth))
        else:
            one = {"a": A, "b": B, "c": C}[step[-1]]
            if one.key in truth:
                del truth[one.key]
                pending.add([], [one])
            else:
                truth[one.key] = None
                pending.add([one], [])
