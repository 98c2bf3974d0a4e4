"""The programs of docs/asgi.md, as a stranger runs them."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.client import Client, Closed
from tests.demos.program import ROOT, environment
from tests.patience import PATIENCE
from tests.sockets.serving import in_time

pytestmark = [pytest.mark.socket, pytest.mark.slow]

SHOP, OTHER, TEST = re.findall(
    r"^```python\n(.*?)^```$",
    (ROOT / "docs" / "asgi.md").read_text().partition("## Beside an asyncio server")[2],
    re.MULTILINE | re.DOTALL,
)


@contextmanager
def program(folder: Path, text: str, says: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a program until the test is done; yields the line in which it says this."""
    file = folder / "shop.py"
    file.write_text(text)
    with subprocess.Popen(
        [sys.executable, file], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    ) as process:
        assert process.stdout is not None
        try:
            printed = []
            for line in process.stdout:
                printed.append(line)
                if says in line:
                    yield process, line
                    return
            raise AssertionError("".join(printed))
        finally:
            process.kill()


async def test_the_shop(tmp_path: Path) -> None:
    text = SHOP.replace("port=8000", "port=0")
    assert text != SHOP
    with program(tmp_path, text, "Uvicorn running on") as (process, line):
        url = line.split()[4]
        joined: Any
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http:
            client = await Client.open(url.replace("http", "ws", 1) + "/socket/websocket?vsn=2.0.0")
            async with client:
                joined = await client.ask(["1", "1", "shop:lobby", "phx_join", {}])
                assert joined[4]["status"] == "ok"
                price: Any = await client.ask(["1", "2", "shop:lobby", "price", {"key": "chair"}])
                assert price[4]["response"] == {"text": "price of chair"}
                assert (await http.post("/chairs/4")).json() == {"chairs": 4}
                assert await client.json() == [None, None, "shop:lobby", "chairs", {"chairs": 4}]
                process.terminate()
                assert await in_time(client.next()) == Closed(1012)
        assert process.wait(PATIENCE) == 0


def test_the_test_of_the_application() -> None:
    namespace: dict[str, Any] = {"__name__": "shop"}
    for text in (SHOP, OTHER, TEST):
        exec(text, namespace)  # noqa: S102 - this is what the test is about
    asyncio.run(namespace["test_chairs"]())


def test_the_other_program(tmp_path: Path) -> None:
    text = SHOP.partition("if __name__")[0].replace("longpoll=True)]", "longpoll=True)], port=0") + OTHER
    with program(tmp_path, text, "3") as (process, line):
        assert line == "3\n"
        process.terminate()
