"""Broadcasts to very many, in turns: to some in each pass of the scheduler, so that no other client waits for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, final

from phxactor.socket._encoded import prepare
from phxactor.socket._fastlane import dispatch

if TYPE_CHECKING:
    from phxactor.pubsub import Subscriber
    from phxactor.runtime import Pid, Runtime

TURN: Final = 200
"""Subscribers who get a broadcast in one pass."""


@final
class InTurns:
    """A dispatcher: its broadcasts reach all who are subscribed when they are sent, in order, the first ones at once.

    While a topic is busy, the sender should put together what it has to say, instead of sending more. Whoever has ended
    by its turn is left out.
    """

    __slots__ = ("_done", "_left", "_runtime")

    def __init__(self, runtime: Runtime, done: Callable[[str], None]) -> None:
        """`done` is called with a topic once all have got all of it, if that was not at once."""
        self._runtime: Final = runtime
        self._done: Final = done
        self._left: dict[str, deque[tuple[list[Subscriber], Any]]] = {}
        """By topic: who still has to get a broadcast, the next turn's topic first."""

    def is_busy(self, topic: str) -> bool:
        """Say whether somebody still has to get a broadcast of a topic."""
        return topic in self._left

    def __call__(self, subscribers: Iterable[Subscriber], left_out: Pid | None, message: Any) -> None:  # noqa: ANN401 - as of any dispatcher
        """Hand a broadcast to subscribers."""
        everybody = subscribers if type(subscribers) is list else list(subscribers)
        topic = message.topic
        waiting = self._left.get(topic)
        if waiting is None:
            if len(everybody) <= TURN:
                dispatch(everybody, left_out, message)
                return
            if not self._left:
                self._runtime.run_soon(self._go_on)
            waiting = self._left[topic] = deque()
            message = prepare(message)
            dispatch(everybody[:TURN], left_out, message)
            everybody = everybody[TURN:]
        waiting.append(([one for one in everybody if one.pid is not left_out], message))

    def stop(self) -> None:
        """Send nothing more, and call nobody."""
        self._left.clear()

    def _go_on(self) -> None:
        if not self._left:
            return
        topic, waiting = next(iter(self._left.items()))
        del self._left[topic]
        everybody, message = waiting[0]
        dispatch([one for one in everybody[:TURN] if one.pid.alive], None, message)
        del everybody[:TURN]
        if not everybody:
            waiting.popleft()
        if waiting:
            self._left[topic] = waiting  # behind the other topics
        else:
            self._done(topic)
        if self._left:
            self._runtime.run_soon(self._go_on)
