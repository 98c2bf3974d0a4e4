"""The process of one key's server: a GenServer, with three more messages from its region.

HAND_OVER       after all messages before it: `hand_over()`, and the end with Shutdown("moved")
TakeOver        `take_over(state)`: two instances have become one
IDLE            nothing has come for the idle time: the end with Shutdown("idle"), unless something is open
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, final

from phxactor.otp import (
    KINDS,
    UNSET,
    Continue,
    GenServer,
    Handler,
    Outcome,
    ServerProcess,
    Timeout,
    interposable,
    own_handlers,
)
from phxactor.otp import Hibernate as Hibernates
from phxactor.runtime import Exit, Shutdown

if TYPE_CHECKING:
    from phxactor.sharded._entry import Entry

MOVED: Final = Shutdown("moved")
"""The reason of a server whose key has another owner now: keep the key, not the pid (NO31, NO34)."""
IDLED: Final = Shutdown("idle")
"""The reason of a server for which nothing has come for the idle time."""
Then = Continue | Timeout | Hibernates | None


@final
class HandOver:
    """Give the state away, and end."""


@final
class TakeOver:
    """Take the state of another instance."""

    __slots__ = ("state",)

    def __init__(self, state: object) -> None:
        """Store it."""
        self.state = state


@final
class Idle:
    """Nothing has come for the idle time."""


HAND_OVER: Final = HandOver()
IDLE: Final = Idle()


@final
class Instance(ServerProcess):
    """The loop of one key's server."""

    __slots__ = ("entry", "idle", "state")

    def __init__(self, server: GenServer, entry: Entry, token: object, idle: float | None, state: object) -> None:
        """Prepare the process; `state` is that of the instance before it on another node, or UNSET."""
        super().__init__(server, (entry.key, token), {}, None)
        self.entry = entry
        self.idle = None if idle is None else Timeout(idle, IDLE)
        self.state = state

    async def init(self) -> Then:
        """Run `init`, and `take_over` if there is a state."""
        then = await super().init()
        state, self.state = self.state, UNSET
        if state is not UNSET:
            await self._take_over(state)
        self.wait = self.idle
        return then

    async def _take_over(self, state: object) -> None:
        take_over: Any = getattr(self.server, "take_over", None)
        if take_over is not None:
            await take_over(state)

    async def receive_or_time_out(self, wait: Timeout) -> object:
        """Take a message; every one of them is a sign of life (NO30)."""
        message = await super().receive_or_time_out(wait)
        self.wait = self.idle
        return message

    async def proceed(self, then: Then) -> None:
        """Carry out what a callback wants; its own time-out goes before the idle time."""
        await super().proceed(then)
        if self.wait is None:
            self.wait = self.idle

    async def on_hand_over(self, _: HandOver) -> Outcome:
        """Give the state to the region, which sends it on."""
        hand_over: Any = getattr(self.server, "hand_over", None)
        if hand_over is not None:
            self.entry.state = await hand_over()
        raise Exit(MOVED)

    async def on_take_over(self, message: TakeOver) -> Outcome:
        """Take another instance's state."""
        await self._take_over(message.state)
        return None

    async def on_idle(self, _: Idle) -> Outcome:
        """End, if the region agrees: then what comes from now on waits there, and starts the key again (NO29)."""
        is_busy: Any = getattr(self.server, "is_busy", None)
        if (is_busy is None or not is_busy()) and self.entry.close():
            raise Exit(IDLED)
        return None

    handlers: ClassVar[dict[type | None, Handler]] = {
        **own_handlers(ServerProcess),
        HandOver: on_hand_over,
        TakeOver: on_take_over,
        Idle: on_idle,
    }


interposable(Instance, KINDS)
