"""Reloads under load: clients that connect all the time and push, and what they may not notice.

No connection is refused; who stays gets 1012 and is back; each push that a worker has received is answered.
"""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

import attrs
import orjson
import trio

from phxactor.endpoint._drainer import FRESH
from tests.demos.program import Program, serving
from tests.patience import PATIENCE
from tests.workers.crowd import REQUEST, frame, frames, until

PUSHING = Path(__file__).with_name("pushing.py").read_text()
VISIT: Final = 4
"""Pushes of a client that leaves by itself."""
CLOSE: Final = frame((1000).to_bytes(2, "big"), opcode=8)


@attrs.define
class Result:
    """What the clients have noticed."""

    refused: list[str] = attrs.field(factory=list)
    """Why connections failed."""
    codes: Counter[int] = attrs.field(factory=Counter)
    """The close codes of the server; 1006 for an end without one."""
    lost: list[str] = attrs.field(factory=list)
    """Where ends without a code came: at what, and with which error."""
    late: int = 0
    """Connections that ended as the client sent its request later than a worker that drains waits: it was starved."""
    sessions: int = 0
    """Joins."""
    replies: int = 0
    """Answers to pushes."""
    answered: int = 0
    """The same, as the workers have counted it."""
    away: float = 0.0
    """Seconds from a 1012 to the next join, at most."""

    def check(self, stay: int, reloads: int) -> None:
        """Check that nobody noticed more than a 1012."""
        assert self.refused == []
        assert set(self.codes) == {1012}, (self.codes, self.lost)
        assert self.codes[1012] >= stay * (reloads + 1)
        assert self.replies == self.answered


class _Client:
    def __init__(self, port: int, result: Result, over: trio.Event, *, stays: bool, every: float) -> None:
        self.port, self.result, self.over, self.stays = port, result, over, stays
        self.every = every
        self.joined = False
        self.at = "asking"
        self.came = self.asked = 0.0
        """When it began to connect, and when it had sent its request."""
        self._closed_at: float | None = None

    async def live(self) -> None:
        """Come, push and come back until all is over."""
        while not self.over.is_set():
            self.asked = self.came = time.monotonic()
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", self.port)
            except OSError as error:
                self.result.refused.append(repr(error))
                return
            async with stream:
                try:
                    await self._session(stream)
                except* (trio.BrokenResourceError, OSError) as errors:
                    if self.at == "asking" and self.asked > self.came + FRESH:
                        self.result.late += 1
                    else:
                        self.result.codes[1006] += 1
                        self.result.lost.append(f"{self.at}: {errors.exceptions!r}")
            self.joined = False

    async def _session(self, stream: trio.SocketStream) -> None:
        self.at = "asking"
        await stream.send_all(REQUEST + frame(orjson.dumps(["1", "1", "room:1", "phx_join", {}])))
        self.asked = time.monotonic()
        buffer = bytearray()
        while b"\r\n\r\n" not in buffer:
            buffer += await self._some(stream)
        head, _, rest = bytes(buffer).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            self.result.refused.append(head.decode(errors="replace"))
            return
        self.at = "joined"
        buffer[:] = rest
        pushed = 0
        while True:
            for opcode, text in frames(buffer):
                if opcode == 8:
                    self._closed(int.from_bytes(text[:2], "big"))
                    return
                if opcode != 1:
                    continue
                reply = orjson.loads(text)
                if reply[:2] == ["1", "1"]:
                    self._join()
                elif reply[3] == "phx_reply":
                    self.result.replies += 1
                else:  # phx_close of a drain
                    continue
                if pushed == VISIT and not self.stays:
                    await stream.send_all(CLOSE)
                    return
                await trio.sleep(self.every)
                pushed += 1
                await stream.send_all(frame(orjson.dumps(["1", f"p{pushed}", "room:1", "echo", {"n": pushed}])))
            buffer += await self._some(stream)

    async def _some(self, stream: trio.SocketStream) -> bytes:
        data = await stream.receive_some()
        if not data:
            raise trio.BrokenResourceError
        return bytes(data)

    def _join(self) -> None:
        self.joined = True
        self.result.sessions += 1
        if self._closed_at is not None:
            self.result.away = max(self.result.away, time.monotonic() - self._closed_at)
            self._closed_at = None

    def _closed(self, code: int) -> None:
        self.result.codes[code] += 1
        self._closed_at = time.monotonic()


async def reloaded(folder: Path, *, clients: int, reloads: int, every: float, workers: int = 2) -> Result:
    """Reload so many times under clients of which half stay, and half come and go all the time; stop at the end.

    Each pushes once in `every` seconds.
    """
    (folder / "pushing.py").write_text(PUSHING)
    result, over = Result(), trio.Event()
    with serving("serve", "pushing:endpoint", "--workers", str(workers), cwd=folder) as program:
        crowd = [
            _Client(int(program.port), result, over, stays=bool(number % 2), every=every) for number in range(clients)
        ]
        staying = [one for one in crowd if one.stays]
        async with trio.open_nursery() as nursery:
            for number, one in enumerate(crowd):
                nursery.start_soon(one.live)
                if number % 50 == 0:
                    await trio.sleep(0.05)
            for number in range(1, reloads + 1):
                await until(lambda: all(one.joined for one in staying), "all are there")
                await trio.sleep(0.2)
                program.process.send_signal(signal.SIGHUP)
                await _until_said(program, "new workers serve", number)
                await _until_said(program, "has left", number * workers)
            await until(lambda: all(one.joined for one in staying), "all are there")
            over.set()
            code, printed = await trio.to_thread.run_sync(program.stop, signal.SIGTERM)
            nursery.cancel_scope.deadline = trio.current_time() + PATIENCE
        assert code == 0, printed
        assert "Traceback" not in printed, printed
        result.answered = sum(map(int, re.findall(r"answered (\d+) pushes", printed)))
    return result


async def _until_said(program: Program, words: str, times: int) -> None:
    """Wait until the program has said words so often: starts of workers under load take their time."""
    await until(lambda: sum(words in line for line in program.lines) == times, words, 2 * PATIENCE)
