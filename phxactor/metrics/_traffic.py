"""Bytes of connections: what the system has counted of those that are connected, and what those had that have ended.

Nothing is counted as bytes come and go. The connections are read when Prometheus asks, in slices, so that others run
between them. One that ends while they are read may count twice for that answer: so a sum never goes down, as a counter
must not, and the true sum passes it soon.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias, final

from prometheus_client.core import CounterMetricFamily
from trio.lowlevel import checkpoint

from phxactor.endpoint import Serving
from phxactor.runtime import Runtime
from phxactor.telemetry import EVENTS, Event
from phxactor.transport import transport_of

Sums: TypeAlias = dict[tuple[str, str], tuple[int, int]]
"""Bytes in and out by the socket's class and the transport."""

DISCONNECTED: Final = EVENTS["phxactor.socket.disconnected"]
SLICE: Final = 250
"""Connections that are read without a pause."""


@final
class Traffic:
    """The sums."""

    def __init__(self) -> None:
        self.ended: Sums = {}
        """Of connections that have ended."""
        self.live: Sums = {}
        """Of those that were connected when they were read last."""
        self.shown: Sums = {}
        """The most that was shown."""

    def attach(self) -> None:
        """Note the bytes of connections that end from now on."""
        DISCONNECTED.attach(self._note)

    def detach(self) -> None:
        """Note them no more."""
        DISCONNECTED.detach(self._note)

    def _note(self, _: Event, fields: Mapping[str, Any]) -> None:
        if fields["traffic"] is not None:
            _add(self.ended, (fields["socket"], fields["transport"]), fields["traffic"])

    async def read(self, runtime: Runtime) -> None:
        """Read the connections of now, in slices."""
        live: Sums = {}
        for number, _ in enumerate(_read(runtime, live), 1):
            if number % SLICE == 0:
                await checkpoint()
        self.live = live

    def read_at_once(self, runtime: Runtime) -> None:
        """Read the connections of now, without a pause: from another thread."""
        live: Sums = {}
        for _ in _read(runtime, live):
            pass
        self.live = live

    def families(self) -> Iterator[CounterMetricFamily]:
        """Return the sums as prometheus-client has them."""
        for key in {**self.ended, **self.live}:
            pairs = [sums.get(key, (0, 0)) for sums in (self.ended, self.live)]
            before = self.shown.get(key, (0, 0))
            came, went = (max(old, sum(new)) for old, new in zip(before, zip(*pairs, strict=True), strict=True))
            self.shown[key] = came, went
        labels = ["socket", "transport"]
        received = CounterMetricFamily("phxactor_received_bytes", "Bytes that clients have sent", labels=labels)
        sent = CounterMetricFamily("phxactor_sent_bytes", "Bytes that clients have acknowledged", labels=labels)
        for key, (came, went) in self.shown.items():
            received.add_metric(key, came)
            sent.add_metric(key, went)
        yield from (received, sent)


def _read(runtime: Runtime, live: Sums) -> Iterator[None]:
    """Add up what is connected, one connection after the other."""
    for serving in Serving.all(runtime):
        for pid in serving.transport_pids():
            found = transport_of(pid)
            if found is not None and found.traffic is not None:
                _add(live, (found.socket, found.transport), found.traffic)
            yield


def _add(sums: Sums, key: tuple[str, str], traffic: tuple[int, int]) -> None:
    came, went = sums.get(key, (0, 0))
    sums[key] = came + traffic[0], went + traffic[1]
