"""Play random programs on three Elixir nodes and on three simulated ones, and tell where the two differ."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import time
from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from socket import create_server
from tempfile import TemporaryDirectory
from typing import Any

from tests.nodes.beam.generator import program
from tests.nodes.beam.machines import PATIENT, SCHEDULES, SOURCE, Cluster, NotQuietError, environment
from tests.nodes.oracle.programs import Program, plain
from tests.oracle.programs import Source

TRIOS = 4
"""So many sets of three nodes play at once: they mostly wait."""


def main(seed: int, count: int, path: Path | None) -> int:
    """Play so many programs; returns the exit code."""
    if shutil.which("elixirc") is None or shutil.which("epmd") is None:
        print("programs over nodes: skipped, as there is no elixir")
        return 0
    with TemporaryDirectory() as folder, create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        env = environment(port)
        subprocess.run(["elixirc", "-o", folder, str(SOURCE)], check=True, capture_output=True)
        epmd = subprocess.Popen(["epmd", "-port", str(port), "-address", "127.0.0.1"], env=env)
        clusters = [Cluster(Path(folder), env) for _ in range(TRIOS)]
        try:
            time.sleep(0.3)
            sources = observed([program(seed + number) for number in range(count)], clusters)
            doubtful = [source["id"] for source in sources if Program(source).differences()]
            again = observed([program(number) for number in doubtful], clusters[:1], PATIENT)
        finally:
            for cluster in clusters:
                cluster.stop_all()
            epmd.kill()
            epmd.wait()
    sources = [source for source in sources if source["id"] not in doubtful] + again
    if path is not None:
        path.write_text(json.dumps(sources))
    wrong = [lines for source in sources if (lines := Program(source).differences())]
    for lines in wrong:
        print(lines[0])
    steps = sum(len(source["steps"]) for source in sources)
    print(f"programs over nodes: {len(sources) - len(wrong)} of {len(sources)} agree ({steps} steps)")
    return 1 if wrong else 0


def observed(sources: list[Source], clusters: list[Cluster], patience: float = 1.0) -> list[dict[str, Any]]:
    """Play each program by each schedule, and keep it up to the first step in which two of them differ."""
    free: SimpleQueue[Cluster] = SimpleQueue()
    for cluster in clusters:
        free.put(cluster)

    def play(source: Source) -> dict[str, Any]:
        cluster = free.get()
        cluster.patience = patience
        try:
            try:
                runs = [cluster.play(source["steps"], schedule) for schedule in SCHEDULES]
            except NotQuietError:
                cluster.patience = PATIENT
                runs = [cluster.play(source["steps"], schedule) for schedule in SCHEDULES]
        finally:
            free.put(cluster)
        agreed = 0
        for one, *others in zip(*runs, strict=True):
            if any(plain(one) != plain(other) for other in others):
                break
            agreed += 1
        return {**source, "steps": source["steps"][:agreed], "observed": runs[0][:agreed]}

    with ThreadPoolExecutor(len(clusters)) as pool:
        return [source for source in pool.map(play, sources) if source["steps"]]


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tests.nodes.beam", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--write", type=Path, help="a file for the programs with what the BEAM did")
    options = parser.parse_args()
    logging.disable()  # that actors crash is what they are for
    sys.exit(main(options.seed, options.count, options.write))
