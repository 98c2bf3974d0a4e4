"""Contexts on their way: on calls, casts and broadcasts, and for messages that have no place for one.

While something traces, the initialisers of `Call`, `Cast` and `Broadcast` note the context in which they are made. A
plain message of a PubSub, which may be any object, is noted beside itself, for a short while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, final

from opentelemetry.context import Context

from phxactor.opentelemetry._spans import current, quiet
from phxactor.otp import Call, Cast
from phxactor.socket import Broadcast

MOST: Final = 1000
"""Messages that are noted at the same time; the oldest are forgotten."""
SECONDS: Final = 30.0
"""Seconds for which one is noted."""
NOT_SAMPLED: Final = object()
"""The context of what is made while a message is handled that is not traced."""

_CARRIERS: Final[tuple[type[Any], ...]] = (Call, Cast, Broadcast)
_own: Final[dict[type[Any], Callable[..., None]]] = {}


def carry() -> None:
    """Have calls, casts and broadcasts carry the context in which they are made."""
    for carrier in _CARRIERS:
        if carrier not in _own:
            _own[carrier] = carrier.__init__
            carrier.__init__ = _carrying(carrier.__init__)


def carry_no_more() -> None:
    """Undo `carry`."""
    while _own:
        carrier, own = _own.popitem()
        carrier.__init__ = own


def _carrying(own: Callable[..., None]) -> Callable[..., None]:
    def init(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - of any carrier
        own(self, *args, **kwargs)
        self.context = current() or (NOT_SAMPLED if quiet.get() else None)

    return init


@final
class Carried:
    """Plain messages and the contexts that they were broadcast in. It is false while there are none."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._noted: OrderedDict[int, tuple[object, Context, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, message: object, context: Context) -> None:
        """Note a message that is about to be handed out."""
        now = self._now()
        while self._noted and (len(self._noted) >= MOST or next(iter(self._noted.values()))[2] <= now):
            self._noted.popitem(last=False)
        self._noted[id(message)] = message, context, now + SECONDS
        self._noted.move_to_end(id(message))

    def take(self, message: object) -> Context | None:
        """Return the context of a message; it stays for other receivers."""
        noted = self._noted.get(id(message))
        if noted is None or noted[0] is not message:
            return None
        if noted[2] <= self._now():
            del self._noted[id(message)]
            return None
        return noted[1]

    def clear(self) -> None:
        """Forget all."""
        self._noted.clear()
