"""What Phoenix answered, two workers answer too, and so do two nodes that share a Redis and a port.

Played is what opens several connections, as they may come to different processes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import orjson
import pytest
import trio

from tests.cluster.redis import server as redis_server
from tests.conformance.player import load, play_all
from tests.conformance.scenarios import MORE
from tests.conformance.server import Zoo, serve_zoo

pytestmark = [pytest.mark.socket, pytest.mark.slow]

NODES = 2


@contextmanager
def workers(folder: Path) -> Iterator[Zoo]:
    with serve_zoo(folder, "--workers", str(NODES)) as zoo:
        yield zoo


@contextmanager
def nodes(folder: Path) -> Iterator[Zoo]:
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server.server())
        redis.start()
        zoo = stack.enter_context(serve_zoo(folder, "--redis", redis.url))
        port = zoo.url.rpartition(":")[2]
        for number in range(1, NODES):
            stack.enter_context(serve_zoo(folder, "--redis", redis.url, port=port, name=f"zoo {number}"))
        yield zoo


def processes(zoo: Zoo) -> set[int]:
    """Ask until all have answered."""
    found: set[int] = set()
    for _ in range(1000):
        with urlopen(f"{zoo.url}/admin/stats") as answer:  # noqa: S310 - a URL of our own
            found.add(orjson.loads(answer.read())["os_pid"])
        if len(found) == NODES:
            break
    return found


@pytest.mark.parametrize("serve", [workers, pytest.param(nodes, marks=pytest.mark.redis)])
def test_several_agree(serve: Callable[[Path], AbstractContextManager[Zoo]], tmp_path: Path) -> None:
    with serve(tmp_path) as zoo:
        assert len(processes(zoo)) == NODES
        scenarios = [one for one in (*load(), *MORE) if one.connects_often]
        assert len(scenarios) > 40
        played = trio.run(partial(play_all, zoo.url, scenarios, lambda *_: None))
    assert {name: differences for name, differences in played.items() if differences} == {}
