"""The tree on the page: what a viewer is sent, and when."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor import Supervisor, spawn, whereis
from phxactor.observer._tree_panel import program
from phxactor.observer._tree_rows import BIG
from phxactor.testing import ClientChannel, assert_refused, connect
from tests.observer.pages import WITHIN, drawn, page, rows
from tests.observer.trees import supervisor, worker


async def test_a_window_of_the_tree_is_sent_once_a_second_while_it_changes(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([worker("a"), supervisor("team", worker("b"), worker("c"))], name="top")
        tree = await program.open("tree")
        seen = await rows(tree, search="t", **{"from": 0})
        assert "  endpoint" in drawn(seen)
        seen = await rows(tree)
        at = drawn(seen).index("  top")
        assert drawn(seen)[at : at + 5] == ["  top", "    a", "    team", "      b", "      c"]
        assert seen["total"] == len(seen["rows"])
        row = seen["rows"][at]
        assert row[2] == "linked"
        assert row[12:17] == [2, 1, 2, 2, ["one_for_one", 0, 3, 5, 0]]
        part = await rows(tree, count=2, **{"from": at + 1})
        assert drawn(part) == ["    a", "    team"]
        assert (part["total"], part["from"]) == (seen["total"], at + 1)
        await trio.sleep(10)
        await tree.receive_all()
        await tree.refute_push("rows", within=5)  # nothing has changed
        spawn(trio.sleep_forever)
        more = await tree.assert_push("rows", dict, within=WITHIN)
        assert more["total"] == seen["total"] + 1


async def test_rows_are_opened_and_closed_by_their_keys(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([supervisor("team", worker("b"), worker("c"))], name="top")
        tree = await program.open("tree")
        seen = await rows(tree, depth=1)
        assert "    team" not in drawn(seen)
        top = seen["rows"][drawn(seen).index("  top")]
        assert top[13] == 0
        seen = await rows(tree, depth=1, open=[top[0]])
        assert "    team" in drawn(seen)
        assert "      b" not in drawn(seen)
        seen = await rows(tree, closed=[top[0]])
        assert "    team" not in drawn(seen)


async def test_a_search_shows_what_it_finds_and_what_is_above_that(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([supervisor("team", worker("b", label="Ada Lovelace"), worker("c"))], name="top")
        tree = await program.open("tree")
        seen = await rows(tree, search="ADA")
        assert drawn(seen) == ["main", "  top", "    team", "      b"]
        assert seen["matches"] == 1
        assert (await rows(tree, search="no such thing"))["total"] == 0
        for search in ("2", "<2>"):  # of the first process, and in no name; 12 and 20 are others
            assert [row[3] for row in (await rows(tree, search=search))["rows"]] == [2]


async def test_a_sorted_tree_is_a_flat_list(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link([worker("a", name="busy"), worker("b")], name="top")
        tree = await program.open("tree")
        busy = whereis("busy")
        assert busy is not None
        seen = await rows(tree, sort="name", search="worker")
        assert drawn(seen) == ["a (busy)", "b"]


@pytest.mark.parametrize(("processes", "again"), [(20, 0), (BIG + 1, 2)])
async def test_a_big_tree_is_searched_and_sorted_less_often(
    processes: int, again: int, autojump_clock: MockClock
) -> None:
    async with page() as program:
        for _ in range(processes):
            spawn(trio.sleep_forever)
        for view in ({"search": "sleep_forever"}, {"sort": "mailbox"}, {"search": "sleep_forever", "sort": "mailbox"}):
            tree = await program.open("tree")
            before = await rows(tree, count=5, **view)
            began = trio.current_time()
            spawn(trio.sleep_forever)
            while (await tree.assert_push("rows", dict, within=WITHIN))["total"] == before["total"]:
                pass
            assert again <= trio.current_time() - began <= again + 1.1


async def test_a_child_that_is_down_is_a_row(autojump_clock: MockClock) -> None:
    async with page() as program:
        top = (await Supervisor.start_link([worker("a"), worker("b"), worker("c")], name="top")).unwrap()
        await Supervisor.terminate_child(top, "b")
        tree = await program.open("tree")
        seen = await rows(tree)
        at = drawn(seen).index("  top")
        assert [(row[0], row[4], row[7]) for row in seen["rows"][at + 1 : at + 4]] == [
            (seen["rows"][at + 1][0], "a", "waiting"),
            (f"c{top.number}.b", "b", "down"),
            (seen["rows"][at + 3][0], "c", "waiting"),
        ]
        await Supervisor.restart_child(top, "b")
        again = await tree.assert_push("rows", dict, within=WITHIN)
        assert drawn(again)[at : at + 4] == ["  top", "    a", "    b", "    c"]
        assert [row[7] for row in again["rows"][at + 1 : at + 4]] == ["waiting"] * 3


async def test_rows_of_a_frozen_view_keep_their_places(autojump_clock: MockClock) -> None:
    async with page() as program:
        top = (await Supervisor.start_link([worker("a"), worker("b")], name="top")).unwrap()
        tree = await program.open("tree")
        seen = await rows(tree, frozen=True)
        await Supervisor.start_child(top, worker("c"))
        b = whereis("top")
        assert b is not None
        kept = await rows(tree, frozen=True, count=199)
        assert (seen["held"], kept["held"]) == (0, 1)
        assert [row[0] for row in kept["rows"]] == [row[0] for row in seen["rows"]]
        assert "    c" in drawn(await rows(tree))


async def test_the_collector_runs_only_while_somebody_looks(autojump_clock: MockClock) -> None:
    async with page() as program:
        assert whereis("endpoint.observer.collector") is None
        client = await program.connect()
        await client.join("observer:tree")
        await trio.sleep(1)
        collector = whereis("endpoint.observer.collector")
        other = await program.open("summary")
        await other.assert_push("summary", dict, within=WITHIN)
        assert whereis("endpoint.observer.collector") is collector
        await client.close()
        await other.client.close()
        await trio.sleep(5)
        assert whereis("endpoint.observer.collector") is collector
        await trio.sleep(20)
        assert whereis("endpoint.observer.collector") is None


async def test_a_viewer_who_says_nothing_for_a_quarter_of_an_hour_is_let_go(autojump_clock: MockClock) -> None:
    async with page() as program:
        tree = await program.open("tree")
        await trio.sleep(14 * 60)
        await rows(tree)
        await trio.sleep(14 * 60)
        assert tree.pid.alive
        await trio.sleep(2 * 60)
        await tree.assert_push("idle", {})
        await tree.assert_left()


async def test_V1_only_local_hosts_are_let_in(autojump_clock: MockClock) -> None:
    async with page() as program:
        await assert_refused(program.connect("evil.example"))
        await program.connect("127.0.0.1:4000")


async def test_a_token_is_asked_for(autojump_clock: MockClock) -> None:
    token = "a token of some length"
    async with page(token=token) as program:
        await assert_refused(program.connect())
        await assert_refused(program.connect(auth_token="another of some length"))
        await program.connect(auth_token=token)


async def test_the_program_says_who_may_look(autojump_clock: MockClock) -> None:
    async def authorize(request: object) -> bool:
        return "x-user" in str(request)

    async with page(authorize=authorize) as program:
        await assert_refused(connect(program.socket, endpoint=program.endpoint, headers={"host": "localhost"}))


async def find(tree: ClientChannel, number: int) -> dict[str, Any]:
    answer: Any = await tree.ask("find", {"number": number}, within=WITHIN)
    payload: dict[str, Any] = answer.payload
    return payload


async def test_a_process_is_found_by_its_path_and_its_place(autojump_clock: MockClock) -> None:
    async with page() as program:
        await Supervisor.start_link(
            [worker("a"), supervisor("team", worker("b"), worker("c")), worker("d")], name="top"
        )
        tree = await program.open("tree")
        seen = await rows(tree)
        for place, row in enumerate(seen["rows"]):
            found = await find(tree, row[3])
            assert found["index"] == place, row
            assert found["path"][-1] == row[0]
        (folded,) = (row for row in seen["rows"] if row[4] == "team")
        b = seen["rows"][seen["rows"].index(folded) + 1]
        await rows(tree, closed=[folded[0]])
        found = await find(tree, b[3])
        assert found["index"] is None
        assert found["path"][-2:] == [folded[0], b[0]]
        assert await find(tree, 10**9) == {"path": [], "index": None}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["/srv/shop.py", "a:b"], "shop.py"),
        (["/srv/shop/__main__.py"], "shop"),
        (["__main__.py"], "python"),
        ([""], "python"),
        ([], "python"),
        (["/usr/bin/phxactor", "serve", "--factory", "--port", "0", "shop.web:make"], "shop.web:make"),
        (["phxactor", "serve", "--host", "::1", "shop:endpoint"], "shop:endpoint"),
        (["phxactor", "demo", "chat", "--page"], "phxactor demo chat"),
        (["phxactor"], "phxactor"),
    ],
)
def test_a_program_is_named_by_its_file_or_folder_or_as_it_is_served(arguments: list[str], name: str) -> None:
    assert program(arguments) == name
