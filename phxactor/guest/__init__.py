"""phxactor as the guest of an asyncio program: both in one thread, each with its own libraries. See README.md here."""

from phxactor.guest._errors import GuestError, ProcessExitError
from phxactor.guest._guest import Care, Guest, as_application, open_guest
from phxactor.guest._host_stream import AsyncioSide, HostStream
from phxactor.guest._process_call import process_call

__all__ = [
    "AsyncioSide",
    "Care",
    "Guest",
    "GuestError",
    "HostStream",
    "ProcessExitError",
    "as_application",
    "open_guest",
    "process_call",
]
