"""docs/libraries.md prints what it says, with real servers."""

from __future__ import annotations

import inspect
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest

from phxactor import open_runtime
from tests.libraries import servers
from tests.libraries.conftest import SCHEMA
from tests.libraries.page import PAGE, code
from tests.test_readme import compiled


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.socket
async def test_the_page_prints_what_it_says(tmp_path: Path, postgres: int, redis_server: int) -> None:
    with psycopg.connect(host="127.0.0.1", port=postgres, user="app", dbname="app", autocommit=True) as connection:
        connection.execute(f"drop table if exists users; {SCHEMA}")
    servers.flush(redis_server)
    namespace: dict[str, Any] = {"__name__": "libraries"}
    printed = ""
    texts = 0
    async with open_runtime():
        for block in code(folder=tmp_path, postgres=postgres, redis=redis_server):
            if block.language == "text":
                assert printed == block.text, f"{PAGE.name}:{block.line}"
                texts += 1
                continue
            with redirect_stdout(StringIO()) as output:
                running = eval(compiled(block, PAGE), namespace)  # noqa: S307 - this is what the test is about
                if inspect.iscoroutine(running):
                    await running
            printed = output.getvalue()
    assert texts == 1
    await servers.threads_ended()
