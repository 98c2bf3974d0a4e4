"""The link to a watched program: a client of its observer's socket, in a thread of its own.

The program sends what is seen and nothing else, as to a page. The link connects again after the program has been away,
and asks for the same again.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol, TypeAlias, final
from urllib.parse import SplitResult

import attrs
import trio

from phxactor.client import (
    Channel,
    ClientError,
    Connected,
    Disconnected,
    Errored,
    JoinError,
    Overflow,
    ReplyError,
    Socket,
    Status,
    connect,
)
from phxactor.observer import Unreachable

LEAVING: Final = 2.0
"""Seconds to wait for the program when the link ends."""
_PROCESS: Final = "observer:process:"

Payload: TypeAlias = Mapping[str, Any]
Work: TypeAlias = Callable[[], Awaitable[object]]


@final
@attrs.frozen
class News:
    """Something that the link tells."""

    kind: str
    """`summary`, `rows` and `process` are as the observer pushes them; `gone`, `done` and `refused` are answers;
    `connected`, `away`, `idle` and `failed` are about the connection."""
    payload: Payload = attrs.field(factory=dict)


Tell: TypeAlias = Callable[[News], object]


class Source(Protocol):
    """What a screen reads from."""

    summary: Payload
    """What the program is, and whether actions are on."""

    def listen(self, tell: Tell) -> None:
        """Call `tell` with all news from now on, from any thread."""

    def look(self, view: Payload) -> None:
        """Ask for a window of the rows."""

    def open(self, number: int | None) -> None:
        """Ask for news of one process, or of none any more."""

    def kill(self, number: int) -> None:
        """Kill a process."""

    def here(self) -> None:
        """Tell the program that somebody still looks."""


@final
class Link:
    """The link."""

    def __init__(self, url: SplitResult, token: str | None) -> None:
        """Name the program: the URL of its observer, and its token."""
        scheme = "wss" if url.scheme == "https" else "ws"
        self._url = url._replace(scheme=scheme, path=f"{url.path}/socket/websocket").geturl()
        self._token = token
        self.summary: Payload = {}
        self._tell: Tell = lambda _: None
        self._opened = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)
        self._socket: Socket
        self._panels: dict[str, Channel] = {}
        """The panels that are joined: `summary`, `tree`, and `process:7` while that process is looked at."""
        self._view: Payload = {}

    # ------------------------------------------------------------------------------------- for the screen's thread

    def start(self) -> None:
        """Connect. Raises Unreachable if the program does not let the link in."""
        self._thread.start()
        self._opened.wait()
        if self._failure is not None:
            raise Unreachable(f"no observer at {self._url}: {self._failure}")

    def stop(self) -> None:
        """Leave the program."""
        with suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(self._scope.cancel)
        self._thread.join(LEAVING + 1)

    def listen(self, tell: Tell) -> None:
        """Call `tell` with all news from now on, in the link's thread."""
        self._tell = tell

    def look(self, view: Payload) -> None:
        """Ask for a window of the rows: the payload of a `view` of the observer."""
        self._view = view
        self._soon(self._look)

    def open(self, number: int | None) -> None:
        """Ask for news of one process, or of none any more."""
        self._soon(partial(self._open, number))

    def kill(self, number: int) -> None:
        """Kill a process; the news `done` or `refused` say what came of it."""
        self._soon(partial(self._kill, number))

    def here(self) -> None:
        """Tell the program that somebody still looks; one that has gone to sleep goes on."""
        self._soon(self._here)

    def _soon(self, work: Work) -> None:
        with suppress(trio.RunFinishedError):
            self._trio.run_sync_soon(self._work.send_nowait, work)

    # ---------------------------------------------------------------------------------------- in the link's thread

    def _run(self) -> None:
        try:
            trio.run(self._watch)
        except (ClientError, OSError) as error:
            self._failure = error
            self._tell(News("failed", {"reason": str(error)}))
        finally:
            self._opened.set()

    async def _watch(self) -> None:
        self._trio = trio.lowlevel.current_trio_token()
        self._work, work = trio.open_memory_channel[Work](math.inf)
        with trio.CancelScope() as self._scope:
            async with connect(self._url, auth_token=self._token, on_status=self._status) as self._socket:
                summary = await self._socket.join("observer:summary")
                self.summary = _mapping(summary.response)
                async with trio.open_nursery() as self._nursery:
                    self._follow("summary", summary)
                    self._opened.set()
                    async for one in work:
                        await self._attempt(one)

    async def _attempt(self, work: Work) -> None:
        try:
            await work()
        except (ClientError, OSError) as error:
            self._tell(News("refused", {"reason": _reason(error)}))

    def _status(self, status: Status) -> None:
        match status:
            case Connected():
                self._tell(News("connected"))
            case Disconnected():
                self._tell(News("away"))
            case Errored(topic=topic, error=JoinError() as refused) if topic.startswith(_PROCESS):
                self._tell_gone(int(topic.removeprefix(_PROCESS)), refused)

    async def _panel(self, name: str) -> Channel:
        """Return a panel, joined if it is not yet."""
        if name not in self._panels:
            self._follow(name, await self._socket.join(f"observer:{name}"))
        return self._panels[name]

    def _follow(self, name: str, channel: Channel) -> None:
        self._panels[name] = channel
        self._nursery.start_soon(self._hear, name, channel)

    async def _hear(self, name: str, channel: Channel) -> None:
        """Tell all that a panel pushes, until it ends."""
        wanted = "rows" if name == "tree" else name.partition(":")[0]
        while True:
            try:
                async for message in channel:
                    if message.event == wanted:
                        self._tell(News(wanted, _mapping(message.payload)))
                    elif message.event == "idle":
                        self._tell(News("idle"))
                    elif message.event == "phx_join":
                        self._joined_again(name, message.payload)
            except Overflow:
                continue
            if self._panels.get(name) is channel:
                del self._panels[name]
            return

    def _joined_again(self, name: str, answer: object) -> None:
        """Go on after the program has been away: ask again for the rows that were seen."""
        match name:
            case "summary":
                self.summary = _mapping(answer)
            case "tree":
                self._work.send_nowait(self._look)

    async def _look(self) -> None:
        tree = await self._panel("tree")
        if tree.statistics().joined:  # else it asks as soon as it is joined again
            await tree.cast("view", dict(self._view))

    async def _open(self, number: int | None) -> None:
        for name in [name for name in self._panels if name.startswith("process:")]:
            await self._panels.pop(name).leave(timeout=LEAVING)
        if number is not None:
            try:
                await self._panel(f"process:{number}")
            except JoinError as refused:
                self._tell_gone(number, refused)

    def _tell_gone(self, number: int, refused: JoinError) -> None:
        self._tell(News("gone", {"number": number, "reason": _reason(refused)}))

    async def _kill(self, number: int) -> None:
        name = f"process:{number}"
        known = name in self._panels
        panel = await self._panel(name)
        try:
            await panel.push("kill")
        finally:
            if not known:
                await self._panels.pop(name, panel).leave(timeout=LEAVING)
        self._tell(News("done", {"number": number}))

    async def _here(self) -> None:
        for name in {**self._panels, "summary": None}:
            panel = await self._panel(name)
            await panel.cast("here")
        if "tree" not in self._panels:
            await self._look()


def _reason(error: Exception) -> str:
    """Return what the program has said, or what has gone wrong on the way there."""
    if isinstance(error, JoinError | ReplyError) and "reason" in (payload := _mapping(error.payload)):
        return str(payload["reason"])
    return str(error)


def _mapping(payload: object) -> Payload:
    return payload if isinstance(payload, Mapping) else {}
