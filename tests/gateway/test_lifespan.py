"""The lifespan of an application: a supervised process that starts before all requests, and ends after them."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from phxactor import Endpoint, Exit, Supervisor, spawn_link
from phxactor.gateway import asgi
from phxactor.otp import Error, Ok
from phxactor.runtime import open_runtime, self_pid, trap_exit
from tests.gateway.requesting import answering
from tests.gateway.talking import hosting

answer = answering(b"served")


class App:
    """An application with a lifespan that a test writes; it answers each request with its state."""

    def __init__(self, life: Any) -> None:  # noqa: ANN401
        self.life = life
        self.log: list[Any] = []
        self.states: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "lifespan":
            self.scope = scope
            await self.life(self, receive, send)
        else:
            self.states.append(scope["state"])
            await answer(scope, receive, send)


async def whole(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
    """Start and stop well."""
    app.log.append((await receive())["type"])
    app.scope["state"]["db"] = ["pool"]
    await send({"type": "lifespan.startup.complete"})
    app.log.append((await receive())["type"])
    await send({"type": "lifespan.shutdown.complete"})


async def start(app: Any, **options: Any) -> Ok[Any] | Error | Any:  # noqa: ANN401
    """Start an endpoint with an application, and stop it."""
    async with open_runtime():
        trap_exit()
        return await Endpoint(routes=[asgi("/", app, **options)]).start_link(server=False)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_each_scope_has_a_shallow_copy_of_the_state() -> None:
    app = App(whole)
    async with hosting(asgi("/", app)) as house:
        for _ in range(2):
            assert (await house.ask("/")).body == b"served"
        assert app.log == ["lifespan.startup"]
    assert app.log == ["lifespan.startup", "lifespan.shutdown"]
    one, two = app.states
    assert one == two == {"db": ["pool"]}
    assert one is not two
    assert one["db"] is two["db"]


@pytest.mark.parametrize("how", ["raise", "failed", "failed and raise", "exit", "group"])
async def test_an_application_that_fails_to_start_keeps_the_endpoint_from_starting(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def life(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        if "failed" in how:
            await send({"type": "lifespan.startup.failed", "message": "Traceback\n  ...\nOSError: no database\n"})
        if how == "exit":
            raise Exit("no database")
        if how == "group":
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, int, "no database")
        if "raise" in how:
            raise OSError("no database")

    started = await start(App(life))
    assert isinstance(started, Error)
    assert "the application at / did not start: " in repr(started.reason)
    assert "no database" in repr(started.reason)
    assert [text for text in errors(caplog) if text.startswith("the application at / did not start")]


async def test_an_application_without_lifespan_is_served(caplog: pytest.LogCaptureFixture) -> None:
    async def http_only(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "http"
        await answer(scope, receive, send)

    async def returns(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "http":
            await answer(scope, receive, send)

    for app in (http_only, returns):
        async with hosting(asgi("/", app)) as house:
            await wait_all_tasks_blocked()
            assert (await house.ask("/")).body == b"served"
    assert errors(caplog) == []


@pytest.mark.parametrize("how", ["raise", "return"])
async def test_with_lifespan_on_such_an_application_does_not_start(how: str) -> None:
    async def http_only(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if how == "raise":
            assert scope["type"] == "http", "no lifespan"

    started = await start(http_only, lifespan="on")
    assert isinstance(started, Error)
    assert ("no lifespan" if how == "raise" else "startup.complete") in repr(started.reason)


async def test_a_start_that_takes_too_long_has_failed(autojump_clock: MockClock) -> None:
    async def life(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await trio.sleep_forever()

    started = await start(App(life), startup_timeout=5)
    assert isinstance(started, Error)
    assert "it took more than 5 s" in repr(started.reason)


async def test_an_application_is_started_before_its_first_request_and_stopped_behind_its_last(
    autojump_clock: MockClock,
) -> None:
    log: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "lifespan":
            await receive()
            await trio.sleep(10)
            log.append("up")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            log.append("down")
            await send({"type": "lifespan.shutdown.complete"})
            return
        log.append("request")
        await answer(scope, receive, send)
        await trio.sleep(20)  # a background task
        log.append("background")

    async with hosting(asgi("/", app)) as house:
        await house.ask("/")
    assert log == ["up", "request", "background", "down"]


async def test_a_background_task_does_not_hold_the_stop_for_ever(autojump_clock: MockClock) -> None:
    log: list[str] = []

    async def life(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await whole(app, receive, send)
        log.append("down")

    class Hangs(App):
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            await super().__call__(scope, receive, send)
            if scope["type"] == "http":
                try:
                    await trio.sleep_forever()
                finally:
                    log.append("cancelled")

    async with hosting(asgi("/", Hangs(life))) as house:
        await house.ask("/")
        began = trio.current_time()
    assert log == ["cancelled", "down"]
    assert 29 < trio.current_time() - began < 40  # the endpoint's limit for draining


async def test_a_crash_of_the_lifespan_starts_it_again_with_a_new_state(caplog: pytest.LogCaptureFixture) -> None:
    crash = trio.Event()
    starts = 0

    async def life(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        nonlocal starts
        starts += 1
        app.scope["state"]["start"] = starts
        await receive()
        await send({"type": "lifespan.startup.complete"})
        if starts == 1:
            await crash.wait()
            raise ValueError("crashed later")
        await receive()

    app = App(life)
    async with hosting(asgi("/", app)) as house:
        await house.ask("/")
        drainer = [pid for pid in house.runtime.processes.values() if pid.initial_call == "Drainer"]
        crash.set()
        await wait_all_tasks_blocked()
        assert (await house.ask("/")).body == b"served"
        assert [pid for pid in house.runtime.processes.values() if pid.initial_call == "Drainer"] == drainer
    assert [state["start"] for state in app.states] == [1, 2]
    assert any("crashed later" in (record.exc_text or record.getMessage()) for record in caplog.records)


async def test_a_crash_of_the_lifespan_ends_its_requests() -> None:
    crash = trio.Event()
    starts: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "lifespan":
            starts.append("start")
            await receive()
            await send({"type": "lifespan.startup.complete"})
            if len(starts) == 1:
                await crash.wait()
                raise ValueError("crashed later")
            await receive()
        else:
            await trio.sleep_forever()

    async with hosting(asgi("/", app)) as house:
        talk = await house.connect()
        await talk.begin("/")
        await wait_all_tasks_blocked()
        crash.set()
        await wait_all_tasks_blocked()
        assert len(starts) == 2
        assert house.running() == []
        assert await talk.closed()


async def test_a_process_that_the_lifespan_links_to_belongs_to_it() -> None:
    children: list[Any] = []
    starts: list[Any] = []

    async def life(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        starts.append(self_pid())
        (await Supervisor.start_link([])).unwrap()
        children.append(spawn_link(trio.sleep_forever))
        await whole(app, receive, send)

    async with hosting(asgi("/", App(life))):
        children[0].exit("killed")
        await wait_all_tasks_blocked()
        assert len(starts) == 2
        assert children[1].alive
    assert not children[1].alive


async def test_a_stop_that_takes_too_long_or_fails_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def hangs(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await trio.sleep_forever()

    async def fails(app: App, receive: Any, send: Any) -> None:  # noqa: ANN401
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.failed", "message": "the pool is lost"})

    async with hosting(asgi("/", App(hangs), shutdown_timeout=3), asgi("/two", App(fails))):
        pass
    assert "the application at / did not stop: it took more than 3 s" in caplog.text
    assert "the application at /two did not stop: the pool is lost" in caplog.text
