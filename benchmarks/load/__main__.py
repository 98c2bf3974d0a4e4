"""Runs one load against one server, and prints its figures as one line of JSON, or what went wrong, with status 1."""

from __future__ import annotations

import asyncio
import logging
import sys

import attrs
import orjson
import uvloop

from benchmarks.load.client import Client
from benchmarks.load.command_line import Job, read
from benchmarks.load.dialects import DIALECTS, Fault
from benchmarks.load.figures import Figures
from benchmarks.os_process import OsProcess, OsProcesses, raise_file_limit


async def drive(job: Job) -> Figures:
    """Run the load; raises `Fault`."""
    client = Client(DIALECTS[job.dialect], job.ports, OsProcesses(tuple(map(OsProcess, job.server_pids))), job.patience)
    try:
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(client.watch())
            await client.enter(["bench:first"], 1)  # so that the server has imported and cached what it does lazily
            await client.leave()
            figures = await job.load.run(client)
            await client.leave()
            watch.cancel()
    except ExceptionGroup as failures:  # not `except*`: before Python 3.11.4 that would put the fault in a group again
        faults = failures.subgroup(Fault)
        if faults is None:
            raise
        raise first(faults) from None
    return figures


def first(faults: ExceptionGroup[Fault]) -> Fault:
    """Take a group apart."""
    fault = faults.exceptions[0]
    return first(fault) if isinstance(fault, ExceptionGroup) else fault


def main() -> int:
    """Do what the arguments say."""
    job = read()
    raise_file_limit()
    logging.getLogger("picows").setLevel(logging.CRITICAL)  # what goes wrong is told by `Fault`
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            figures = runner.run(drive(job))
    except (Fault, OSError) as error:
        print(orjson.dumps({"fault": str(error)}).decode())
        return 1
    print(orjson.dumps(attrs.asdict(figures)).decode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
