"""TLS streams of trio, and what their handshake leaves behind."""

from __future__ import annotations

from typing import Final, TypeVar

import trio

from phxactor.runtime.trio_internals import private

_Transport = TypeVar("_Transport", bound=trio.abc.Stream)

_ONCE: Final[type] = private("_ssl", "_Once._afn", package="trio")._Once


def forget_handshake(stream: trio.SSLStream[_Transport]) -> None:
    """Let go of what a stream keeps to shake hands, once that is done or has failed; it must have been begun.

    It is a method of the stream itself: with it, only the garbage collector would find a stream that has ended, and
    the keys and the last record that it holds.
    """
    once = stream._handshook
    assert type(once) is _ONCE  # noqa: S101 - it has what the import has looked for
    del once._afn
