"""Frees what the handshake of trio's TLS streams leaves behind."""

from __future__ import annotations

from typing import Final, TypeVar

import trio

from phxactor.runtime._trio_internals import private

_Transport = TypeVar("_Transport", bound=trio.abc.Stream)

_ONCE: Final[type] = private("_ssl", "_Once._afn", package="trio")._Once


def forget_handshake(stream: trio.SSLStream[_Transport]) -> None:
    """Drop the stream's reference to its handshake function, after the handshake has begun, and succeeded or failed.

    The function is a method of the stream, so the two form a reference cycle: only the garbage collector would free a
    stream that has ended, and the keys and the last record that it holds.
    """
    once = stream._handshook
    assert type(once) is _ONCE  # noqa: S101 - the class whose attribute the import has checked
    del once._afn
