"""Registry: what is found, and names that lead to it; section 9 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, Ok, Registry, Reply, call, cast, stop
from phxactor.runtime import KILL, Exit, NoProcessError, Pid, open_runtime, register, self_pid, spawn
from phxactor.testing import settle
from tests.otp import Kit, end, end_of, mail
from tests.otp.members import member, registry


async def test_RG9_a_name_leads_only_to_the_living(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()

        async def stubborn() -> None:
            Registry.register("r", "key")
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

        pid = spawn(stubborn)
        await settle()
        name = Registry.via("r", "key")
        assert name.whereis() is pid
        pid.exit("enough")
        assert name.whereis() is None
        with pytest.raises(Exit, match="noproc"):
            await call(name, "hello")
        await end(pid)


async def test_RG10_a_name_with_a_value_stores_it(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        name = Registry.via("r", "key", "value")
        pid = (await Kit.start_link(name=name, call=lambda _, request, __: Reply(request))).unwrap()
        assert Registry.lookup("r", "key") == [(pid, "value")]
        assert await call(Registry.via("r", "key"), "hello") == "hello"
        assert await call(Registry.via("r", "key", "other"), "hello") == "hello"
        assert await Kit.start_link(name=name) == Error(("already_started", pid))
        await stop(name)
        assert Registry.count("r") == 0


async def test_RG11_duplicate_keys_are_no_names(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(keys="duplicate")
        with pytest.raises(ValueError, match="not unique"):
            await call(Registry.via("r", "key"), "hello")
        with pytest.raises(ValueError, match="not unique"):
            await Kit.start_link(name=Registry.via("r", "key"))  # in the caller, which lives on
        with pytest.raises(ValueError, match="not unique"):
            Registry.update_value("r", "key", str)


async def test_RG12_sending_to_a_missing_key(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        with pytest.raises(NoProcessError):
            Registry.send("r", "key", "hello")
        cast(Registry.via("r", "key"), "hello")
        cast(Registry.via("unknown", "key"), "hello")
        Registry.register("r", "key")
        Registry.send("r", "key", "hello")
        assert mail() == ["hello"]


@pytest.mark.parametrize("keys", ["unique", "duplicate", ("duplicate", "key"), ("duplicate", "pid")])
async def test_RG13_lookups(autojump_clock: MockClock, keys: object) -> None:
    async with open_runtime():
        await registry(keys=keys, partitions=3)
        me, twice = self_pid(), keys != "unique"
        assert Registry.lookup("r", "a") == []
        Registry.register("r", "a", 1)
        Registry.register("r", "b", 2)
        other = await member("c", value=3)
        if twice:
            Registry.register("r", "a", 4)
        entries = {("a", me, 1), ("b", me, 2), ("c", other, 3)} | ({("a", me, 4)} if twice else set())
        assert set(Registry.select("r", lambda *_: True)) == entries
        assert Registry.count("r") == len(entries)
        assert sorted(map(str, Registry.keys("r", me))) == (["a", "a", "b"] if twice else ["a", "b"])
        assert Registry.values("r", "a", me) == ([1, 4] if twice else [1])
        assert Registry.values("r", "a", other) == []
        assert Registry.match("r", "a", lambda value: value == 1) == [(me, 1)]
        assert Registry.count_match("r", "a", lambda value: value != 1) == int(twice)
        assert Registry.select("r", lambda key, pid, _: pid is other and key == "c") == [("c", other, 3)]
        assert Registry.count_select("r", lambda key, *_: key == "a") == 1 + twice


async def test_RG14_update_value_runs_in_the_caller(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        await member("other", value=1)
        Registry.register("r", "key", 1)
        ran_in: list[Pid] = []

        def add(value: Any) -> object:  # noqa: ANN401 - any value
            ran_in.append(self_pid())
            return value + 1

        assert Registry.update_value("r", "key", add) == Ok((2, 1))
        assert Registry.update_value("r", "other", add) == Error("not_found")
        assert Registry.update_value("r", "nobody", add) == Error("not_found")
        assert ran_in == [self_pid()]


async def test_RG15_dispatch_runs_in_the_caller_for_each_partition_that_has_the_key(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(keys="duplicate", partitions=4)
        pids = [await member("key", value=number) for number in range(6)]
        heard: list[list[tuple[Pid, object]]] = []
        ran_in: set[Pid] = set()

        def hear(entries: list[tuple[Pid, object]]) -> None:
            ran_in.add(self_pid())
            heard.append(entries)

        Registry.dispatch("r", "nobody", hear)
        assert heard == []
        Registry.dispatch("r", "key", hear)
        assert ran_in == {self_pid()}
        assert 1 < len(heard) <= 4
        assert all(heard)
        assert {pid for entries in heard for pid, _ in entries} == set(pids)

        def fail(_: object) -> None:
            raise KeyError

        with pytest.raises(KeyError):
            Registry.dispatch("r", "key", fail)

        heard.clear()
        ran_in.clear()
        await Registry.dispatch_parallel("r", "key", hear)
        assert len(ran_in) == len(heard)
        assert self_pid() not in ran_in


async def test_RG20_an_unknown_registry_raises(autojump_clock: MockClock) -> None:
    async with open_runtime():
        register("no registry")
        for name in ("unknown", "no registry"):
            with pytest.raises(LookupError, match=name):
                Registry.lookup(name, "key")
            with pytest.raises(LookupError, match=name):
                await call(Registry.via(name, "key"), "hello")


async def test_RG22_a_lock_lets_one_process_in_at_a_time(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        inside: list[object] = []

        async def enter(key: object, how: object) -> None:
            async with Registry.lock("r", key):
                inside.append(key)
                assert inside.count(key) == 1
                try:
                    await trio.sleep(1)
                    if isinstance(how, BaseException):
                        raise how
                finally:
                    inside.remove(key)

        raising = spawn(enter, "key", Exit("inside"))
        await settle()
        killed = spawn(enter, "key", None)
        waiting = spawn(enter, "key", None)
        await settle()
        other = spawn(enter, "other", None)
        await settle()
        assert sorted(map(str, inside)) == ["key", "other"]
        waiting.exit(KILL)
        await end(raising)
        await settle()
        assert "key" in inside
        killed.exit(KILL)
        await end(other)
        assert await end_of(enter, "key", Exit("inside again")) == "inside again"
        assert inside == []
