"""The programs of docs/asgi.md, section "Under the endpoint", as a stranger runs them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from phxactor.runtime import Runtime
from tests.conformance.client import Client, Closed
from tests.patience import PATIENCE
from tests.sockets.serving import in_time
from tests.uvicorn.test_docs import program

PAGE = Path(__file__).parents[2] / "docs" / "asgi.md"
BOARD, TEST, _ = re.findall(
    r"^```python\n(.*?)^```$",
    PAGE.read_text().partition("## Beside an asyncio server")[0],
    re.MULTILINE | re.DOTALL,
)


@pytest.mark.socket
@pytest.mark.slow
async def test_the_board(tmp_path: Path) -> None:
    text = BOARD.replace("run(board)", "run(board, port=0)")
    assert text != BOARD
    with program(tmp_path, text, "listening on") as (process, line):
        url = line.split()[-1]
        joined: Any
        client = await Client.open(url.replace("http", "ws", 1) + "/socket/websocket?vsn=2.0.0")
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE) as http, client:
            joined = await client.ask(["1", "1", "board:lobby", "phx_join", {}])
            assert joined[4]["status"] == "ok"
            assert (await http.post("/notes/hello")).json() == {"notes": 1}
            pushed = [None, None, "board:lobby", "note", {"text": "hello", "notes": 1}]
            assert await client.json() == pushed
            assert (await http.get("/docs")).status_code == 200
            process.terminate()
            assert await in_time(client.next()) == Closed(1012)
        assert process.wait(PATIENCE) == 0


async def test_the_test(phx_runtime: Runtime) -> None:
    namespace: dict[str, Any] = {"__name__": "board"}
    exec(BOARD + TEST, namespace)  # noqa: S102 - they are the page's
    await namespace["test_a_note_is_counted"](phx_runtime)
