"""Libraries that need asyncio, used from processes: `asyncio_call`, and the loops that carry it. See README.md here."""

from phxactor.asyncio._call import asyncio_call
from phxactor.asyncio._context import SECONDS_TO_LEAVE, asyncio_context
from phxactor.asyncio._errors import AsyncioCancelledError, NoAsyncioLoopError
from phxactor.asyncio._host import AsyncioHost, use_asyncio_loop
from phxactor.asyncio._loop import GRACE, open_asyncio_loop

__all__ = [
    "GRACE",
    "SECONDS_TO_LEAVE",
    "AsyncioCancelledError",
    "AsyncioHost",
    "NoAsyncioLoopError",
    "asyncio_call",
    "asyncio_context",
    "open_asyncio_loop",
    "use_asyncio_loop",
]
