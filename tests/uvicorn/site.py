"""A site of FastAPI and Django with the zoo's sockets on the same port, by uvicorn; it prints where it listens.

python -m tests.uvicorn.site [--port 0] [--loop uvloop] [--django] [--tls FILE] [--broken]
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import StreamingResponse

import phxactor.uvicorn
from phxactor import Application, ChildSpec, GenServer, send
from phxactor.asyncio import asyncio_call
from phxactor.guest import process_call
from phxactor.otp import Child, Error, Reply, call
from phxactor.runtime import KILL, NotAProcessError, current_runtime
from tests.conformance.presence import PRESENCES
from tests.conformance.zoo import endpoint


class Counter(GenServer):
    """Counts, and sleeps on asyncio."""

    count = 0

    async def handle_call(self, message: Any, _: object) -> Reply:  # noqa: ANN401
        if message == "sleep":
            return Reply(await asyncio_call(asyncio.sleep, 0.01, "slept"))
        self.count += message
        return Reply(self.count)


# ------------------------------------------------------------------------------------------------------ Django

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="x" * 50, ALLOWED_HOSTS=["*"], ALLOWED_ASYNC_UNSAFE=False)
django.setup()


def sync_view(request: HttpRequest) -> JsonResponse:
    """Answer in a thread, as Django's views do."""
    return JsonResponse({"method": request.method, "body": len(request.body)})


async def async_view(request: HttpRequest) -> JsonResponse:
    """Answer with the help of a process."""
    return JsonResponse({"count": await process_call(call, "counter", 1)})


urlpatterns = [path("django/sync", sync_view), path("django/async", async_view)]

# ----------------------------------------------------------------------------------------------------- FastAPI


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """Tell when it begins and ends."""
    print("lifespan begins", file=sys.stderr)  # noqa: T201
    yield
    try:
        current_runtime()
    except NotAProcessError:
        print("lifespan ends after phxactor", file=sys.stderr)  # noqa: T201


app = FastAPI(lifespan=lifespan)


@app.get("/count/{number}")
async def count(number: int) -> dict[str, int]:
    """Ask a process."""
    return {"count": await process_call(call, "counter", number)}


@app.get("/sleep")
async def sleep() -> str:
    """Ask a process that asks asyncio."""
    return str(await process_call(call, "counter", "sleep"))


@app.get("/gone")
async def gone() -> None:
    """Ask a process that is not there: an exit."""
    await process_call(call, "nobody", 1)


@app.get("/news/{topic}")
async def news(topic: str) -> None:
    """Broadcast to the zoo's clients."""
    endpoint.broadcast(topic, "news", {"from": "FastAPI"})


@app.get("/kill")
async def kill() -> None:
    """End phxactor's tree for good."""
    root = current_runtime().names.whereis("root")
    assert root is not None
    root.exit(KILL)
    send("counter", "does not matter")


@app.get("/sse")
async def sse() -> StreamingResponse:
    """Never end."""

    async def events() -> AsyncIterator[str]:
        while True:
            yield "data: x\n\n"
            await asyncio.sleep(0.1)

    return StreamingResponse(events())


@app.post("/upload")
async def upload(request: Request) -> int:
    """Tell the length of a body."""
    return len(await request.body())


@app.websocket("/ws")
async def echo(websocket: WebSocket) -> None:
    """Echo: a WebSocket that stays FastAPI's."""
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)


app.mount("/", get_asgi_application())

# ----------------------------------------------------------------------------------------------------- program


class Tell(logging.Handler):
    """Prints the address from uvicorn's log."""

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Uvicorn running on") and isinstance(record.args, tuple):
            protocol, host, port = record.args
            print(f"{protocol}://{host}:{port}", flush=True)  # noqa: T201


async def no_start() -> Error:
    return Error("the database is not there")


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--loop", default="asyncio")
    parser.add_argument("--django", action="store_true")
    parser.add_argument("--tls", default=None, help="a file with a key and its certificate")
    parser.add_argument("--broken", action="store_true")
    parser.add_argument("--grace", type=int, default=None)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("uvicorn.error").setLevel(logging.INFO)
    logging.getLogger("uvicorn.error").addHandler(Tell())
    children: list[Child] = [ChildSpec(id="counter", start=(Counter.start_link, (), {"name": "counter"})), *PRESENCES]
    if chosen.broken:
        children.append(ChildSpec(id="broken", start=(no_start, (), {})))
    options: dict[str, Any] = {} if chosen.grace is None else {"timeout_graceful_shutdown": chosen.grace}
    if chosen.tls is not None:
        options.update(ssl_certfile=chosen.tls)
    application = Application(children=children, endpoints=[endpoint])
    site = get_asgi_application() if chosen.django else app
    phxactor.uvicorn.run(site, application, port=chosen.port, loop=chosen.loop, log_config=None, **options)
    print("returned", file=sys.stderr)  # noqa: T201


if __name__ == "__main__":
    main()
