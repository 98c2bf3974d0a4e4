"""What the tests of applications by HTTP send and hear."""

from __future__ import annotations

from typing import Any

import trio
import trio.lowlevel

OK: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def answering(data: bytes, *headers: tuple[bytes, bytes], status: int = 200) -> Any:  # noqa: ANN401
    """Make an application that answers each request so."""

    async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        await send(body(data))

    return app


class Recorder:
    """An application whose steps a test writes; it records what `receive` and `send` have done."""

    def __init__(self, steps: Any) -> None:  # noqa: ANN401
        self.steps = steps
        self.log: list[Any] = []
        self.go = trio.Event()
        self.scope: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        assert scope["type"] == "http"
        self.scope = scope
        await self.steps(self, receive, send)
