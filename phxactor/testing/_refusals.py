"""A client that is not let in, to a socket or to a topic."""

from __future__ import annotations

from collections.abc import Awaitable

from phxactor.otp import Error


class Refused(AssertionError):
    """`connect` or `join` has refused: `error` is what it returned, or what its client was told."""

    def __init__(self, what: str, error: Error) -> None:
        super().__init__(what)
        self.error = error


async def assert_refused(attempt: Awaitable[object]) -> Error:
    """See that a client is not let in, and return why.

        assert await assert_refused(connect(UserSocket, {"token": "bad"})) == Error("bad token")
        assert await assert_refused(client.join("room:secret")) == Error({"reason": "unauthorized"})

    It is what the program's `connect` returned, and for a topic what its client was told. Raises AssertionError.
    """
    __tracebackhide__ = True
    try:
        admitted = await attempt
    except Refused as refused:
        return refused.error
    raise AssertionError(f"it was let in: {admitted!r}")
