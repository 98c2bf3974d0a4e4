"""The kit under pytest-trio and under anyio's plugin, and in a project that uses nothing of it; runs of their own."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest_plugins = ["pytester"]

TEST = """
import pytest
import trio
from phxactor import receive, self_pid, send_after
from phxactor.testing import connect, settle
from tests.testing.rooms import UserSocket

@pytest.fixture
async def room(phx_runtime):
    client = await connect(UserSocket, {"user": "ann"})
    yield await client.join("room:1")
    assert client.connected

async def test_a_fixture_and_the_test_are_one_process(phx_runtime, room):
    assert self_pid() is phx_runtime.main
    send_after(self_pid(), "hello", 0)
    assert await receive() == "hello"
    assert (await room.ask("echo", 1)).payload == 1

async def test_an_hour(phx_runtime, virtual_time, room):
    room.push("later", 3600.0)
    await room.refute_push("later")
    await room.assert_push("later", within=3601)
    assert trio.current_time() == 3600

async def test_nothing_is_left_of_the_others(phx_runtime):
    assert phx_runtime.statistics().processes == 1
    await settle()
"""


def run(pytester: pytest.Pytester, ini: str, *options: str) -> pytest.RunResult:
    pytester.makeini(f"[pytest]\nphxactor_no_leaks = true\nfilterwarnings = error\n{ini}")
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)


def test_under_pytest_trio(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TEST)
    run(pytester, "trio_mode = true").assert_outcomes(passed=3)


def test_under_the_plugin_of_anyio(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
import pytest

@pytest.fixture
def anyio_backend(virtual_time):
    return "trio", {"clock": virtual_time}
"""
    )
    pytester.makepyfile(TEST)
    run(pytester, "anyio_mode = auto", "-p", "no:trio").assert_outcomes(passed=3)


def test_under_the_plugin_of_anyio_by_its_marker(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        TEST.replace("async def test_an_hour", "async def no_test")
        + """
pytestmark = pytest.mark.anyio

@pytest.fixture(scope="module")
def anyio_backend():
    return "trio"
"""
    )
    run(pytester, "", "-p", "no:trio").assert_outcomes(passed=2)


def test_a_project_that_uses_nothing_of_it(pytester: pytest.Pytester) -> None:
    """Its tests are not touched, and nothing is imported for it but the plugin itself."""
    pytester.makepyfile(
        """
import sys

def test_something(request):
    assert not {"no_leaks", "phx_runtime", "virtual_time"} & set(request.fixturenames)
    assert "pytest_phxactor" in sys.modules
    assert not {"phxactor", "trio", "pytest_trio", "hypothesis", "anyio"} & set(sys.modules)
"""
    )
    arguments = ["-p", "no:trio", "-p", "no:anyio", "-p", "no:hypothesispytest", "-p", "no:cacheprovider", "-q"]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", *arguments],
        cwd=pytester.path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def test_a_failure_is_the_line_of_the_test_and_what_came_instead(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
from phxactor.testing import connect
from tests.testing.rooms import UserSocket

async def test_it(phx_runtime):
    room = await (await connect(UserSocket, {"user": "ann"})).join("room:1")
    room.push("echo", {"n": 1})
    await room.assert_push("echo")
"""
    )
    result = run(pytester, "trio_mode = true")
    result.stdout.fnmatch_lines(
        [
            "*, line 7, in test_it",
            '*    await room.assert_push("echo")',
            "*AssertionError: no push 'echo' on 'room:1' came",
            "*what came, in order:",
            "*   1. reply to 'phx_join' of ref '1': ok {'topic': 'room:1', 'user': 'ann'} on 'room:1'    (asserted)",
            "*   2. reply to 'echo' of ref '2': ok {'n': 1} on 'room:1'*",  # how much later, on a busy machine
        ],
        consecutive=True,
    )
    result.stdout.no_fnmatch_line("*arrivals.py*")


@pytest.mark.parametrize("options", [("-p", "no:trio", "-p", "no:anyio"), ("-p", "no:anyio"), ()])
def test_a_test_that_no_plugin_runs_on_trio_says_which_does(
    pytester: pytest.Pytester, options: tuple[str, ...]
) -> None:
    pytester.makepyfile("async def test_one(phx_runtime):\n    pass\n")
    pytester.makeini("[pytest]")
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", *options)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*install pytest-trio (it comes with phxactor[[]testing[]]) and set trio_mode = true*"]
    )


def test_a_program_that_does_not_start_fails_the_test_with_its_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
from contextlib import asynccontextmanager
from phxactor import Application, Resource

@asynccontextmanager
async def open_database():
    raise OSError("no database")
    yield

async def test_it(phx_runtime):
    (await Application(children=[Resource("orm", open_database)], endpoints=[]).start_link(server=False)).unwrap()
"""
    )
    result = run(pytester, "trio_mode = true")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*Exit: {:shutdown, {:failed_to_start_child, :orm, (OSError) no database}}"])


def test_a_test_that_an_exit_signal_has_ended_fails_whatever_the_reason(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
import trio
from phxactor import SHUTDOWN, Exit, spawn_link

async def ends():
    raise Exit(SHUTDOWN)

async def test_it(phx_runtime):
    spawn_link(ends)
    await trio.sleep_forever()
"""
    )
    result = run(pytester, "trio_mode = true")
    result.assert_outcomes(failed=1)
    line = "*AssertionError: an exit signal of a linked process has ended the test: :shutdown"
    result.stdout.fnmatch_lines([line])
