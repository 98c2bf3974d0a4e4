"""A connection over a trio stream: TLS, or in memory for tests. Each flush runs in a task of its own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, final

import trio

from phxactor.http import LEFT_OVER
from phxactor.net import events
from phxactor.net._acknowledged import acknowledged, drop_unsent, has_left, is_broken, silent_for
from phxactor.net._base_connection import READ_SIZE, BaseConnection, Take
from phxactor.net._given import Preceded
from phxactor.net._watching import in_background
from phxactor.runtime import is_cancellation

if TYPE_CHECKING:
    from phxactor.net._flusher import Flusher

CHUNK: Final = 65536
"""Most bytes that the stream gets at once: TLS holds a second, encrypted copy until they are sent."""
AHEAD: Final = 65536
"""Most bytes read ahead while a client is watched: only a read can see the end of a stream."""


@final
class StreamConnection(BaseConnection):
    """A client's connection over a stream; closing the connection closes the stream."""

    __slots__ = ("_ahead", "_stream", "_watch", "_writing")

    def __init__(self, stream: trio.abc.Stream, flusher: Flusher) -> None:
        """Take over a connected stream."""
        super().__init__(flusher.mark_stream)
        self._stream = stream
        self._writing = False
        """Whether a write to the stream is under way."""
        self._ahead = b""
        """Bytes that a watch has read ahead."""
        self._watch: trio.Event | None = None
        """The event that the last watch sets when it stops reading; None if there was no watch since the last read."""

    async def receive_some(self, max_bytes: int = READ_SIZE, /) -> bytes:
        """Wait for bytes; b"" means that the client has closed. Raises trio.BrokenResourceError on a reset."""
        if self._watch is not None:
            await self._watch.wait()
            self._watch = None
        if self._ahead:
            data, self._ahead = self._ahead[:max_bytes], self._ahead[max_bytes:]
            return data
        return bytes(await self._stream.receive_some(max_bytes))

    def watch(self, left: Callable[[], None]) -> Callable[[], None]:
        """Watch by a task that reads ahead, to the end of the stream or `AHEAD` bytes; `receive_some` returns them."""
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
        """Read until the client closes. Raises trio.BrokenResourceError on a reset."""
        while data := await self.receive_some(max_bytes):
            held = take(data)
            if held is not None:
                await held

    async def send_all(self, data: bytes, /) -> None:
        """Write, and wait until the stream has taken all. Raises trio.BrokenResourceError if the client is gone."""
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            self.drop_output()
            raise trio.BrokenResourceError("the connection is gone") from error

    def flush(self) -> bool:
        """Leave all output to `drain`: a write to a stream may wait."""
        if self.closed:
            self.drop_output()
        return not self.size

    def unwritten(self) -> int:
        """Return the output that waits behind a write; 0 without one, since the client could not take it yet."""
        return self.size if self._writing else 0

    async def drain(self) -> None:
        """Write the output as the stream takes it; a cancelled write closes the connection."""
        self._writing = True
        try:
            while self.size:
                data = memoryview(self.take_output())
                for start in range(0, len(data), CHUNK):
                    chunk = data[start : start + CHUNK]
                    await self._stream.send_all(chunk)
                    if self.closed:  # closed during the write: drop the rest, and what was written meanwhile
                        self.drop_output()
                        return
                    self.size -= len(chunk)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.drop_output()
        except BaseException as error:
            self.drop_output()
            if is_cancellation(error):
                raise
            _tell(error)  # raising it would end the flusher, and with it all connections
        finally:
            self._writing = False

    async def hang_up(self) -> None:
        """Write the output, close this side if the stream can, and read until the client closes its side."""
        if not self.closed:
            await self.drain()
        if self._watch is not None:  # two tasks cannot read from one stream
            await self._watch.wait()
        if self.closed:
            return
        stream = self._stream
        try:
            if isinstance(stream, trio.SSLStream):
                self._stream = transport = stream.transport_stream
                with suppress(trio.BrokenResourceError):  # the client still sends: the loop below discards it
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
            _tell(error)  # any error of a program's stream ends this connection only

    def has_left(self) -> bool:
        """Say whether the client has closed its side or reset; False if the stream has no socket."""
        sock = _socket_of(self._stream)
        return sock is not None and has_left(sock)

    def is_broken(self) -> bool:
        """Say whether the client has reset the connection; False if the stream has no socket."""
        sock = _socket_of(self._stream)
        return sock is not None and is_broken(sock)

    def silent_for(self) -> float:
        """Return the seconds since bytes were sent last; 0 if that is unknown, or if `has_left` is always right."""
        sock = _socket_of(self._stream)
        return 0.0 if sock is None else silent_for(sock)

    async def acknowledged(self) -> bool:
        """Wait until the client's system has acknowledged all sent bytes; True at once if the stream has no socket."""
        sock = _socket_of(self._stream)
        return sock is None or await acknowledged(sock)

    async def read(self) -> bool:
        """Wait until the client sends bytes, kept for the next read, or closes its side; False if it resets."""
        if not self._ahead:
            try:
                self._ahead = await self.receive_some()
            except trio.BrokenResourceError:
                sock = _socket_of(self._stream)
                return sock is not None and not is_broken(sock)  # TLS closed without a close_notify
        return True

    def abort(self) -> None:
        """Discard all output."""
        self.drop_output()
        sock = _socket_of(self._stream)
        if sock is not None:
            drop_unsent(sock)

    def close(self) -> None:
        """Close at once; output that waits is lost."""
        self.drop_output()
        trio.lowlevel.spawn_system_task(_close, self._stream)


async def _close(stream: trio.abc.Stream) -> None:
    """Close a stream in a system task; it must not raise, since that would end the program."""
    try:
        await trio.aclose_forcefully(stream)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    except BaseException as error:  # noqa: BLE001 - see above
        if not is_cancellation(error):
            _tell(error)


def _tell(error: BaseException) -> None:
    """Emit `events.stream_failed` for an exception that a stream must not raise."""
    if events.stream_failed.handlers:
        events.stream_failed.emit(exception=error)


def _socket_of(stream: trio.abc.Stream) -> trio.socket.SocketType | None:
    """Return the socket under a stream; None if there is none."""
    while isinstance(stream, trio.SSLStream | Preceded):
        stream = stream.transport_stream
    return stream.socket if isinstance(stream, trio.SocketStream) else None
