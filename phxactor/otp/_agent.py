"""Agent: a server that keeps one value, which others read and change by functions (docs/otp-semantics.md, section 5.5).

    counter = (await Agent.start_link(lambda: 0)).unwrap()
    await Agent.update(counter, lambda n: n + 1)
    await Agent.get(counter, lambda n: n)

The functions run in the agent's process. A function that raises ends the agent, and the caller exits with that reason
(A1).
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
"""Takes the value, and then the further arguments of the request."""


@attrs.frozen
class Get:
    """Answer the result of the function."""

    function: Function
    args: tuple[object, ...]


@attrs.frozen
class Update:
    """Make the result of the function the new value."""

    function: Function
    args: tuple[object, ...]


@attrs.frozen
class GetAndUpdate:
    """Answer the first item of the function's result, a pair, and make the second the new value."""

    function: Function
    args: tuple[object, ...]


class Agent(GenServer):
    """Starts with `Agent.start_link(function, *args)`; its first value is the result of that function."""

    async def init(self, function: Function, *args: object) -> None:
        """Make the first value; if the function raises, the agent does not start (A3)."""
        self.value = function(*args)

    async def handle_call(self, request: object, from_: From) -> Reply | NoReply | Stop | None:
        """Run the function of a request, and answer."""
        # Not `match`, which may run code of the request: its class may be a program's own.
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
        """Run the function of an `Update`, without an answer."""
        if type(request) is Update:
            self.value = request.function(self.value, *request.args)
            return None
        return await super().handle_cast(request)

    def system_get_state(self) -> object:
        """Return the value itself."""
        return self.value

    def system_replace_state(self, state: object) -> None:
        """Replace the value."""
        self.value = state

    # ----------------------------------------------------------------------------------------- from others

    @staticmethod
    async def get(agent: Server, function: Callable[..., T], *args: object, timeout: float | None = CALL_TIMEOUT) -> T:
        """Return `function(value, *args)`; raises as `call`, whose `timeout` in seconds this is."""
        answer: T = await call_server(agent, Get(function, args), timeout)
        return answer

    @staticmethod
    async def update(agent: Server, function: Function, *args: object, timeout: float | None = CALL_TIMEOUT) -> None:
        """Make `function(value, *args)` the value, and wait until that is done; raises as `call`."""
        await call_server(agent, Update(function, args), timeout)

    @staticmethod
    async def get_and_update(
        agent: Server,
        function: Callable[..., tuple[T, object]],
        *args: object,
        timeout: float | None = CALL_TIMEOUT,
    ) -> T:
        """Return the first item of the pair `function(value, *args)`, and make the second the value; raises as `call`.

        A result that is no pair ends the agent with `("bad_return_value", result)` (A2).
        """
        answer: T = await call_server(agent, GetAndUpdate(function, args), timeout)
        return answer

    @staticmethod
    def cast(agent: Server, function: Function, *args: object) -> None:  # type: ignore[override]
        """Make `function(value, *args)` the value, without waiting."""
        cast_to_server(agent, Update(function, args))
