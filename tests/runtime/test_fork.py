"""Children of `os.fork` without any socket: who ends them, with what, and what signals do in them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from phxactor.runtime.fork import STRAYED

HEAD = "import os, signal, sys, threading, time, multiprocessing, trio\nfrom phxactor.runtime import *\n"


def run(text: str) -> tuple[int, str, str]:
    """Run a program; returns its status, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", HEAD + textwrap.dedent(text)],
        capture_output=True,
        text=True,
        timeout=30,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("ends", "status", "says"),
    [
        ("sys.exit(3)", 3, ""),
        ("sys.exit('why')", 1, "why\n"),
        ("raise ValueError('x')", 1, "ValueError: x\n"),
        ("return", 1, STRAYED),
        ("await trio.sleep(0)", 1, STRAYED),
        ("await receive()", 1, STRAYED),
        ("os._exit(4)", 4, ""),
    ],
)
@pytest.mark.parametrize("body", ["main", "spawned"])
def test_a_child_ends_where_its_code_does(ends: str, status: int, says: str, body: str) -> None:
    code, output, errors = run(f"""
        async def forks():
            pid = os.fork()
            if pid == 0:
                print("child", flush=True)
                {ends}
                return
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

        async def other():
            await trio.sleep_forever()

        async def main():
            trap_exit()
            self_pid().send("waits")
            spawn_link(other)
            await {"forks()" if body == "main" else "self_pid().runtime.ended(spawn(forks))"}

        run(main)
        print("stopped")
    """)
    assert (code, output) == (0, f"child\n{status}\nstopped\n")
    assert errors.endswith(says)
    assert ("Traceback" in errors) is ("ValueError" in ends)


def test_signals_do_in_a_child_what_they_do_anywhere() -> None:
    assert run("""
        async def main():
            for number in (signal.SIGTERM, signal.SIGINT):
                pid = os.fork()
                if pid == 0:
                    time.sleep(20)
                    os._exit(9)
                os.kill(pid, number)
                print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                await trio.sleep(0.05)  # the parent hears of none of them

        run(main)
        print("stopped")
    """) == (0, f"{-signal.SIGTERM}\n{-signal.SIGINT}\nstopped\n", "")


def test_children_of_multiprocessing_end_themselves() -> None:
    assert run("""
        def work(queue):
            queue.put("worked")
            sys.exit(5)

        def stays():
            time.sleep(20)

        async def main():
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            child = context.Process(target=work, args=(queue,))
            child.start()
            print(queue.get())
            child.join()
            print(child.exitcode)
            child = context.Process(target=stays)
            child.start()
            child.terminate()
            child.join()
            print(child.exitcode)

        run(main)
        print("stopped")
    """) == (0, f"worked\n5\n{-signal.SIGTERM}\nstopped\n", "")


def test_a_fork_in_a_thread_or_outside_of_the_scheduler_is_as_in_any_program() -> None:
    assert run("""
        def forks():
            pid = os.fork()
            if pid == 0:
                try:
                    raise SystemExit(3)
                except SystemExit:
                    os._exit(6)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

        async def main():
            await trio.to_thread.run_sync(forks)

        run(main)
        pid = os.fork()
        if pid == 0:
            async def inner():
                print("in the child", flush=True)

            run(inner)
            sys.exit(7)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """) == (0, "6\nin the child\n7\n", "")


def test_nothing_is_kept_of_runtimes_that_have_ended() -> None:
    assert run("""
        from phxactor.runtime import fork

        async def main():
            async with open_runtime():
                pass
            print(sum(fork._runs.values()))

        for _ in range(2):
            run(main)
        print(len(fork._runs), len(fork.received), fork.is_child())
    """) == (0, "1\n1\n0 0 False\n", "")
    assert os.getpid()
