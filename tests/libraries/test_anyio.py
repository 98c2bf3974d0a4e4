"""httpx and anyio in processes: nothing has to be done for them."""

from __future__ import annotations

import threading
from pathlib import Path

import anyio
import pytest
import trio

from phxactor import (
    Crash,
    Endpoint,
    Request,
    Response,
    Supervisor,
    Task,
    get,
    open_runtime,
    receive,
    spawn_monitor,
    whereis,
)
from phxactor.runtime import Down, Pid, self_pid
from tests.libraries.page import names_of_the_page
from tests.sockets.serving import eventually


async def number(request: Request) -> Response:
    if request.query == "slow":
        await trio.sleep(60)
    return Response.text(request.path_params["number"])


@pytest.mark.socket
async def test_processes_share_a_client_of_httpx(tmp_path: Path) -> None:
    page = names_of_the_page(folder=tmp_path)
    endpoint = Endpoint(routes=[get("/{number}", number)])
    async with open_runtime():
        (await endpoint.start_link(port=0)).unwrap()
        assert endpoint.address is not None
        url = f"http://127.0.0.1:{endpoint.address.port}"
        (await Supervisor.start_link([page["HTTP"]], strategy="one_for_one")).unwrap()

        async def ask_all() -> None:
            tasks = [Task.async_(page["page_of"], f"{url}/{one}") for one in range(30)]
            assert await Task.await_many(tasks, None) == [str(one) for one in range(30)]

        await ask_all()
        for reason in ("kill", "shutdown"):
            pid, _ = spawn_monitor(page["page_of"], f"{url}/1?slow")
            await trio.sleep(0.1)
            pid.exit(reason)
            assert isinstance(await receive(), Down)
        await ask_all()
        caller, _ = spawn_monitor(page["page_of"], f"{url}/1?slow")
        await trio.sleep(0.1)
        client = whereis("http")
        assert isinstance(client, Pid)
        client.exit("kill")
        await eventually(lambda: whereis("http") not in (None, client))
        await ask_all()
        caller.exit("kill")
        assert isinstance(await receive(), Down)
        pid, _ = spawn_monitor(page["page_of"], f"{url}/a/b")
        down = await receive()
        assert isinstance(down, Down)
        assert isinstance(down.reason, Crash)  # 404: only the caller crashes
        await ask_all()


async def test_functions_of_anyio_run_in_processes() -> None:
    async def work(me: Pid) -> int:
        assert self_pid() is me
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        seen: list[object] = []

        def in_thread() -> int:
            anyio.from_thread.run_sync(lambda: seen.append(self_pid()))
            return threading.get_ident()

        assert await anyio.to_thread.run_sync(in_thread) != threading.get_ident()
        assert seen == [me]
        return 1

    async def begin() -> int:
        return await work(self_pid())

    async with open_runtime():
        assert await Task.async_(begin) == 1


async def test_a_process_that_is_killed_ends_its_group_of_anyio() -> None:
    ended: list[str] = []

    async def sleeper() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("sleeper")

    async def body() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(sleeper)

    async with open_runtime():
        pid, _ = spawn_monitor(body)
        await trio.testing.wait_all_tasks_blocked()
        pid.exit("kill")
        await receive()
        assert ended == ["sleeper"]
