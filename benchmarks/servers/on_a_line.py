"""The conformance app as a node that has one line to another node, as between two workers; the line is inherited."""

from __future__ import annotations

import argparse
import socket

import phxactor
from phxactor import Supervisor
from phxactor.cluster import Cluster, new_node
from phxactor.cluster.carriers.workers import Workers
from tests.conformance.zoo import application, endpoint

GROUP = b"one host"


async def serve(port: int, line: int) -> None:
    """Serve until told to stop."""
    carrier = Workers()
    carrier.add_line(new_node("other", GROUP), socket.socket(fileno=line))
    sock = socket.create_server(("127.0.0.1", port), backlog=4096)
    children = [Cluster(carrier, group=GROUP), *application.children, endpoint.child_spec(listen=[sock])]
    (await Supervisor.start_link(children, strategy="rest_for_one")).unwrap()
    await phxactor.receive()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--line", type=int, required=True, help="the descriptor of a connected stream socket")
    chosen = parser.parse_args()
    phxactor.run(serve, chosen.port, chosen.line)


if __name__ == "__main__":
    main()
