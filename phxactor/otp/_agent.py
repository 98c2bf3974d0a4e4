"""Agent: a server that only keeps a value; others read and change it by functions (docs/otp-semantics.md, section 5.5).

    counter = (await Agent.start_link(lambda: 0)).unwrap()
    await Agent.update(counter, lambda n: n + 1)
    await Agent.get(counter, lambda n: n)

The functions run in the agent: one that raises ends it, and its caller exits with that reason (A1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import attrs

from phxactor.otp._call import CALL_TIMEOUT, Server
from phxactor.otp._call import call as call_server
from phxactor.otp._call import cast as cast_to_server
from phxactor.otp._gen_server import GenServer
from phxactor.otp._results import NoReply, Reply, Stop
from phxactor.runtime import From

T = TypeVar("T")

Function: TypeAlias = Callable[..., Any]
"""Takes the value, and then the arguments that were given along."""


@attrs.frozen
class Get:
    """Answer what the function makes of the value."""

    function: Function
    args: tuple[object, ...]


@attrs.frozen
class Update:
    """Keep what the function makes of the value."""

    function: Function
    args: tuple[object, ...]


@attrs.frozen
class GetAndUpdate:
    """Answer the first and keep the second of what the function makes of the value."""

    function: Function
    args: tuple[object, ...]


class Agent(GenServer):
    """Starts with `Agent.start_link(function, *args)`, and keeps what that returns."""

    async def init(self, function: Function, *args: object) -> None:
        """Make the first value; if the function raises, the agent does not start (A3)."""
        self.value = function(*args)

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | Stop | None:
        """Run one function."""
        # Not `match`, which may ask a request what it is: it may be a program's own.
        if type(request) is Get:
            return Reply(request.function(self.value, *request.args))
        if type(request) is Update:
            self.value = request.function(self.value, *request.args)
            return Reply()
        if type(request) is GetAndUpdate:
            result = request.function(self.value, *request.args)
            if not issubclass(type(result), tuple) or len(result) != 2:  # noqa: PLR2004 - a pair
                return Stop(("bad_return_value", result))
            answer, self.value = result
            return Reply(answer)
        return await super().handle_call(request, from_)

    async def handle_cast(self, request: object) -> NoReply | Stop | None:
        """Run one function, for nobody."""
        if type(request) is Update:
            self.value = request.function(self.value, *request.args)
            return None
        return await super().handle_cast(request)

    def system_get_state(self) -> object:
        """Show the value itself."""
        return self.value

    def system_replace_state(self, state: object) -> None:
        """Keep another value."""
        self.value = state

    # ----------------------------------------------------------------------------------------- from others

    @staticmethod
    async def get(agent: Server, function: Callable[..., T], *args: object, timeout: float | None = CALL_TIMEOUT) -> T:
        """Return `function(value, *args)`."""
        answer: T = await call_server(agent, Get(function, args), timeout)
        return answer

    @staticmethod
    async def update(agent: Server, function: Function, *args: object, timeout: float | None = CALL_TIMEOUT) -> None:
        """Make `function(value, *args)` the value, and wait until it is."""
        await call_server(agent, Update(function, args), timeout)

    @staticmethod
    async def get_and_update(
        agent: Server,
        function: Callable[..., tuple[T, object]],
        *args: object,
        timeout: float | None = CALL_TIMEOUT,
    ) -> T:
        """Return the first, and keep the second, of the pair `function(value, *args)`.

        Anything but a pair ends the agent with `("bad_return_value", result)` (A2).
        """
        answer: T = await call_server(agent, GetAndUpdate(function, args), timeout)
        return answer

    @staticmethod
    def cast(agent: Server, function: Function, *args: object) -> None:  # type: ignore[override]
        """Make `function(value, *args)` the value, without waiting."""
        cast_to_server(agent, Update(function, args))
