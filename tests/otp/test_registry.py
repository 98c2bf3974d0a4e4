"""Registry: who is in it, and until when; section 9 of the specification."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from phxactor.otp import Error, Ok, Registry, Supervisor, stop
from phxactor.runtime import (
    KILL,
    KILLED,
    Down,
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
from phxactor.testing import settle
from tests.otp import Kit, end, mail
from tests.otp.members import member, registry


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
        await settle()
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


async def test_RG16_listeners_hear_of_registrations_but_not_of_ends(autojump_clock: MockClock) -> None:
    async with open_runtime():
        register("listener")
        await registry(listeners=["listener"])
        me = self_pid()
        Registry.register("r", "key", "value")
        Registry.unregister("r", "key")
        Registry.unregister("r", "never")
        Registry.unregister_match("r", "never", lambda _: True)
        pid = await member("other")
        pid.exit(KILL)
        await end(pid)
        server = (await Kit.start(name=Registry.via("r", "server"))).unwrap()
        await stop(server)
        assert mail() == [
            ("register", "r", "key", me, "value"),
            ("unregister", "r", "key", me),
            ("unregister", "r", "never", me),
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
        await settle()
        assert mail() == [Exited(owner, KILLED)]
        assert Registry.count("r") == 0
        assert isinstance(Registry.register("r", "key"), Ok)
        assert Registry.register("r", "more").unwrap() is not owner


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
        await settle()
        assert second.alive is not together


async def test_a_registry_that_ends_takes_its_processes_along(autojump_clock: MockClock) -> None:
    async with open_runtime():

        async def keeper() -> None:
            await registry()
            await trio.sleep_forever()

        pid = spawn(keeper)
        await settle()
        other = await member("key")
        pid.exit("enough")
        assert await end(other) == "shutdown"
        with pytest.raises(LookupError):
            Registry.register("r", "key")
