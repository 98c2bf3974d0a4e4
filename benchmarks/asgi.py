"""What a request to an ASGI application costs: phxactor beside hypercorn on trio and uvicorn on asyncio.

    .venv/bin/python -m benchmarks.asgi [ROUNDS]

The figures are CPU time of the server for each request, as a multiple of phxactor's. All servers run, and have turns.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from benchmarks.os_process import OsProcess

SERVERS: Final = ("phxactor", "hypercorn", "uvicorn-h11", "uvicorn-httptools")
UPLOAD: Final = 3 * 1024 * 1024
HEAD: Final = b"Host: app.test\r\nAccept: */*\r\nUser-Agent: benchmark/1\r\nAccept-Encoding: gzip\r\n"


def get(path: bytes) -> bytes:
    """Return a request."""
    return b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"\r\n"


LOADS: Final[dict[str, tuple[bytes, Callable[[bytes], bool], int]]] = {
    "hello": (get(b"/hello"), lambda data: data.endswith(b"Hello, world!"), 600),
    "upload of 3 MB": (
        b"POST /upload HTTP/1.1\r\n" + HEAD + b"Content-Length: %d\r\n\r\n" % UPLOAD + b"x" * UPLOAD,
        lambda data: data.endswith(b"%d" % UPLOAD),
        15,
    ),
    "stream of 100 pieces": (get(b"/stream"), lambda data: data.endswith(b"0\r\n\r\n"), 40),
}
"""The loads by name: a request, whether its answer is whole, and the number of requests in a round."""


@contextmanager
def running(server: str) -> Iterator[tuple[OsProcess, int]]:
    """Run a server, and wait until it listens; give its process and its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.asgi_app", server, str(port)])
    try:
        _connected(port).close()
        yield OsProcess(process.pid), port
    finally:
        process.kill()
        process.wait()


def _connected(port: int) -> socket.socket:
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=15)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def cost(process: OsProcess, port: int, load: str) -> float:
    """Return the CPU time of a request in microseconds, of a round of requests one after the other."""
    count = LOADS[load][2]
    with _connected(port) as client:
        _ask(client, load)
        before = process.cpu_ns()
        for _ in range(count):
            _ask(client, load)
        return (process.cpu_ns() - before) / 1000 / count


def _ask(client: socket.socket, load: str) -> None:
    """Send a request, and receive its whole answer."""
    request, is_whole, _ = LOADS[load]
    client.sendall(request)
    data = b""
    while not is_whole(data):
        some = client.recv(1 << 20)
        if not some:
            raise ConnectionError(f"the server has closed after {data!r:.200}")
        data += some


def main(rounds: int) -> None:
    """Measure all servers in turn, and print the table."""
    found: dict[tuple[str, str], list[float]] = {}
    with ExitStack() as stack:
        started = {server: stack.enter_context(running(server)) for server in SERVERS}
        for number in range(rounds + 1):
            for server, (process, port) in started.items():
                for load in LOADS:
                    figure = cost(process, port, load)
                    if number:  # the first round warms up
                        found.setdefault((server, load), []).append(figure)
    print("| server |" + "".join(f" {load} |" for load in LOADS))
    print("|---" * (len(LOADS) + 1) + "|")
    for server in SERVERS:
        cells = []
        for load in LOADS:
            own, reference = (statistics.median(found[one, load]) for one in (server, SERVERS[0]))
            cells.append(f"{own / reference:.2f} ({own:.0f} µs)")
        print(f"| {server} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
