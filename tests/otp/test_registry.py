"""Registry: section 9 of the specification."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, Ok, Registry, Reply, Supervisor, call, cast, stop
from phxactor.runtime import (
    KILL,
    KILLED,
    Down,
    Exit,
    Exited,
    NoProcessError,
    Pid,
    monitor,
    open_runtime,
    receive,
    register,
    self_pid,
    spawn,
    trap_exit,
)
from tests.otp import Kit, end, end_of, mail, settled


async def registry(**options: Any) -> Pid:  # noqa: ANN401 - a registry's options
    """Start a registry named "r", with unique keys unless told otherwise."""
    return (await Registry.start_link(**{"name": "r", "keys": "unique", **options})).unwrap()


async def member(*keys: object, registry: str = "r", value: object = None) -> Pid:
    """Start a process that registers itself under the keys, and waits."""

    async def body() -> None:
        for key in keys:
            Registry.register(registry, key, value)
        await trio.sleep_forever()

    pid = spawn(body)
    await settled()
    return pid


async def test_RG1_options_of_a_wrong_type_raise_in_the_caller(autojump_clock: MockClock) -> None:
    async with open_runtime():
        for wrong in (
            {"name": 7},
            {"name": ""},
            {"keys": "many"},
            {"keys": ("unique", "pid")},
            {"partitions": 0},
            {"partitions": True},
            {"listeners": "one"},
            {"listeners": [1]},
            {"meta": [1]},
        ):
            with pytest.raises((TypeError, ValueError)):
                await registry(**wrong)
        with pytest.raises(TypeError):
            await Registry.start_link(name="r")  # type: ignore[call-arg]


async def test_RG2_register_enters_the_caller_and_links_it_to_the_partition(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        registered = Registry.register("r", "key", "value")
        owner = registered.unwrap()
        assert Registry.lookup("r", "key") == [(self_pid(), "value")]
        assert owner in (self_pid().links or ())


async def test_RG3_a_unique_key_has_one_owner(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        other = await member("taken")
        assert Registry.register("r", "taken", "new") == Error(("already_registered", other))
        Registry.register("r", "mine", "old")
        assert Registry.register("r", "mine", "new") == Error(("already_registered", self_pid()))
        assert Registry.lookup("r", "mine") == [(self_pid(), "old")]


async def test_RG4_a_process_that_is_ending_gives_way(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()

        async def stubborn() -> None:
            Registry.register("r", "key")
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

        pid = spawn(stubborn)
        await settled()
        pid.exit("enough")
        assert isinstance(Registry.register("r", "key", "new"), Ok)
        await end(pid)
        assert Registry.lookup("r", "key") == [(self_pid(), "new")]


async def test_RG5_duplicate_keys_take_any_number_of_entries(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(keys="duplicate")
        for value in (1, 2, 2):
            Registry.register("r", "key", value)
        assert Registry.lookup("r", "key") == [(self_pid(), 1), (self_pid(), 2), (self_pid(), 2)]


async def test_RG6_unregister_removes_the_callers_entries_only(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(keys="duplicate", partitions=3)
        other = await member("key")
        owner = Registry.register("r", "key", 1).unwrap()
        Registry.register("r", "key", 2)
        Registry.register("r", "second")
        Registry.unregister("r", "key")
        assert Registry.lookup("r", "key") == [(other, None)]
        links = self_pid().links
        assert links is not None
        assert owner in links
        Registry.unregister("r", "second")
        assert owner not in links
        Registry.unregister("r", "never")


async def test_RG7_unregister_match_removes_what_matches(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(keys="duplicate")
        await member("key", value=5)
        for value in range(4):
            Registry.register("r", "key", value)
        Registry.unregister_match("r", "key", lambda value: value in (1, 3, 5))
        assert sorted(Registry.values("r", "key", self_pid())) == [0, 2]  # type: ignore[type-var]
        assert Registry.count("r") == 3


async def test_RG8_entries_are_gone_before_anybody_hears_of_the_end(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        pid = await member("key", "other")
        ref = monitor(pid)
        pid.exit(KILL)
        down = await receive(lambda message: isinstance(message, Down) and message.ref is ref)
        assert isinstance(down, Down)
        assert Registry.lookup("r", "key") == []
        assert Registry.count("r") == 0
        assert Registry.keys("r", pid) == []


async def test_RG9_a_name_leads_only_to_the_living(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()

        async def stubborn() -> None:
            Registry.register("r", "key")
            with trio.CancelScope(shield=True):
                await trio.sleep(1)

        pid = spawn(stubborn)
        await settled()
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


async def test_RG16_listeners_hear_of_registrations_but_not_of_ends(autojump_clock: MockClock) -> None:
    async with open_runtime():
        register("listener")
        await registry(listeners=["listener"])
        me = self_pid()
        Registry.register("r", "key", "value")
        Registry.unregister("r", "key")
        Registry.unregister("r", "never")
        pid = await member("other")
        pid.exit(KILL)
        await end(pid)
        server = (await Kit.start(name=Registry.via("r", "server"))).unwrap()
        await stop(server)
        assert mail() == [
            ("register", "r", "key", me, "value"),
            ("unregister", "r", "key", me),
            ("unregister", "r", "never", me),
            ("register", "r", "other", pid, None),
            ("register", "r", "server", server, None),
        ]


async def test_RG17_a_listener_that_is_missing_raises_after_the_entry_was_made(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(listeners=["nobody"])
        with pytest.raises(NoProcessError):
            Registry.register("r", "key", "value")
        assert Registry.lookup("r", "key") == [(self_pid(), "value")]


async def test_RG18_meta(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry(meta={"one": 1})
        assert Registry.meta("r", "one") == Ok(1)
        assert Registry.meta("r", "two") == Error("not_found")
        Registry.put_meta("r", "two", 2)
        assert Registry.meta("r", "two") == Ok(2)
        Registry.delete_meta("r", "two")
        Registry.delete_meta("r", "two")
        assert Registry.meta("r", "two") == Error("not_found")


async def test_RG19_a_partition_that_is_killed_takes_its_processes_along(autojump_clock: MockClock) -> None:
    async with open_runtime():
        await registry()
        plain = await member("plain")
        trap_exit()
        owner = Registry.register("r", "key").unwrap()
        owner.exit(KILL)
        assert await end(plain) == KILLED
        await settled()
        assert mail() == [Exited(owner, KILLED)]
        assert Registry.count("r") == 0
        assert isinstance(Registry.register("r", "key"), Ok)
        assert Registry.register("r", "more").unwrap() is not owner


async def test_RG20_an_unknown_registry_raises(autojump_clock: MockClock) -> None:
    async with open_runtime():
        register("no registry")
        for name in ("unknown", "no registry"):
            with pytest.raises(LookupError, match=name):
                Registry.lookup(name, "key")
            with pytest.raises(LookupError, match=name):
                await call(Registry.via(name, "key"), "hello")


@pytest.mark.parametrize(("keys", "together"), [("unique", True), (("duplicate", "key"), True), ("duplicate", False)])
async def test_RG21_partitions_of_unique_keys_fall_together(
    autojump_clock: MockClock, keys: object, together: bool
) -> None:
    async with open_runtime():
        pid = await registry(keys=keys, partitions=2)
        first, second = [child.pid for child in await Supervisor.which_children(pid)]
        assert isinstance(first, Pid)
        assert isinstance(second, Pid)
        first.exit(KILL)
        await end(first)
        await settled()
        assert second.alive is not together


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
        await settled()
        killed = spawn(enter, "key", None)
        waiting = spawn(enter, "key", None)
        await settled()
        other = spawn(enter, "other", None)
        await settled()
        assert sorted(map(str, inside)) == ["key", "other"]
        waiting.exit(KILL)
        await end(raising)
        await settled()
        assert "key" in inside
        killed.exit(KILL)
        await end(other)
        assert await end_of(enter, "key", Exit("inside again")) == "inside again"
        assert inside == []


async def test_a_registry_that_ends_takes_its_processes_along(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def keeper() -> None:
            await registry()
            await trio.sleep_forever()

        pid = spawn(keeper)
        await settled()
        other = await member("key")
        pid.exit("enough")
        assert await end(other) == "shutdown"
        with pytest.raises(LookupError):
            Registry.register("r", "key")
