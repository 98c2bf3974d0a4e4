"""The application that `benchmarks.asgi` serves by each server: bare ASGI, to measure the servers' own cost."""

from __future__ import annotations

import sys
from typing import Any

CHUNK = b"x" * 1024


async def app(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
    """Answer `/hello`, `/upload` with the size of its body, and `/stream` with a hundred pieces."""
    if scope["type"] == "lifespan":  # hypercorn ends with an application that has none
        for stage in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{stage}.complete"})
        return
    body, headers = b"Hello, world!", [(b"content-type", b"text/plain")]
    if scope["path"] == "/upload":
        size, more = 0, True
        while more:
            message = await receive()
            size, more = size + len(message["body"]), message["more_body"]
        body = b"%d" % size
    if scope["path"] == "/stream":
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(100):
            await send({"type": "http.response.body", "body": CHUNK, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(server: str, port: int) -> None:
    """Serve the application by a server, until it is told to stop."""
    if server == "phxactor":
        from phxactor import Endpoint, asgi, run  # noqa: PLC0415 - each process needs one of them only

        run(Endpoint(routes=[asgi("/", app)], port=port))
    elif server == "hypercorn":
        from functools import partial  # noqa: PLC0415

        import trio  # noqa: PLC0415
        from hypercorn.config import Config  # noqa: PLC0415
        from hypercorn.trio import serve as by_hypercorn  # noqa: PLC0415

        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.errorlog = None
        trio.run(partial(by_hypercorn, app, config))
    else:
        import uvicorn  # noqa: PLC0415

        http = "httptools" if server == "uvicorn-httptools" else "h11"
        uvicorn.run(app, port=port, log_level="critical", http=http, loop="asyncio", lifespan="off", access_log=False)


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]))
