"""A program that systemd starts when a client connects: an endpoint on the sockets that it is given.

python tests/endpoint/activated.py [NAME]
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys

import phxactor
from phxactor import Endpoint, get, systemd
from phxactor.http import Request, Response

CHILD = "import json, os, sys; print(json.dumps([sorted(os.environ), os.path.exists('/proc/self/fd/3')]))"


async def left(request: Request) -> Response:
    """Tell what a program sees that this one starts: the variables of its environment, and descriptor 3."""
    done = subprocess.run(  # noqa: ASYNC221
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, close_fds=False
    )
    variables, has_descriptor = json.loads(done.stdout)
    here = sorted(name for name in os.environ if name.startswith("LISTEN_"))
    there = sorted(name for name in variables if name.startswith("LISTEN_"))
    return Response.text(json.dumps([here, there, has_descriptor]))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    endpoint = Endpoint(routes=[get("/left", left)], listen=systemd.sockets(*sys.argv[1:]), port=0)
    assert systemd.sockets(*sys.argv[1:]) == list(endpoint.listen)
    phxactor.run(endpoint)
