from __future__ import annotations

import pytest

from phxactor.runtime import (
    KILL,
    NameTakenError,
    NoProcessError,
    events,
    open_runtime,
    receive,
    register,
    self_pid,
    send,
    spawn,
    unregister,
    whereis,
)
from phxactor.testing import settle
from tests.runtime.actors import actors, emitted, idle


async def test_NM1_a_name_has_one_owner_and_a_process_one_name() -> None:
    async with open_runtime():
        one, other = await actors(2)
        with emitted(events.named) as named:
            register("red", one.pid)
        assert named == [{"pid": one.pid, "name": "red"}]
        with pytest.raises(NameTakenError, match="'red' belongs to"):
            register("red", other.pid)
        with pytest.raises(NameTakenError, match="'red' belongs to"):
            register("red", one.pid)
        assert whereis("red") is one.pid


async def test_NM2_a_process_has_at_most_one_name() -> None:
    async with open_runtime() as runtime:
        register("red")
        with pytest.raises(NameTakenError, match="has a name already"):
            register("blue")
        unregister("red")
        register("blue")
        assert runtime.names.all() == {"blue": self_pid()}


async def test_NM1_the_dead_and_the_dying_get_no_name() -> None:
    async with open_runtime():
        (actor,) = await actors(1)
        actor.pid.exit(KILL)
        with pytest.raises(NameTakenError, match="has ended"):
            register("red", actor.pid)
        await settle()
        with pytest.raises(NameTakenError, match="has ended"):
            register("red", actor.pid)


@pytest.mark.parametrize("name", ["", "nil", "true", "false", "undefined"])
async def test_NM1_some_names_are_refused(name: str) -> None:
    async with open_runtime():
        with pytest.raises(ValueError, match="cannot be a name"):
            register(name)


async def test_NM3_sending_to_a_name_that_nobody_has_raises() -> None:
    async with open_runtime():
        with pytest.raises(NoProcessError, match="'nobody'"):
            send("nobody", "hello")
        register("somebody")
        send("somebody", "hello")
        send(self_pid(), "again")
        assert [await receive(), await receive()] == ["hello", "again"]


async def test_NM4_unregistering_an_unknown_name_raises() -> None:
    async with open_runtime():
        with pytest.raises(LookupError, match="'nobody'"):
            unregister("nobody")
        assert whereis("nobody") is None


async def test_NM5_P13_a_name_is_kept_until_the_end_and_then_free_for_another() -> None:
    async with open_runtime() as runtime:
        pid = spawn(idle)
        register("red", pid)
        await settle()
        pid.exit("boom")
        with pytest.raises(NameTakenError):
            register("red")
        await runtime.ended(pid)
        register("red")
        assert whereis("red") is self_pid()
        assert pid.name == "red"  # for whoever looks at the dead one
        assert runtime.statistics().names == 1
