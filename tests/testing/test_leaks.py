"""What `no_leaks` finds, what it says of it, and what it leaves alone; in pytest runs of their own."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.allow_leaks("those of the tests within, which the test outside notices too")

HEAD = """
import socket, threading, trio, pytest
from phxactor import *
from phxactor.runtime import cleanup, register
from phxactor.testing import connect
from tests.testing.rooms import UserSocket
"""


def left_behind(pytester: pytest.Pytester, test: str, *, options: str = "phxactor_no_leaks = true") -> list[str]:
    """Run a module with one test; return the lines about what it has left behind."""
    pytester.makeini(f"[pytest]\ntrio_mode = true\n{options}\n")
    pytester.makepyfile(test_it=HEAD + test)
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-W", "error")
    result.assert_outcomes(passed=1, errors=0 if result.ret == 0 else 1)
    lines = result.outlines
    if result.ret == 0:
        return []
    start = lines.index("test_something has left behind") + 1
    end = next(at for at in range(start, len(lines)) if lines[at].startswith(("=", "---")))  # pytest goes on there
    return lines[start:end]


def test_a_process_that_outlives_who_has_spawned_it(pytester: pytest.Pytester) -> None:
    (line,) = left_behind(
        pytester,
        """
async def helper():
    await trio.sleep_forever()

async def worker():
    spawn(helper)

async def test_something():
    async with open_runtime():
        spawn(worker)
        await trio.testing.wait_all_tasks_blocked()
""",
    )
    assert line == ("process: #PID<4 helper>, spawned at test_it.py:11 by #PID<3 worker>, which has ended")


def test_what_the_runtime_stops_in_order_is_no_leak(pytester: pytest.Pytester) -> None:
    assert not left_behind(
        pytester,
        """
class Server(GenServer):
    async def init(self):
        register("server")
        send_after(self_pid(), "tick", 3600)
        await Supervisor.start_link([], strategy="one_for_one")

async def test_something(virtual_time):
    async with open_runtime():
        await Supervisor.start_link([Server], strategy="one_for_one")
        spawn(trio.sleep_forever)
        client = await connect(UserSocket, {"user": "ann"})
        await client.subscribe_and_join("room:1")
""",
    )


def test_a_channel_that_outlives_its_client(pytester: pytest.Pytester) -> None:
    (line,) = left_behind(
        pytester,
        """
class Deaf(GenServer):
    async def init(self, arguments):
        _, from_, socket = arguments
        from_.reply(Ok())

class DeafSocket(Socket):
    channels = [channel("deaf", Deaf), channel("other", Deaf)]

async def test_something(virtual_time):
    async with open_runtime():
        client = await connect(DeafSocket)
        await client.join("deaf")
""",
    )
    assert line.startswith("channel: #PID<")
    assert "Deaf.init>, spawned at " in line
    assert line.endswith(", has outlived its client")


def test_monitors_and_subscriptions_of_a_server_that_pile_up(pytester: pytest.Pytester) -> None:
    lines = left_behind(
        pytester,
        """
class Forgetful(GenServer):
    async def init(self, other):
        self.other = other

    async def handle_info(self, message):
        monitor(self.other)
        message.subscribe("news", pid=self_pid())

class Room(Channel):
    async def join(self, topic, payload):
        forgetful.send(self.socket.pubsub_server)

class RoomSocket(Socket):
    channels = [channel("room:*", Room)]

async def test_something():
    global forgetful
    async with open_runtime():
        other = spawn(trio.sleep_forever)
        forgetful = (await Forgetful.start_link(other)).unwrap()
        client = await connect(RoomSocket)
        for number in range(3):
            await client.join(f"room:{number}")
""",
    )
    assert [line.partition(", spawned at test_it.py:")[0] for line in lines] == [
        "monitor: #PID<4 Forgetful.init>",
        "subscription: #PID<4 Forgetful.init>",
    ]
    assert lines[0].endswith(" by #PID<2 main>, has made 3 on #PID<3 sleep_forever>")
    assert lines[1].endswith("has made 3 to 'news'")


def test_a_task_that_does_not_end(pytester: pytest.Pytester) -> None:
    (line,) = left_behind(
        pytester,
        """
async def stubborn():
    with trio.CancelScope(shield=True):
        await trio.sleep(60)

async def test_something(virtual_time):
    async with open_runtime():
        pid = spawn(stubborn)
        await trio.sleep(1)
        pid.exit(KILL)
        await trio.sleep(10)
""",
    )
    assert line.startswith("task: #PID<3 stubborn>, spawned at test_it.py:13 by #PID<2 main>")
    assert line.endswith(", was killed and does not end")


def test_a_timer_for_a_name_that_nobody_has(pytester: pytest.Pytester) -> None:
    (line,) = left_behind(
        pytester,
        """
async def test_something():
    async with open_runtime():
        send_after("nobody", "tick", 3600)
""",
    )
    assert line.startswith("timer: would send 'tick', made at test_it.py:9 by #PID<2 main>")


def test_a_socket_that_is_open(pytester: pytest.Pytester) -> None:
    (line,) = left_behind(
        pytester,
        """
kept = []

def test_something():
    socket.socket().close()
    kept.append(socket.create_server(("127.0.0.1", 0)))

def teardown_module():
    kept[0].close()
""",
    )
    assert line.startswith("socket: <socket.socket fd=")
    assert line.endswith("made at test_it.py:11")


def test_a_thread_that_runs(pytester: pytest.Pytester) -> None:
    (line,) = left_behind(
        pytester,
        """
stop = threading.Event()

async def test_something():
    await trio.to_thread.run_sync(int)
    threading.Thread(target=stop.wait, name="forgotten").start()

def teardown_module():
    stop.set()
""",
    )
    assert line == "thread: forgotten"


def test_the_thread_of_an_executor_that_is_garbage_is_no_leak(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
from concurrent.futures import ThreadPoolExecutor

def test_something():
    executor = ThreadPoolExecutor(1)
    assert executor.submit(int).result() == 0
    executor.itself = executor
"""
    )
    result = pytester.runpytest_inprocess("-o", "phxactor_no_leaks=true", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=1)


LEAKY = """
async def worker():
    spawn(trio.sleep_forever)

async def test_something({arguments}):
    async with open_runtime():
        spawn(worker)
        await trio.testing.wait_all_tasks_blocked()
"""


@pytest.mark.parametrize(
    ("test", "options", "found"),
    [
        (LEAKY.format(arguments=""), "", False),
        (LEAKY.format(arguments="no_leaks"), "", True),
        (LEAKY.format(arguments=""), "phxactor_no_leaks = true", True),
        ("pytestmark = pytest.mark.allow_leaks('why')" + LEAKY.format(arguments="no_leaks"), "", False),
        ("pytestmark = pytest.mark.allow_leaks('why')" + LEAKY.format(arguments=""), "phxactor_no_leaks = true", False),
        ("pytestmark = pytest.mark.usefixtures('no_leaks')" + LEAKY.format(arguments=""), "", True),
    ],
)
def test_who_asks_for_it(pytester: pytest.Pytester, test: str, options: str, found: bool) -> None:
    assert bool(left_behind(pytester, test, options=options)) is found


def test_of_a_test_that_fails_nothing_else_is_said(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\ntrio_mode = true\nphxactor_no_leaks = true\n")
    pytester.makepyfile(HEAD + LEAKY.format(arguments="") + "        assert False\n")
    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(failed=1)
