"""What Prometheus gets: the counts so far, and gauges that are computed when it asks, so that they cannot drift."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

import phxactor
from phxactor.endpoint import Serving
from phxactor.metrics._counting import Counting
from phxactor.metrics._traffic import Traffic
from phxactor.runtime import NoProcessError, NotAProcessError, Runtime, current_runtime, runtime_of_thread


class PhxactorCollector(Collector):
    """Counts while it is attached. Its metrics are those of docs/metrics.md; they may be collected in any thread."""

    def __init__(self) -> None:
        self.counting: Final = Counting()
        self.traffic: Final = Traffic()
        self._is_read = False
        """Whether `read` has just read the connections."""

    def attach(self) -> None:
        """Count from now on; more than once changes nothing."""
        self.counting.attach()
        self.traffic.attach()

    def detach(self) -> None:
        """Count no more; what was counted stays."""
        self.counting.detach()
        self.traffic.detach()

    async def read(self) -> None:
        """Read the bytes of all connections, in slices, for the collection that follows."""
        await self.traffic.read(current_runtime())
        self._is_read = True

    def describe(self) -> list[Metric]:
        """Return nothing: a registry then need not collect to know the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Make all metrics; gauges only where a runtime is open."""
        labels = {"version": phxactor.__version__, "python": platform.python_version()}
        yield InfoMetricFamily("phxactor", "The versions of phxactor and Python", value=labels)
        for table in self.counting.tables():
            yield table.family()
        try:
            runtime = runtime_of_thread(None)
        except NotAProcessError:
            return
        if not self._is_read:
            self.traffic.read_at_once(runtime)
        self._is_read = False
        yield from self.traffic.families()
        yield from self._gauges(runtime)
        yield from _of_endpoints(Serving.all(runtime))

    def _gauges(self, runtime: Runtime) -> Iterator[Metric]:
        counts = runtime.statistics()
        longest = max((len(pid.mailbox) for pid in list(runtime.processes.values())), default=0)
        measured = self.counting.gauges.get(runtime, {})
        for ended in [one for one in self.counting.gauges if not getattr(one, "thread", 0)]:
            del self.counting.gauges[ended]
        for name, text, value in (
            ("processes", "Processes that run", counts.processes),
            ("zombies", "Killed processes whose tasks still run", counts.zombies),
            ("names", "Registered names", counts.names),
            ("timers", "Pending timers", counts.timers),
            ("mailbox_messages", "Messages that wait in all mailboxes", counts.messages),
            ("mailbox_longest_messages", "Messages that wait in the longest mailbox", longest),
            ("loop_lag_seconds", "The most by which the loop came late in the last 5 seconds", measured.get("lag", 0)),
            (
                "collector_longest_seconds",
                "The longest pause of the garbage collector in the last 5 seconds",
                measured.get("longest_collection", 0),
            ),
        ):
            yield GaugeMetricFamily(f"phxactor_{name}", text, value=float(value))
        seconds, number = measured.get("collector_seconds", 0), measured.get("collections", 0)
        yield CounterMetricFamily("phxactor_collector_seconds", "Seconds in the garbage collector", value=seconds)
        yield CounterMetricFamily("phxactor_collections", "Runs of the garbage collector", value=number)


def _of_endpoints(servings: list[Serving]) -> Iterator[Metric]:
    connections = GaugeMetricFamily("phxactor_connections", "Connections and long-poll sessions", labels=["endpoint"])
    channels = GaugeMetricFamily("phxactor_channels", "Channels that are joined or being joined", labels=["endpoint"])
    topics = GaugeMetricFamily("phxactor_topics", "Topics with subscriptions", labels=["pubsub"])
    subscriptions = GaugeMetricFamily("phxactor_subscriptions", "Subscriptions to topics", labels=["pubsub"])
    draining = GaugeMetricFamily("phxactor_draining", "Whether the endpoint lets its clients go", labels=["endpoint"])
    pubsubs = {}
    for serving in servings:
        endpoint = serving.endpoint
        connections.add_metric([endpoint.name], serving.connection_count())
        channels.add_metric([endpoint.name], serving.channel_count())
        draining.add_metric([endpoint.name], serving.draining)
        pubsubs[endpoint.pubsub.name] = endpoint.pubsub
    for name, pubsub in pubsubs.items():
        try:
            counts = pubsub.statistics()
        except (NoProcessError, NotAProcessError):
            continue
        topics.add_metric([name], counts.topics)
        subscriptions.add_metric([name], counts.subscriptions)
    yield from (connections, channels, draining, topics, subscriptions)


_collectors: Final[dict[CollectorRegistry, PhxactorCollector]] = {}


def install(registry: CollectorRegistry = REGISTRY) -> PhxactorCollector:
    """Count, and have a registry of prometheus-client show it; once for each registry."""
    collector = _collectors.get(registry)
    if collector is None:
        collector = _collectors[registry] = PhxactorCollector()
        registry.register(collector)
    collector.attach()
    return collector


def uninstall(registry: CollectorRegistry = REGISTRY) -> None:
    """Undo `install`: count no more, and show nothing."""
    collector = _collectors.pop(registry, None)
    if collector is not None:
        collector.detach()
        registry.unregister(collector)


async def prepare(registry: CollectorRegistry) -> None:
    """Read, for a collection of this registry that follows, what takes long where there is much of it."""
    collector = _collectors.get(registry)
    if collector is not None:
        await collector.read()
