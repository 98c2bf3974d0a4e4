"""A process that has imported what programs of the tests import, and forks when it is told to: `tests.forked` tells it.

A request is a line of JSON: the module that is run as by `python -m`, its arguments, folder and environment, the
process that asks, and that one's descriptors for the output, the errors and the exit status. It is answered by a line
with the new process's id. The process that asks may have threads; this one has none, so a fork of it is a program that
has just started.
"""

from __future__ import annotations

import gc
import os
import resource
import runpy
import selectors
import signal
import sys
from contextlib import suppress
from typing import Any, Final

import orjson

import phxactor.cli.app
import phxactor.client  # noqa: F401 - for the programs

STATUSES: Final[dict[int, int]] = {}
"""By the ids of processes, where to write how they end."""


def opened(asker: int, descriptor: int) -> int:
    """Open what another process has open, to write at its end."""
    return os.open(f"/proc/{asker}/fd/{descriptor}", os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)


def become(request: dict[str, Any], outputs: dict[int, int]) -> None:
    """Be what a program is that Python has just started."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["folder"])
    for descriptor, output in outputs.items():
        os.dup2(output, descriptor)
    sys.path[0] = request["folder"]
    sys.argv[:] = ["-m", *request["arguments"]]
    sys.orig_argv[:] = [sys.executable, "-m", request["module"], *request["arguments"]]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (request["files"], most))


def forked(request: dict[str, Any]) -> int:
    """Fork; return the id of the new process, and 0 in it."""
    asker = request["asker"]
    outputs = {1: opened(asker, request["output"]), 2: opened(asker, request["errors"])}
    status = opened(asker, request["status"])
    pid = os.fork()
    if pid == 0:
        become(request, outputs)
        for descriptor in (*outputs.values(), status, *STATUSES.values()):
            os.close(descriptor)
        return 0
    for descriptor in outputs.values():
        os.close(descriptor)
    STATUSES[pid] = status
    return pid


def reap() -> None:
    """Write how those have ended that have."""
    while STATUSES:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        descriptor = STATUSES.pop(pid)
        with suppress(BrokenPipeError):  # nobody wants to know
            os.write(descriptor, b"%d\n" % os.waitstatus_to_exitcode(status))
        os.close(descriptor)


def serve() -> dict[str, Any] | None:
    """Fork for each request, until there will be no more. Returns the request in each new process."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(writing)
    requests = open(0, "rb", buffering=0, closefd=False)  # noqa: SIM115 - a descriptor has no path
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(reading, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd == reading:
                    os.read(reading, 1000)
                    reap()
                elif not (line := requests.readline()):
                    return None
                else:
                    request: dict[str, Any] = orjson.loads(line)
                    pid = forked(request)
                    if pid == 0:
                        break
                    os.write(1, b"%d\n" % pid)
            else:
                continue
            break
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.close(reading)
    os.close(writing)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return request


if __name__ == "__main__":
    gc.collect()
    gc.freeze()  # the collector of a program would touch, and so copy, what was imported
    wanted = serve()
    if wanted is not None:
        runpy._run_module_as_main(wanted["module"])  # type: ignore[attr-defined]  # noqa: SLF001 - what `python -m` does
