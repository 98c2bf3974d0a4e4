"""A server for tests that counts."""

from __future__ import annotations

from phxactor.otp import Continue, GenServer, NoReply, Reply
from phxactor.runtime import From, Pid


class Counter(GenServer):
    """Counts."""

    async def init(self, count: int) -> None:
        self.count = count

    async def handle_call(self, request: object, from_: From) -> Reply:
        return Reply(self.count)

    async def handle_cast(self, request: object) -> NoReply | None:
        assert isinstance(request, int)
        self.count += request
        return NoReply(Continue("added")) if request > 100 else None

    async def handle_continue(self, argument: object) -> None:
        self.count = 0


async def counter(count: int = 0) -> Pid:
    return (await Counter.start_link(count)).unwrap()
