"""`asyncio_call`: runs asyncio code for a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar, overload

from phxactor.asyncio._host import run

P = ParamSpec("P")
T = TypeVar("T")


@overload
async def asyncio_call(function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T: ...
@overload
async def asyncio_call(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...
async def asyncio_call(function: Callable[P, Any], *args: P.args, **kwargs: P.kwargs) -> Any:
    """Run `function(*args, **kwargs)` in the asyncio loop of this runtime, and return its value.

        rows = await asyncio_call(pool.fetch, "select name from users where id = $1", 42)

    If the function returns an awaitable, as an `async def` does, the loop awaits it: the whole function is one task of
    asyncio. Its exceptions are raised here. It runs in a copy of the caller's context, so it sees the caller's context
    variables; but the caller is not its current process. It may send, broadcast and spawn, which never wait; it cannot
    await trio.

    If the caller is cancelled, by a time-out, an exit signal or a kill, so is the task; the caller goes on when the
    task has ended.

    Raises:
        NoAsyncioLoopError: no loop is open now; nothing has been done.
        AsyncioCancelledError: the loop has ended during the call, or the function was cancelled within asyncio.
        WrongThreadError: the caller runs in another thread than the runtime.

    """
    return await run(function, args, kwargs)
