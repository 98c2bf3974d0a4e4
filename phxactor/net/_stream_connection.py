"""A connection over any of trio's streams: TLS, or in memory for tests. Each write that is flushed costs a task."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.http import LEFT_OVER
from phxactor.net import events
from phxactor.net._acknowledged import acknowledged, drop_unsent, has_left, is_broken, silent_for
from phxactor.net._base_connection import READ_SIZE, BaseConnection, Take
from phxactor.net._watching import in_background
from phxactor.runtime import is_cancellation

if TYPE_CHECKING:
    from phxactor.net._flusher import Flusher

CHUNK: Final = 65536
"""Bytes that are handed to the stream at once: TLS keeps them a second time, encrypted, until they are taken."""
AHEAD: Final = 65536
"""Bytes that are read ahead while a client is watched: a stream does not tell of its end to who does not read."""


@final
class StreamConnection(BaseConnection):
    """One client's end of a stream; it closes the stream."""

    __slots__ = ("_ahead", "_stream", "_watch", "_writing")

    def __init__(self, stream: trio.abc.Stream, flusher: Flusher) -> None:
        """Take over a connected stream."""
        super().__init__(flusher.mark_stream)
        self._stream = stream
        self._writing = False
        """Whether the stream has been offered something that it has not taken."""
        self._ahead = b""
        """What was read while the client was watched."""
        self._watch: trio.Event | None = None
        """Set when nobody reads for that any more."""

    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes; none at all means the end. Raises trio.BrokenResourceError on a reset."""
        if self._watch is not None:
            await self._watch.wait()
            self._watch = None
        if self._ahead:
            data, self._ahead = self._ahead[:max_bytes], self._ahead[max_bytes:]
            return data
        return bytes(await self._stream.receive_some(max_bytes))

    def watch(self, left: Callable[[], None]) -> Callable[[], None]:
        """Have a task read on, to the end or for `AHEAD` bytes; they are received next."""
        self._watch = over = trio.Event()

        async def read_ahead() -> bool:
            try:
                while len(self._ahead) < AHEAD:
                    data = await self._stream.receive_some(READ_SIZE)
                    if not data:
                        return True
                    self._ahead += data
                return False
            finally:
                over.set()

        return in_background(read_ahead, left)

    async def feed(self, take: Take, max_bytes: int = READ_SIZE) -> None:
        """Read to the end. Raises trio.BrokenResourceError on a reset."""
        while data := await self.receive_some(max_bytes):
            held = take(data)
            if held is not None:
                await held

    async def send_all(self, data: bytes, /) -> None:
        """Write, and wait until the stream has taken everything. Raises trio.BrokenResourceError."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.drop_output()
            raise trio.BrokenResourceError("the connection is gone") from error

    def flush(self) -> bool:
        """Leave all to `drain`: a stream takes nothing without waiting."""
        if self.closed:
            self.drop_output()
        return not self.size

    def unwritten(self) -> int:
        """Count what waits behind a write; without one, the stream has not been offered anything yet."""
        return self.size if self._writing else 0

    async def drain(self) -> None:
        """Write as the stream takes it; after a write that was broken off, nothing can be written any more."""
        self._writing = True
        try:
            while self.size:
                data = memoryview(self.take_output())
                for start in range(0, len(data), CHUNK):
                    chunk = data[start : start + CHUNK]
                    await self._stream.send_all(chunk)
                    if self.closed:  # meanwhile: what waited has been dropped, and counts no more
                        self.drop_output()
                        return
                    self.size -= len(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.drop_output()
        except BaseException as error:
            self.drop_output()
            if is_cancellation(error):
                raise
            _tell(error)  # raised, it would end the flusher, and so all connections
        finally:
            self._writing = False

    async def hang_up(self) -> None:
        """Write what waits, say that no more comes, where the stream can, and read until the client does."""
        if not self.closed:
            await self.drain()
        if self._watch is not None:  # two tasks cannot read
            await self._watch.wait()
        if self.closed:
            return
        stream = self._stream
        try:
            if isinstance(stream, trio.SSLStream):
                self._stream = transport = stream.transport_stream
                with suppress(trio.BrokenResourceError):  # the client goes on sending: below, nobody minds
                    await stream.unwrap()
                stream = transport
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
                left = LEFT_OVER
                while left > 0 and (data := await stream.receive_some(READ_SIZE)):
                    left -= len(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.drop_output()
        except BaseException as error:
            self.drop_output()
            if is_cancellation(error):
                raise
            _tell(error)

    def has_left(self) -> bool:
        """Say whether the client has closed his side, or is gone, where there is a socket."""
        sock = _socket_of(self._stream)
        return sock is not None and has_left(sock)

    def is_broken(self) -> bool:
        """Say whether the client has reset the connection, where there is a socket."""
        sock = _socket_of(self._stream)
        return sock is not None and is_broken(sock)

    def silent_for(self) -> float:
        """Return the seconds since anything was sent; 0 where `has_left` is sure, or it is not known."""
        sock = _socket_of(self._stream)
        return 0.0 if sock is None else silent_for(sock)

    async def acknowledged(self) -> bool:
        """Wait until the client's system has acknowledged all that was sent; without a socket, it has."""
        sock = _socket_of(self._stream)
        return sock is None or await acknowledged(sock)

    async def read(self) -> bool:
        """Wait until the client sends something, which is received next, or closes its side; False if it resets."""
        if not self._ahead:
            try:
                self._ahead = await self.receive_some()
            except trio.BrokenResourceError:
                sock = _socket_of(self._stream)
                return sock is not None and not is_broken(sock)  # TLS that ends without a word
        return True

    def abort(self) -> None:
        """Have nothing more sent."""
        self.drop_output()
        sock = _socket_of(self._stream)
        if sock is not None:
            drop_unsent(sock)

    def close(self) -> None:
        """Close at once; what waits is lost."""
        self.drop_output()
        trio.lowlevel.spawn_system_task(_close, self._stream)


async def _close(stream: trio.abc.Stream) -> None:
    """Be the task that closes a stream: what it raised would end the program."""
    try:
        await trio.aclose_forcefully(stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    except BaseException as error:  # noqa: BLE001 - see above
        if not is_cancellation(error):
            _tell(error)


def _tell(error: BaseException) -> None:
    """Tell of what no stream may raise: it is given up."""
    if events.stream_failed.handlers:
        events.stream_failed.emit(exception=error)


def _socket_of(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    """Return the socket that a stream runs over, if one does."""
    while isinstance(stream, trio.SSLStream):
        stream = stream.transport_stream
    return stream.socket if isinstance(stream, trio.SocketStream) else None
