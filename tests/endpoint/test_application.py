"""Applications: children and endpoints that start, restart and stop together."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from phxactor import (
    Application,
    Channel,
    ChildSpec,
    DrainOptions,
    Endpoint,
    Error,
    GenServer,
    Ok,
    PubSub,
    Request,
    Resource,
    Response,
    Socket,
    Supervisor,
    Task,
    call,
    channel,
    get,
    mount,
    receive,
    run,
    spawn_monitor,
    trap_exit,
    whereis,
)
from phxactor.endpoint import ROOT, serve
from phxactor.otp import Ignore, Reply, StartFunction, child_spec
from phxactor.runtime import STOP_TIMEOUT, Pid, Runtime, exception_of
from phxactor.testing import connect, settle
from tests.certificates import CLIENT, SERVER
from tests.demos.program import environment, serving
from tests.patience import PATIENCE


class Store(GenServer):
    """A child that says when it starts and ends."""

    async def init(self, name: str, log: list[str]) -> None:
        self.name, self.log = name, log
        self.log.append(f"{name} starts")

    async def terminate(self, reason: object) -> None:
        self.log.append(f"{self.name} ends")

    async def handle_call(self, request: object, from_: object) -> Reply:
        return Reply(self.name)


class Lobby(Channel):
    """A channel that asks the store."""

    async def join(self, topic: str, payload: object) -> Ok[object]:
        return Ok({"store": await call("store", "name")})


class UserSocket(Socket):
    channels = (channel("lobby", Lobby),)


def pid_of(name: str) -> Pid:
    pid = whereis(name)
    assert pid is not None
    return pid


def store(log: list[str], name: str = "store") -> ChildSpec:
    return child_spec(Store.child_spec(name, log, name=name), id=name)


async def test_the_children_start_first_and_the_test_kit_connects(phx_runtime: Runtime) -> None:
    endpoint = Endpoint(sockets=[mount("/socket", UserSocket)])
    application = Application(children=[store([])], endpoints=[endpoint])
    (await application.start_link(server=False)).unwrap()
    assert [child.id for child in await Supervisor.which_children(ROOT)] == ["endpoint", "store"]
    assert endpoint.address is None
    client = await connect(UserSocket, endpoint=endpoint)
    lobby = await client.join("lobby")
    assert lobby.response == {"store": "store"}


async def test_an_endpoint_restarts_with_a_child_that_it_depends_on(phx_runtime: Runtime) -> None:
    endpoint, log = Endpoint(), list[str]()
    application = Application(children=[store(log, "a"), store(log, "b")], endpoints=[endpoint])
    (await application.start_link(server=False)).unwrap()
    before = {name: pid_of(name) for name in ("a", "b", "endpoint")}
    before["b"].exit("kill")
    await settle()
    assert pid_of("a") is before["a"]
    assert pid_of("b") is not before["b"]
    assert pid_of("endpoint") is not before["endpoint"]


async def test_with_another_strategy_it_does_not(phx_runtime: Runtime) -> None:
    application = Application(children=[store([])], endpoints=[Endpoint()], strategy="one_for_one")
    (await application.start_link(server=False)).unwrap()
    first, serving = pid_of("store"), pid_of("endpoint")
    first.exit("kill")
    await settle()
    assert pid_of("store") is not first
    assert pid_of("endpoint") is serving


async def test_too_many_restarts_end_it(phx_runtime: Runtime) -> None:
    application = Application(children=[store([])], max_restarts=1, max_seconds=10, name="mine")
    supervisor = (await application.start_link()).unwrap()
    trap_exit()
    for _ in range(2):
        pid_of("store").exit("kill")
        await settle()
    assert not supervisor.alive
    assert supervisor.exit_reason == "shutdown"


async def test_it_is_a_child_itself(phx_runtime: Runtime) -> None:
    endpoint = Endpoint(name="inner")
    inner = Application(children=[store([])], endpoints=[endpoint], name="part").child_spec(server=False)
    (await Supervisor.start_link([inner], strategy="one_for_one")).unwrap()
    assert inner.type == "supervisor"
    assert pid_of("part").alive
    assert endpoint.find() is not None


def test_the_last_started_stops_first(capfd: pytest.CaptureFixture[str]) -> None:
    log: list[str] = []

    async def ends() -> None:
        log.append("the last child runs")
        pid_of("a").runtime.main.exit("shutdown")

    task = ChildSpec(id="last", start=(Task.start_link, (ends,), {}), restart="temporary")
    traps = ChildSpec(id="traps", start=(_trapping, ("b", log), {}))
    run(Application(children=[ChildSpec(id="a", start=(_trapping, ("a", log), {})), traps, task]), stop_timeout=5)
    assert log == ["a starts", "b starts", "the last child runs", "b ends", "a ends"]
    assert capfd.readouterr() == ("", "")


class Trapping(Store):
    async def init(self, name: str, log: list[str]) -> None:
        await super().init(name, log)
        trap_exit()


async def _trapping(name: str, log: list[str]) -> Ok[Pid] | Error | Ignore:
    return await Trapping.start_link(name, log, name=name)


# ------------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Application(endpoints=Endpoint()), TypeError, r"must be a list, such as \[endpoint\]"),  # type: ignore[arg-type]
        (lambda: Application(endpoints=[UserSocket]), TypeError, "each of endpoints must be an Endpoint, not <class"),  # type: ignore[list-item]
        (lambda: Application(endpoints=[Endpoint(), Endpoint()]), ValueError, "two children have the id 'endpoint'"),
        (lambda: Application(children=[Store, (Store, 1)]), ValueError, "two children have the id 'Store'"),
        (lambda: Application(children=[Endpoint()]), TypeError, "is among the children: give it as one of endpoints"),
        (lambda: Application(children=Store), TypeError, "children must be a list"),  # type: ignore[arg-type]
        (lambda: Application(children=[5]), TypeError, "5 is no child: give a ChildSpec"),  # type: ignore[list-item]
        (lambda: Application(strategy="one_for_some"), ValueError, "strategy"),  # type: ignore[arg-type]
        (lambda: Application(max_restarts=-1), ValueError, "max_restarts"),
        (lambda: Application(name=""), ValueError, "'' cannot be a name"),
        (lambda: run(Application(), children=[Store]), TypeError, "children go with an endpoint"),
        (lambda: run(serve, children=[Store]), TypeError, "children go with an endpoint"),
        (lambda: run(serve, port=1), TypeError, "host, port, path and tls go with an endpoint"),
        (lambda: run(Application(), port=1), ValueError, "the application has 0 endpoints"),
        (lambda: run(5), TypeError, "run takes an Application, an Endpoint or an async function, not 5"),  # type: ignore[arg-type]
        (lambda: run(Endpoint(), port=70000), ValueError, "port must be a whole number from 0"),
        (lambda: run(serve, tls=CLIENT), TypeError, "host, port, path and tls go with an endpoint"),
        (lambda: run(Application(), tls=CLIENT), ValueError, "the application has 0 endpoints"),
        (lambda: run(Endpoint(), tls=CLIENT), ValueError, "tls must be a server's context"),
        (lambda: run(Endpoint(), stuck_after=0), ValueError, "stuck_after must be more than 0 seconds"),
    ],
)
def test_what_is_refused_at_once(make: Callable[[], object], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()


@pytest.mark.socket
async def test_an_application_is_told_where_and_how_its_endpoint_listens(phx_runtime: Runtime) -> None:
    async def scheme(request: Request) -> Response:
        return Response.text(request.scheme)

    endpoint = Endpoint(routes=[get("/", scheme)], port=4001)
    (await Application(endpoints=[endpoint]).start_link(port=0, tls=SERVER)).unwrap()
    assert endpoint.address is not None
    assert str(endpoint.address).startswith("https://")
    transport = await trio.open_tcp_stream("127.0.0.1", endpoint.address.port)
    stream = trio.SSLStream(transport, CLIENT, server_hostname="app.test", https_compatible=True)
    with trio.fail_after(PATIENCE):
        await stream.send_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n")
        assert (await stream.receive_some()).endswith(b"https")
    await stream.aclose()


async def test_where_two_listen_is_said_by_each(phx_runtime: Runtime) -> None:
    two = Application(endpoints=[Endpoint(), Endpoint(name="admin", port=4001)])
    with pytest.raises(ValueError, match="has 2 endpoints, so host, port, path and tls are options of each"):
        await two.start_link(port=0)
    (await two.start_link(server=False)).unwrap()
    assert pid_of("admin").alive


def test_the_drains_of_all_endpoints_have_time(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr("phxactor.runtime.run", lambda *_, **options: given.append(options["stop_timeout"]))
    slow = [Endpoint(name=name, drain=DrainOptions(limit=100)) for name in ("a", "b")]
    run(Application(endpoints=slow))
    run(slow[0], children=[PubSub("news")])
    assert given == [STOP_TIMEOUT + 200, STOP_TIMEOUT + 100]


async def fails() -> Error:
    return Error("timeout")


async def is_nested() -> Ok[Pid] | Error | Ignore:
    return await Supervisor.start_link([ChildSpec(id="inner", start=(fails, (), {}))], strategy="one_for_one")


async def breaks() -> Error:
    raise ConnectionRefusedError(111, "Connection refused")


async def is_in_use() -> Error:
    return Error("http://127.0.0.1:4000 is in use")


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (fails, "the child 'x' did not start: timeout"),
        (is_nested, "the child 'inner' did not start: timeout"),
        (breaks, "the child 'x' did not start: (ConnectionRefusedError) [Errno 111] Connection refused"),
        (is_in_use, "http://127.0.0.1:4000 is in use"),
    ],
)
async def test_a_child_that_does_not_start_is_named(start: StartFunction, words: str, phx_runtime: Runtime) -> None:
    application = Application(children=[ChildSpec(id="x", start=(start, (), {}))], endpoints=[Endpoint()])
    spawn_monitor(serve, application, application.start_link)
    failure = exception_of((await receive()).reason)
    assert isinstance(failure, SystemExit)
    assert str(failure) == words


@asynccontextmanager
async def hangs() -> AsyncIterator[None]:
    await trio.sleep(math.inf)
    yield


def test_a_program_that_is_told_to_stop_before_it_has_started_stops_at_once() -> None:
    log: list[str] = []

    async def stops() -> None:
        await trio.testing.wait_all_tasks_blocked()
        log.append("stops")
        pid_of("a").runtime.main.exit("shutdown")

    a = ChildSpec(id="a", start=(_trapping, ("a", log), {}))
    stopper = ChildSpec(id="stops", start=(Task.start_link, (stops,), {}), restart="temporary")
    run(Application(children=[a, stopper, Resource("database", hangs)], endpoints=[Endpoint()]), stop_timeout=60)
    assert log == ["a starts", "stops", "a ends"]


@pytest.mark.socket
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_a_program_that_starts(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(HANGS)
    command = [sys.executable, "-m", "phxactor.cli", "serve", "app:application"]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "opening\n"
        program.send_signal(number)
        assert program.stdout.read().splitlines()[-2:] == ["given up", "stopped"]
    assert program.returncode == 0


HANGS = """
from contextlib import asynccontextmanager
import trio
from phxactor import Application, Endpoint, Resource

@asynccontextmanager
async def hangs():
    print("opening", flush=True)
    try:
        await trio.sleep_forever()
        yield
    finally:
        print("given up", flush=True)

application = Application(children=[Resource("database", hangs)], endpoints=[Endpoint(port=0)])
"""


# -------------------------------------------------------------------------------------------------- programs

PROGRAM = """
import logging
import phxactor

{logging}
application = phxactor.Application(children=[phxactor.PubSub("news")], endpoints=[phxactor.Endpoint(port=0)])

async def main():
    await application.start_link()

phxactor.run(main)
"""


@pytest.mark.socket
@pytest.mark.parametrize(
    ("configured", "said"),
    [
        ("", ["listening on http://127.0.0.1:N"]),
        ("logging.basicConfig()", []),
        ("logging.basicConfig(level='INFO')", ["INFO:phxactor.endpoint.listening:listening on http://127.0.0.1:N"]),
        ("logging.getLogger('phxactor').addHandler(logging.NullHandler())", []),
        ("logging.getLogger('another').addHandler(logging.StreamHandler())", ["listening on http://127.0.0.1:N"]),
    ],
)
def test_it_says_where_it_listens_unless_the_program_has_its_own_log(configured: str, said: list[str]) -> None:
    program = PROGRAM.format(logging=configured)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE, env=environment(), check=True
    )
    lines = [line.rpartition(":")[0] + ":N" for line in done.stderr.splitlines() if "listening" in line]
    assert lines == said
    assert done.stdout == ""


@pytest.mark.socket
def test_a_program_without_a_log_says_where_it_listens_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "chat.py").write_text("import phxactor\nphxactor.run(phxactor.Endpoint(), port=0, stuck_after=60)\n")
    with serving(cwd=tmp_path, python="chat.py") as program:
        code, printed = program.stop(signal.SIGINT)
    assert (code, printed) == (0, f"listening on {program.url}\n")
