"""The exceptions of calls to asyncio."""


class NoAsyncioLoopError(RuntimeError):
    """The runtime has no asyncio loop now: none has been opened, or it has ended. Nothing of the call has been done."""


class AsyncioCancelledError(RuntimeError):
    """The call was cancelled on the side of asyncio: its loop ended, or a library cancelled it.

    It is not known how much of the call was done. asyncio's own CancelledError is no `Exception`, and would pass the
    caller's `except Exception`.
    """
