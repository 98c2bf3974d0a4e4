"""Refused connections and refused joins."""

from __future__ import annotations

from collections.abc import Awaitable

from phxactor.otp import Error


class Refused(AssertionError):
    """A connection or a join was refused.

    `error` is the Error that the socket's `connect` returned, or for a join the payload that the client received.
    """

    def __init__(self, what: str, error: Error) -> None:
        super().__init__(what)
        self.error = error


async def assert_refused(attempt: Awaitable[object]) -> Error:
    """Assert that a connection or a join is refused, and return the error.

        assert await assert_refused(connect(UserSocket, {"token": "bad"})) == Error("bad token")
        assert await assert_refused(client.join("room:secret")) == Error({"reason": "unauthorized"})

    The error is the one that the program's `connect` returned, or for a topic the payload that its client received.
    Raises AssertionError if the attempt succeeds.
    """
    __tracebackhide__ = True
    try:
        admitted = await attempt
    except Refused as refused:
        return refused.error
    raise AssertionError(f"it was let in: {admitted!r}")
