"""Trees of one's own against the model."""

from __future__ import annotations

import re

import pytest

from phxactor.otp import ChildSpec, DynamicSupervisor, GenServer, PartitionSupervisor, Supervisor
from phxactor.otp import _supervisor_process as supervisor_process
from phxactor.runtime import Pid, open_runtime, trap_exit
from phxactor.testing.schedule import Schedule
from phxactor.testing.trees import Branch, Leaf
from phxactor.testing.trees_observed import assert_restarts_as_otp, observe


class Part(GenServer):
    """Does nothing."""


def part(identity: str, restart: str = "permanent") -> ChildSpec:
    return ChildSpec(id=identity, start=(Part.start_link, (), {}), restart=restart)  # type: ignore[arg-type]


class App(Supervisor):
    """A tree as programs have them."""

    @staticmethod
    async def grow(strategy: str = "rest_for_one") -> Pid:
        trap_exit()
        web = Supervisor.child_spec([part("cache", "transient"), part("log", "temporary")], strategy="one_for_all")
        children = [part("db"), web, DynamicSupervisor, (PartitionSupervisor, part("shard"), "shards")]
        return (await Supervisor.start_link(children, strategy=strategy)).unwrap()


async def test_a_tree_is_seen_as_it_is() -> None:
    async with open_runtime():
        tree = await observe(await App.grow(), "app")
    assert tree.strategy == "rest_for_one"
    db, web, dynamic, shards = tree.children
    assert db == Leaf("db")
    assert web == Branch("Supervisor", (Leaf("cache", "transient"), Leaf("log", "temporary")), "one_for_all")
    assert isinstance(dynamic, Branch)
    assert (dynamic.kind, dynamic.children) == ("dynamic", ())
    assert isinstance(shards, Branch)
    assert {leaf.restart for leaf in shards.children} == {"permanent"}


@pytest.mark.parametrize("seed", range(5))
def test_it_restarts_as_otp_says(seed: int) -> None:
    async def kill() -> None:
        app = await App.grow()
        cache, log = ("app", "Supervisor", "cache"), ("app", "Supervisor", "log")
        await assert_restarts_as_otp(app, log, cache, ("app", "db"), ("app", "Supervisor"), cache, root="app")

    Schedule(seed).run(kill)


def test_a_tree_that_gives_up_is_as_otp_says_too() -> None:
    async def kill() -> None:
        app = await App.grow("one_for_one")
        await assert_restarts_as_otp(app, *[("root", "db")] * 4)
        assert not app.alive

    Schedule().run(kill)


async def test_a_sibling_that_is_restarted_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def affected(strategy: str, children: list[object], failed: object) -> list[object]:
        return children

    monkeypatch.setattr(supervisor_process, "affected", affected)
    async with open_runtime():
        app = (await Supervisor.start_link([part("db"), part("web")])).unwrap()
        says = (
            "those that have been started again are [('root', 'db'), ('root', 'web')], and should be [('root', 'web')]"
        )
        with pytest.raises(AssertionError, match=re.escape(says)):
            await assert_restarts_as_otp(app, ("root", "web"))
        with pytest.raises(LookupError, match="nothing runs at "):
            await assert_restarts_as_otp(app, ("root", "mail"))


async def test_a_strategy_that_was_not_meant_is_found_if_it_is_given() -> None:
    """F20: without it, the tree is compared with itself."""
    async with open_runtime():
        trap_exit()
        app = (await Supervisor.start_link([part("db"), part("web")], max_restarts=5)).unwrap()
        await assert_restarts_as_otp(app, ("root", "db"))
        with pytest.raises(AssertionError, match=r"strategy of .* is 'one_for_one', and should be 'rest_for_one'"):
            await assert_restarts_as_otp(app, ("root", "db"), strategy="rest_for_one")
        with pytest.raises(AssertionError, match=r"max_restarts of .* is 5, and should be 3"):
            await assert_restarts_as_otp(app, ("root", "db"), max_restarts=3)
        with pytest.raises(AssertionError, match=r"max_seconds of .* is 5.*, and should be 60"):
            await assert_restarts_as_otp(app, max_seconds=60)
        meant = (await Supervisor.start_link([part("db"), part("web")], strategy="rest_for_one")).unwrap()
        await assert_restarts_as_otp(meant, ("root", "db"), strategy="rest_for_one", max_restarts=3, max_seconds=5)
