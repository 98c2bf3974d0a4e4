"""What one line has yet to be told of the lanes that this node watches. Pure.

A lost watch would be a lost broadcast for ever, so lanes are never dropped as messages are. They are state: changes
that wait are merged, and if they grow too large they are replaced by the whole list, which is made when it can be
written. So what waits is bounded whatever the other node does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

from phxactor.cluster.carriers.workers._frames import FrameKind, encode_lanes, frame

MAX_CHANGES: Final = 1024 * 1024
"""Most characters of lanes that wait as changes; above it the whole list is told anew."""
AT_ONCE: Final = 64 * 1024
"""Characters of lanes in one frame; a longer lane has a frame to itself."""


@final
class ToldLanes:
    """What one line has yet to be told."""

    __slots__ = ("_batch", "_changes", "_listed", "_listing", "_whole", "size", "told")

    def __init__(self) -> None:
        """Begin with the whole list."""
        self._batch = 0
        """The number of the last `watch`."""
        self._changes: dict[str, bool] = {}
        """Whether a lane is watched, in the order of the changes."""
        self.size = 0
        """The characters of lanes that wait as changes."""
        self._whole = True
        """Whether the whole list comes first."""
        self._listing: Iterator[str] | None = None
        """The rest of a list that is being told."""
        self._listed = 0
        """The batch that this list includes."""
        self.told = -1
        """The last batch that was told; the other node may confirm up to it."""

    def watch(self, lanes: Iterable[str], batch: int) -> None:
        """Tell that lanes are watched, as the batch with this number."""
        self._batch = batch
        self._change(lanes, watched=True)

    def unwatch(self, lanes: Iterable[str]) -> None:
        """Tell that lanes are watched no more."""
        self._change(lanes, watched=False)

    @property
    def waits(self) -> bool:
        """Whether there is something to tell."""
        return self._whole or self._listing is not None or bool(self._changes) or self.told < self._batch

    def frames(self, all_lanes: Callable[[], Iterable[str]]) -> bytes:
        """Return the next frames to write, of some 64 KiB; `all_lanes` lists what is watched now."""
        if self._whole:
            self._whole = False
            self._forget_changes()
            self._listed = self._batch
            self._listing = iter(all_lanes())
            return frame(FrameKind.LIST) + self._next_of_list(self._listing)
        if self._listing is not None:
            return self._next_of_list(self._listing)
        watched, unwatched = self._next_changes()
        # Batch 0 is all that was watched before the first `watch`, and is in each list: 0 stands for no number.
        number = 0 if self._changes or self.told == self._batch else self._batch
        told = frame(FrameKind.UNWATCH, 0, encode_lanes(unwatched)) if unwatched else b""
        if watched or number:
            told += frame(FrameKind.WATCH, number, encode_lanes(watched))
        if not self._changes:
            self.told = self._batch
        return told

    def _next_of_list(self, listing: Iterator[str]) -> bytes:
        lanes: list[str] = []
        size = 0
        for lane in listing:
            lanes.append(lane)
            size += len(lane)
            if size >= AT_ONCE:
                return frame(FrameKind.WATCH, 0, encode_lanes(lanes))
        self._listing = None
        self.told = self._listed
        end = frame(FrameKind.LIST_END, self._listed)
        return frame(FrameKind.WATCH, 0, encode_lanes(lanes)) + end if lanes else end

    def _next_changes(self) -> tuple[list[str], list[str]]:
        watched: list[str] = []
        unwatched: list[str] = []
        size = 0
        for lane, now in self._changes.items():
            (watched if now else unwatched).append(lane)
            size += len(lane)
            if size >= AT_ONCE:
                break
        for lane in (*watched, *unwatched):
            del self._changes[lane]
        self.size -= size
        return watched, unwatched

    def _change(self, lanes: Iterable[str], *, watched: bool) -> None:
        if self._whole:
            return  # the list will have it
        changes = self._changes
        for lane in lanes:
            if changes.pop(lane, None) is None:
                self.size += len(lane)
            changes[lane] = watched
        if self.size > MAX_CHANGES:
            self._whole = True
            self._listing = None
            self._forget_changes()

    def _forget_changes(self) -> None:
        self._changes.clear()
        self.size = 0
