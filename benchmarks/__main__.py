"""Measures phxactor under every load, beside the floor and beside other servers, and prints one table.

python -m benchmarks --quick --only echo,fanout --servers phxactor,node-ws --json figures.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from benchmarks.command_line import at_least_one, chosen_names, tell
from benchmarks.growth import grow
from benchmarks.load.dialects import Fault
from benchmarks.markdown import tabulate
from benchmarks.os_process import cores, raise_file_limit
from benchmarks.picture import draw
from benchmarks.report import as_data, write
from benchmarks.scale import grow_to
from benchmarks.servers.catalogue import HOSTED, PROGRAMS, Running
from benchmarks.serving import Kind
from benchmarks.suite import CASES, Pace, Suite

LOADS = tuple(dict.fromkeys(case.load.name for case in CASES))
LONG = Pace(warmup=0.5, seconds=2)
QUICK = Pace(warmup=0.3, seconds=1)


def read(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the arguments; the words of an error are argparse's."""
    servers = [program.name for program in (*PROGRAMS, *HOSTED)]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short run of each, to see that it works")
    parser.add_argument("--only", type=partial(chosen_names, known=LOADS), metavar="LOAD,...", help=", ".join(LOADS))
    parser.add_argument(
        "--servers", type=partial(chosen_names, known=servers), metavar="NAME,...", help=", ".join(servers)
    )
    parser.add_argument("--growth", action="store_true", help="another table: how costs grow, how long others wait")
    parser.add_argument(
        "--scale", type=at_least_one, metavar="N", help="another table: up to so many clients, on several workers"
    )
    parser.add_argument("--repeat", type=at_least_one, metavar="N", help="runs of each (3)")
    parser.add_argument("--phoenix", type=local_port, metavar="URL", help="a Phoenix that runs on this machine")
    parser.add_argument("--phoenix-pid", type=int, metavar="PID", help="its process, whose CPU time is read")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all figures")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="where to draw the ratios, as SVG")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="where to write the table of docs/benchmarks.md")
    chosen = parser.parse_args(arguments)
    chosen.repeat = chosen.repeat or (1 if chosen.quick else 3)
    if chosen.growth and any((chosen.only, chosen.servers, chosen.phoenix, chosen.picture, chosen.markdown)):
        parser.error("--growth is about phxactor alone, and has a table of its own")
    if chosen.scale is not None and any((chosen.growth, chosen.only, chosen.servers, chosen.phoenix, chosen.markdown)):
        parser.error("--scale is about phxactor alone, and has a table of its own")
    if (chosen.phoenix is None) != (chosen.phoenix_pid is None):
        parser.error("--phoenix and --phoenix-pid go together")
    if chosen.phoenix_pid is not None and not Path(f"/proc/{chosen.phoenix_pid}").exists():
        parser.error(f"--phoenix-pid: there is no process {chosen.phoenix_pid}")
    return chosen


def local_port(text: str) -> int:
    """Read the URL of a server on this machine."""
    url = urlsplit(text)
    if url.hostname not in {"127.0.0.1", "localhost"} or url.port is None:
        raise argparse.ArgumentTypeError(
            "http://127.0.0.1:PORT: only of this machine's processes is the CPU time known"
        )
    return url.port


def servers(chosen: argparse.Namespace) -> list[Kind]:
    """List what is measured; says what is left out, and why."""
    kinds: list[Kind] = list(PROGRAMS)
    if chosen.servers is not None:
        kinds = [each for each in (*PROGRAMS, *HOSTED) if each.name in chosen.servers]
    if chosen.phoenix is not None:
        kinds.append(Running("phoenix", chosen.phoenix, chosen.phoenix_pid, "phoenix"))
    for kind in kinds:
        if kind.missing is not None:
            tell(f"{kind.name} is left out: {kind.missing}")
    return [kind for kind in kinds if kind.missing is None]


def main() -> int:
    """Run it; the status is 1 when there was a wrong answer."""
    chosen = read()
    raise_file_limit()
    if chosen.growth:
        return grow(chosen.repeat, chosen.json)
    if chosen.scale is not None:
        return grow_to(chosen.scale, chosen.json)
    suite = Suite(cores(), QUICK if chosen.quick else LONG, chosen.repeat, tell)
    cases = [case for case in CASES if chosen.only is None or case.load.name in chosen.only]
    try:
        floors, results = suite.run(servers(chosen), cases)
    except Fault as fault:
        tell(f"without a floor there are no figures: {fault}")
        return 1
    print(write(floors, results, suite.cores))
    data = as_data(floors, results)
    if chosen.json is not None:
        chosen.json.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2))
    if chosen.picture is not None:
        chosen.picture.write_text(draw(results))
    if chosen.markdown is not None:
        chosen.markdown.write_text(tabulate(results))
    return int(any(result.fault is not None for result in results))


if __name__ == "__main__":
    sys.exit(main())
